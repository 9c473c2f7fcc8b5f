"""The folder of each run: made with it, and gone with it, whenever the process may die."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from server.files.durable import make_folder, sync_folder

__all__ = ["RunDirectories"]

ID = re.compile(r"[0-9a-f]{12}")
DOOMED = ".deleted-"


class RunDirectories:
    """The folders of all runs.

    Parameters
    ----------
    root : pathlib.Path
        Where they are; made when it is not there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        make_folder(root)

    def checkpoints(self, run: str) -> Path:
        """Return where the checkpoints of a run are."""
        return self._root / run / "checkpoints"

    def make(self, run: str) -> None:
        """Make the folder of a run; durable."""
        self.checkpoints(run).mkdir(parents=True)
        sync_folder(self._root / run)
        sync_folder(self._root)

    def remove(self, run: str) -> None:
        """Remove the folder of a run that nobody was told of."""
        shutil.rmtree(self._root / run, ignore_errors=True)

    def doom(self, run: str) -> None:
        """Mark a run as deleted; durable, and possible on a full disk.

        Raises
        ------
        OSError
            It can't be marked; nothing has changed.
        """
        doomed = self._doomed(run)
        try:
            (self._root / run).rename(doomed)
        except FileNotFoundError:
            # Somebody was faster, by hand.
            doomed.mkdir(exist_ok=True)
        sync_folder(self._root)

    def clear(self, run: str) -> None:
        """Remove what a deleted run kept, but not the mark that it is deleted."""
        for path in self._doomed(run).iterdir():
            shutil.rmtree(path, ignore_errors=True)

    def forget(self, run: str) -> None:
        """Remove the mark: nobody remembers the run any more."""
        shutil.rmtree(self._doomed(run), ignore_errors=True)

    def doomed(self) -> list[str]:
        """Return the runs that were deleted, and of which something may be left."""
        return [path.name.removeprefix(DOOMED) for path in self._root.glob(f"{DOOMED}*")]

    def keep_only(self, runs: set[str]) -> None:
        """Remove the folders of runs that were being made when the server died."""
        for path in self._root.iterdir():
            if ID.fullmatch(path.name) and path.name not in runs:
                with contextlib.suppress(OSError):
                    shutil.rmtree(path)

    def _doomed(self, run: str) -> Path:
        return self._root / f"{DOOMED}{run}"
