"""A response with the contents of an open file, which may have been unlinked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable

from server.runs.downloads import OpenFile
from server.web.http.problems import Problem

__all__ = ["RANGE_RESPONSES", "OpenFileResponse"]

PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
RANGE_RESPONSES: dict[int | str, dict[str, Any]] = {
    206: {"description": "The requested range."},
    400: {"description": "The Range header is malformed.", "content": PROBLEM},
    416: {"description": "The requested range is not in the file.", "content": PROBLEM},
}


class OpenFileResponse(FileResponse):
    """Starlette's `FileResponse`, range requests included, reading from a file descriptor.

    Parameters
    ----------
    file : OpenFile
        The file, which must stay open until the response is sent.
    filename : str
        The name under which the client saves it.
    media_type : str
        The type of its contents.
    """

    def __init__(
        self, file: OpenFile, filename: str, media_type: str = "application/octet-stream"
    ) -> None:
        super().__init__(
            filename,
            filename=filename,
            media_type=media_type,
            stat_result=file.status,
        )
        self._file = file

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        """Return the requested ranges; errors have the shape of all errors.

        Raises
        ------
        Problem
            400: the header is malformed. 416: a range is not in the file.
        """
        try:
            return super()._parse_range_header(http_range, file_size)
        except MalformedRangeHeader:
            raise Problem(400, "The Range header is malformed.") from None
        except RangeNotSatisfiable:
            raise Problem(
                416,
                f"The file has {file_size:,} bytes; the requested range is not in it.",
                {"Content-Range": f"bytes */{file_size}"},
            ) from None

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
