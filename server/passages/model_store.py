"""Files of models that are stored so that they can write the same text again.

While a run trains, the model that wrote a passage soon exists nowhere else: the best model is
replaced, and snapshots are thinned. So the models of saved and of shared passages are stored in the
directory of their run, each under its fingerprint (see `checkpoints.fingerprint`). A model is
stored once, however many passages it wrote.

A draft model wrote a passage for the operator recently. It is stored when the passage is saved, and
deleted otherwise.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from server.files.durable import copy_durably

__all__ = ["ModelStore", "StoredModel"]

DIRECTORY, DRAFTS = "models", "held"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """The file of a stored model."""

    run: str
    fingerprint: str
    bytes: int
    stored_at_ns: int


class ModelStore:
    """The stored models of all runs.

    The files are the only state. The methods block on the disk: call them in a thread.

    Parameters
    ----------
    runs_dir : pathlib.Path
        The parent of the runs' directories.
    max_models, max_bytes : int
        Maximum number of stored models, and their maximum total size.
    """

    def __init__(self, runs_dir: Path, max_models: int, max_bytes: int) -> None:
        self._runs_dir = runs_dir
        self._max_models = max_models
        self._max_bytes = max_bytes

    def delete_drafts(self) -> None:
        """Delete the draft models and the incomplete files of an earlier server."""
        for directory in self._runs_dir.glob(f"*/{DIRECTORY}"):
            shutil.rmtree(directory / DRAFTS, ignore_errors=True)
            for path in directory.glob(".*"):
                path.unlink(missing_ok=True)

    def path(self, run: str, fingerprint: str) -> Path:
        """Return where a model is or would be stored."""
        return self._runs_dir / run / DIRECTORY / f"{fingerprint}.npz"

    def draft_directory(self, run: str) -> Path:
        """Return the directory of a run's draft models, created if necessary.

        Raises
        ------
        FileNotFoundError
            The run was deleted.
        """
        directory = self._runs_dir / run / DIRECTORY
        for each in (directory, directory / DRAFTS):
            each.mkdir(exist_ok=True)
        return directory / DRAFTS

    def find(self, run: str, fingerprint: str) -> Path | None:
        """Return the file of a stored or draft model, or None."""
        paths = (self.path(run, fingerprint), self._draft_path(run, fingerprint))
        return next((path for path in paths if path.exists()), None)

    def fits(self, size_bytes: int) -> bool:
        """Whether a model of this size could be stored; if not, no draft is made of it."""
        return size_bytes <= self._max_bytes

    def retain_drafts(
        self, models: Sequence[tuple[str, str]], expired: Iterable[tuple[str, str]]
    ) -> None:
        """Delete expired draft models, and the oldest that exceed the maximum size.

        Drafts in neither argument stay: a passage may be in progress with them.

        Parameters
        ----------
        models : sequence of (str, str)
            Run and fingerprint of the drafts to retain, newest first.
        expired : iterable of (str, str)
            Run and fingerprint of the drafts to delete.
        """
        bytes_left = self._max_bytes
        for path in [self._draft_path(*model) for model in models]:
            bytes_left -= path.stat().st_size if path.exists() else 0
            if bytes_left < 0:
                path.unlink(missing_ok=True)
        for model in expired:
            self._draft_path(*model).unlink(missing_ok=True)

    def delete_drafts_except(self, run: str, known: AbstractSet[str]) -> None:
        """Delete the draft models of a run whose passages were cancelled before they were drafts.

        Parameters
        ----------
        run : str
            A run for which no passage is in progress.
        known : set of str
            The fingerprints of its drafts.
        """
        for path in (self._runs_dir / run / DIRECTORY / DRAFTS).glob("*.npz"):
            if path.stem not in known:
                path.unlink(missing_ok=True)

    def store(
        self, run: str, fingerprint: str, source: Path, required: AbstractSet[tuple[str, str]]
    ) -> bool:
        """Store a model; if there is no space, delete the oldest that no saved passage requires.

        Parameters
        ----------
        run, fingerprint : str
            The model.
        source : pathlib.Path
            Its present file.
        required : set of (str, str)
            Run and fingerprint of the models of saved passages.

        Returns
        -------
        bool
            False if there is no space, or if the source has been deleted.
        """
        target = self.path(run, fingerprint)
        if target.exists():
            target.touch()  # Makes it the newest, so that it is deleted last.
            return True
        try:
            size_bytes = source.stat().st_size
        except FileNotFoundError:
            return False
        stored = sorted(self._list(), key=lambda model: model.stored_at_ns)
        surplus = []
        while (
            len(stored) >= self._max_models
            or sum(model.bytes for model in stored) + size_bytes > self._max_bytes
        ):
            oldest = next((m for m in stored if (m.run, m.fingerprint) not in required), None)
            if oldest is None:
                return False
            stored.remove(oldest)
            surplus.append(oldest)
        for model in surplus:
            self.path(model.run, model.fingerprint).unlink(missing_ok=True)
        copy_durably(source, target)
        return True

    def _draft_path(self, run: str, fingerprint: str) -> Path:
        return self._runs_dir / run / DIRECTORY / DRAFTS / f"{fingerprint}.npz"

    def _list(self) -> list[StoredModel]:
        found = []
        for path in self._runs_dir.glob(f"*/{DIRECTORY}/[!.]*.npz"):
            stat = path.stat()
            run = path.parent.parent.name
            found.append(StoredModel(run, path.stem, stat.st_size, stat.st_mtime_ns))
        return found
