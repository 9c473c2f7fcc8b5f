"""Snapshots: the models of earlier updates, evenly spaced.

A snapshot is a model file named after its update. They are taken with the first, dense samples, and
then at the multiples of a spacing. The spacing doubles when there would be too many, and
snapshots at other updates are deleted. So their number is bounded, and they stay evenly spaced. The
file names are the only state.
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
    directory : pathlib.Path
        The directory of the files; created if necessary, but not its parent, the run's directory,
        which may have been deleted meanwhile.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)

    @classmethod
    def of_checkpoints(cls, checkpoints: Path) -> Snapshots:
        """Return the snapshots of the run with this directory of checkpoints."""
        return cls(checkpoints.parent / "snapshots")

    def path(self, update: int) -> Path:
        """Return the file of the snapshot at an update, which may not exist."""
        return self._directory / f"{update}.npz"

    def updates(self) -> list[int]:
        """Return the updates of all snapshots, ascending."""
        stems = (path.stem for path in self._directory.glob("*.npz"))
        return sorted(int(stem) for stem in stems if stem.isdigit())

    def nearest(self, update: int) -> int | None:
        """Return the update of the nearest snapshot, the earlier of two."""
        return min(self.updates(), key=lambda each: (abs(each - update), each), default=None)

    def nearest_valid(self, update: int) -> int | None:
        """Return the update of the nearest valid snapshot; delete damaged ones that are nearer.

        Raises
        ------
        OSError, MemoryError
            One cannot be read now.
        """
        while (nearest := self.nearest(update)) is not None and not self.is_valid(nearest):
            self._remove(nearest)
        return nearest

    def is_valid(self, update: int) -> bool:
        """Whether there is an undamaged snapshot at an update.

        Snapshots are not synchronised to the disk, so a power failure may damage one.
        """
        try:
            read_archive(self.path(update))
        except FileNotFoundError:
            return False
        except DamagedArchiveError as error:
            log.warning("skipped a damaged snapshot: %s", error)
            return False
        return True

    def is_due(self, update: int, every: int) -> bool:
        """Whether to take a snapshot at `update`, at which a sample is written.

        Parameters
        ----------
        update : int
            Updates made so far.
        every : int
            Updates between the regular samples.
        """
        return update < every or update % spacing(update, every) == 0

    def thin(self, update: int, every: int) -> None:
        """Delete snapshots until there are few enough.

        Apart from the first, dense ones, those nearest to the multiples of a spacing remain. The
        spacing is `every` times the least sufficient power of two. If `every` was changed, the
        earlier snapshots are not at these multiples, but remain about evenly spaced.

        Parameters
        ----------
        update : int
            Updates made so far.
        every : int
            Updates between the regular samples.
        """
        dense = {first for first in dense_updates(update) if first < every}
        even = [known for known in self.updates() if known not in dense]
        remaining, distance = even, 1
        while len(remaining) > MAX_EVENLY_SPACED:
            distance = spacing(update, every) if distance == 1 else 2 * distance
            remaining = _nearest_to_multiples(even, distance)
        for known in set(even) - set(remaining):
            self._remove(known)

    def rewind(self, update: int) -> None:
        """Delete the snapshots after `update`, for a rollback, and incomplete files."""
        for incomplete in self._directory.glob(".*"):
            incomplete.unlink(missing_ok=True)
        for known in self.updates():
            if known > update:
                self._remove(known)

    def _remove(self, update: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path(update).unlink()


def spacing(update: int, every: int) -> int:
    """Return the distance of snapshots at `update`: `every` times a power of two."""
    distance = every
    while update // distance > MAX_EVENLY_SPACED:
        distance *= 2
    return distance


def dense_updates(update: int) -> Iterator[int]:
    """Yield 0, and 1, 2 and 5 times each power of ten up to `update`.

    At these updates a run writes its first samples: see `server.spec.sample_schedule.next_sample`.
    """
    yield 0
    power = 1
    while power <= update:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _nearest_to_multiples(updates: list[int], distance: int) -> list[int]:
    """Return, of ascending updates, the nearest to each multiple of `distance`.

    Multiples without an update closer than half of `distance` are skipped.
    """
    nearest: dict[int, int] = {}
    for update in updates:
        multiple = (update + distance // 2) // distance * distance
        known = nearest.get(multiple)
        if known is None or abs(update - multiple) < abs(known - multiple):
            nearest[multiple] = update
    return list(nearest.values())
