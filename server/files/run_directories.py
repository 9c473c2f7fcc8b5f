"""The directory of each run, created and deleted so that a crash leaves no trace of half a run."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from server.files.durable import make_directory, sync_directory

__all__ = ["RUNS", "RunDirectories"]

ID = re.compile(r"[0-9a-f]{12}")
DELETED_PREFIX = ".deleted-"
RUNS = "runs"
"""The directory of all runs in a data directory."""


class RunDirectories:
    """The directories of all runs.

    A run is deleted in three steps: its directory is renamed, which begins the deletion; the
    contents are deleted, and then the run's rows in the database; last the renamed directory. A
    server that starts finishes the deletions that an earlier one has begun.

    Parameters
    ----------
    root : pathlib.Path
        Where they are; created if needed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        make_directory(root)

    def checkpoints(self, run: str) -> Path:
        """Return the directory of a run's checkpoints."""
        return self._root / run / "checkpoints"

    def create(self, run: str) -> None:
        """Create the directory of a run; durable."""
        self.checkpoints(run).mkdir(parents=True)
        sync_directory(self._root / run)
        sync_directory(self._root)

    def move_in(self, run: str, directory: Path) -> None:
        """Make a directory the one of a new run; durable."""
        directory.rename(self._root / run)
        sync_directory(self._root)

    def remove(self, run: str) -> None:
        """Remove the directory of a run that could not be created."""
        shutil.rmtree(self._root / run, ignore_errors=True)

    def begin_deletion(self, run: str) -> None:
        """Begin the deletion of a run; durable, and possible on a full disk.

        Raises
        ------
        OSError
            The directory cannot be renamed; nothing has changed.
        """
        renamed = self._renamed(run)
        try:
            (self._root / run).rename(renamed)
        except FileNotFoundError:
            # Someone has deleted it by hand.
            renamed.mkdir(exist_ok=True)
        sync_directory(self._root)

    def delete_contents(self, run: str) -> None:
        """Delete the contents of a deleted run's directory, but not the directory itself."""
        for path in self._renamed(run).iterdir():
            shutil.rmtree(path, ignore_errors=True)

    def finish_deletion(self, run: str) -> None:
        """Delete the directory, once the run is deleted from the database, too."""
        shutil.rmtree(self._renamed(run), ignore_errors=True)

    def unfinished_deletions(self) -> list[str]:
        """Return the runs whose deletion has begun."""
        return [
            path.name.removeprefix(DELETED_PREFIX) for path in self._root.glob(f"{DELETED_PREFIX}*")
        ]

    def delete_orphans(self, runs: set[str]) -> None:
        """Delete the directories of all runs but these: they were being created in a crash."""
        for path in self._root.iterdir():
            if ID.fullmatch(path.name) and path.name not in runs:
                with contextlib.suppress(OSError):
                    shutil.rmtree(path)

    def _renamed(self, run: str) -> Path:
        return self._root / f"{DELETED_PREFIX}{run}"
