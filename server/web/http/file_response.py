"""Sending a file that is open, and may have no name any more."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from server.runs.downloads import OpenFile

__all__ = ["OpenFileResponse"]


class OpenFileResponse(FileResponse):
    """Starlette's own, parts of a file and all, but for where the bytes come from.

    Parameters
    ----------
    file : OpenFile
        It has to stay open until the answer is sent.
    filename : str
        What to call it where it is kept.
    """

    def __init__(self, file: OpenFile, filename: str) -> None:
        super().__init__(
            filename,
            filename=filename,
            media_type="application/octet-stream",
            stat_result=file.status,
        )
        self._file = file

    @contextlib.asynccontextmanager
    async def _open_file(self) -> AsyncIterator[Any]:
        yield _Reader(self._file.descriptor)


class _Reader:
    """A place of one's own in a file that others read as well."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    async def seek(self, position: int) -> None:
        """Read on from there."""
        self._position = position

    async def read(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end."""
        # A thread that reads is waited for even by who is cancelled: until then it must be open.
        found = await run_in_threadpool(os.pread, self._descriptor, size, self._position)
        self._position += len(found)
        return found
