"""A response with the contents of an open file, which may have been unlinked."""

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
    """Starlette's `FileResponse`, range requests included, reading from a file descriptor.

    Parameters
    ----------
    file : OpenFile
        The file, which must stay open until the response is sent.
    filename : str
        The name under which the client saves it.
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
        yield _DescriptorReader(self._file.descriptor)


class _DescriptorReader:
    """Reads from a shared file descriptor at a position of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    async def seek(self, position: int) -> None:
        """Set the position of the next read."""
        self._position = position

    async def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the file."""
        # Cancelling does not interrupt the thread: the file is open until the read has returned.
        data = await run_in_threadpool(os.pread, self._descriptor, size, self._position)
        self._position += len(data)
        return data
