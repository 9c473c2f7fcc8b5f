"""The network as it stood now and then, so that one can go back and look.

A snapshot is a model file named by its update. It is taken with each of the first, denser samples,
and then at even spacing: at the multiples of a spacing that doubles whenever there would be too
many, those that are no multiples of the new one going. So there are always enough, never too many,
and always evenly far apart. Nothing has to be remembered for it but the files' names.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from server.checkpoints.npz import DamagedArchiveError, read_archive

__all__ = ["Snapshots", "spacing"]

log = logging.getLogger(__name__)

MAX_EVENLY_SPACED = 150


class Snapshots:
    """One run's snapshots.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files are; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def beside(cls, checkpoints: Path) -> Snapshots:
        """Return the snapshots of the run whose checkpoints are in that folder."""
        return cls(checkpoints.parent / "snapshots")

    def path(self, update: int) -> Path:
        """Return where the snapshot of an update is or would be."""
        return self._folder / f"{update}.npz"

    def updates(self) -> list[int]:
        """Return the updates of which there is a snapshot, in order."""
        names = (path.stem for path in self._folder.glob("*.npz"))
        return sorted(int(name) for name in names if name.isdigit())

    def nearest(self, update: int) -> int | None:
        """Return the update nearest to `update` that has a snapshot, the earlier of two."""
        return min(self.updates(), key=lambda known: (abs(known - update), known), default=None)

    def nearest_valid(self, update: int) -> int | None:
        """Return as `nearest` does, but one whose file is whole; those that aren't go.

        Raises
        ------
        OSError, MemoryError
            One can't be read just now.
        """
        while (known := self.nearest(update)) is not None and not self.holds(known):
            self._remove(known)
        return known

    def holds(self, update: int) -> bool:
        """Whether there is a snapshot of an update, and its file is whole.

        It need not be: it is not waited for until it is on the disk, where a power cut comes first.
        """
        try:
            read_archive(self.path(update))
        except FileNotFoundError:
            return False
        except DamagedArchiveError as error:
            log.warning("snapshot passed over: %s", error)
            return False
        return True

    def is_due(self, update: int, every: int) -> bool:
        """Whether a snapshot belongs to `update`, at which a sample is written.

        Parameters
        ----------
        update : int
            Updates made so far.
        every : int
            Updates between the regular samples.
        """
        return update < every or update % spacing(update, every) == 0

    def thin(self, update: int, every: int) -> None:
        """Let those go that are one too many once `update` is reached.

        Of the even ones stay those nearest to the multiples of a spacing: of `every` times a power
        of two, the least that leaves few enough. Where `every` was always the same, those are the
        multiples themselves; where it was another before, those before stay about evenly apart.
        """
        dense = {first for first in dense_updates(update) if first < every}
        even = [known for known in self.updates() if known not in dense]
        kept, apart = even, 1
        while len(kept) > MAX_EVENLY_SPACED:
            apart = spacing(update, every) if apart == 1 else 2 * apart
            kept = _nearest_to_multiples(even, apart)
        for known in set(even) - set(kept):
            self._remove(known)

    def rewind(self, update: int) -> None:
        """Forget those after `update`, because the run goes back there, and half-written ones."""
        for unfinished in self._folder.glob(".*"):
            unfinished.unlink(missing_ok=True)
        for known in self.updates():
            if known > update:
                self._remove(known)

    def _remove(self, update: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path(update).unlink()


def spacing(update: int, every: int) -> int:
    """Return how far apart even snapshots are once `update` is reached: `every` times 2^k."""
    even = every
    while update // even > MAX_EVENLY_SPACED:
        even *= 2
    return even


def dense_updates(update: int) -> Iterator[int]:
    """Yield 0, and 1, 2 and 5 times each power of ten up to `update`."""
    yield 0
    power = 1
    while power <= update:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _nearest_to_multiples(updates: list[int], apart: int) -> list[int]:
    """Return of ascending updates the one nearest to each multiple of `apart`, if any is near."""
    nearest: dict[int, int] = {}
    for update in updates:
        multiple = (update + apart // 2) // apart * apart
        known = nearest.get(multiple)
        if known is None or abs(update - multiple) < abs(known - multiple):
            nearest[multiple] = update
    return list(nearest.values())
