"""Models that are kept because somebody may want the same text of them again.

While a run learns on, the model that wrote a passage is soon nowhere else: the best is another, a
snapshot gives way to the next. So the models of kept and of shared passages have files of their
own, in the folder of their run, each under its fingerprint (see `checkpoints.fingerprint`); one
model has one file, however many passages it wrote.

A held model is one that wrote for the operator just now, and may yet be kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from server.files.durable import copy_durably

__all__ = ["ModelStore", "StoredModel"]

FOLDER, HELD = "models", "held"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """The file of a model that is kept."""

    run: str
    mark: str
    bytes: int
    kept_at_ns: int


class ModelStore:
    """The models kept of all runs.

    Nothing is remembered but the files themselves. The methods touch the disk: they are for a
    thread of their own.

    Parameters
    ----------
    runs_dir : pathlib.Path
        Where runs have their folders.
    most, most_bytes : int
        How many models may be kept, and how much they may take together.
    """

    def __init__(self, runs_dir: Path, most: int, most_bytes: int) -> None:
        self._runs_dir = runs_dir
        self._most = most
        self._most_bytes = most_bytes

    def delete_drafts(self) -> None:
        """Clear away what an earlier server held, and what it left half written."""
        for folder in self._runs_dir.glob(f"*/{FOLDER}"):
            shutil.rmtree(folder / HELD, ignore_errors=True)
            for path in folder.glob(".*"):
                path.unlink(missing_ok=True)

    def path(self, run: str, mark: str) -> Path:
        """Return where the model `mark` of a run is kept, or would be."""
        return self._runs_dir / run / FOLDER / f"{mark}.npz"

    def draft_directory(self, run: str) -> Path:
        """Return the folder of a run's held models, which is made if need be."""
        folder = self._runs_dir / run / FOLDER / HELD
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def find(self, run: str, mark: str) -> Path | None:
        """Return where a model is, kept or held; None when it is neither."""
        places = (self.path(run, mark), self._held(run, mark))
        return next((place for place in places if place.exists()), None)

    def fits(self, size: int) -> bool:
        """Whether a model of so many bytes is held at all; one that can't be kept is not."""
        return size <= self._most_bytes

    def retain_drafts(
        self, models: Sequence[tuple[str, str]], others: Iterable[tuple[str, str]]
    ) -> None:
        """Hold of `models` (run, mark), which are newest first, what fits, and none of `others`.

        What is not named is left alone: somebody may just be writing with it.
        """
        room = self._most_bytes
        for path in [self._held(*model) for model in models]:
            room -= path.stat().st_size if path.exists() else 0
            if room < 0:
                path.unlink(missing_ok=True)
        for model in others:
            self._held(*model).unlink(missing_ok=True)

    def _held(self, run: str, mark: str) -> Path:
        return self._runs_dir / run / FOLDER / HELD / f"{mark}.npz"

    def keep(self, run: str, mark: str, source: Path, needed: AbstractSet[tuple[str, str]]) -> bool:
        """Keep a model, for which the longest kept give way that no kept passage needs.

        Parameters
        ----------
        run, mark : str
            Whose model, and its fingerprint.
        source : pathlib.Path
            Where it is held or kept now.
        needed : set of (run, mark)
            The models of kept passages.

        Returns
        -------
        bool
            False when there is no room for it, or it went while it was asked for.
        """
        target = self.path(run, mark)
        if target.exists():
            target.touch()  # It gives way later than those kept before.
            return True
        try:
            size = source.stat().st_size
        except FileNotFoundError:
            return False
        kept = sorted(self._all(), key=lambda model: model.kept_at_ns)
        leaving = []
        while len(kept) >= self._most or sum(each.bytes for each in kept) + size > self._most_bytes:
            spare = next((each for each in kept if (each.run, each.mark) not in needed), None)
            if spare is None:
                return False
            kept.remove(spare)
            leaving.append(spare)
        for spare in leaving:
            self.path(spare.run, spare.mark).unlink(missing_ok=True)
        copy_durably(source, target)
        return True

    def _all(self) -> list[StoredModel]:
        found = []
        for path in self._runs_dir.glob(f"*/{FOLDER}/[!.]*.npz"):
            stat = path.stat()
            run = path.parent.parent.name
            found.append(StoredModel(run, path.stem, stat.st_size, stat.st_mtime_ns))
        return found
