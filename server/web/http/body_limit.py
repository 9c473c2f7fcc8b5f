"""Limits on the size of request bodies and on the time to send one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.analysis.course import MAX_ANSWER_BYTES
from server.analysis.own_losses import MAX_FILE_BYTES
from server.settings import Settings
from server.web.http.problems import problem
from server.web.security.origin_check import (
    ANSWER_PATH,
    IMPORT_PATH,
    OWN_LOSSES_PATH,
    UPLOAD_PATHS,
)

__all__ = ["BodyLimit"]

# The part of a multipart body around the file.
MULTIPART_OVERHEAD_BYTES = 10_000
# Bytes of incomplete bodies in memory, of all requests together. Uploads are written to disk.
MAX_BUFFERED_BYTES = 64_000_000
# A body over its limit is still read, and discarded, up to this multiple of the limit.
DRAIN_FACTOR = 10


class BodyLimit:
    """ASGI middleware: refuses request bodies that are too large (413) or too slow (408).

    Parameters
    ----------
    app : ASGI application
        The application behind the limits.
    settings : Settings
        The limits.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._buffered = _BufferedBytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 413, 408 or 429."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = self._limited_body(scope, receive)

        async def send_unless_refused(message: Message) -> None:
            # The application's response to an incomplete body is replaced by the refusal.
            if body.refusal is None:
                await send(message)

        try:
            with contextlib.suppress(_BodyRefusedError):
                await self._app(scope, body.receive, send_unless_refused)
        finally:
            body.release()
        if body.refusal is not None:
            status, detail = body.refusal
            await body.drain()
            retry = {"Retry-After": "1"} if status == 429 else {}
            response = problem(status, detail, headers={"Connection": "close", **retry})
            await response(scope, receive, send)

    def _limited_body(self, scope: Scope, receive: Receive) -> _LimitedBody:
        settings = self._settings
        if scope["path"] == ANSWER_PATH:
            return _LimitedBody(
                receive,
                MAX_ANSWER_BYTES,
                MULTIPART_OVERHEAD_BYTES,
                settings.request_timeout_s,
                self._buffered,
            )
        if scope["path"] in UPLOAD_PATHS:
            imports = scope["path"] == IMPORT_PATH
            # A text may be sent with a run.
            overhead = MULTIPART_OVERHEAD_BYTES + imports * settings.max_upload_bytes
            return _LimitedBody(
                receive,
                settings.max_import_bytes if imports else settings.max_upload_bytes,
                overhead,
                settings.upload_timeout_s,
                None,
            )
        if OWN_LOSSES_PATH.fullmatch(scope["path"]):
            return _LimitedBody(
                receive, MAX_FILE_BYTES, MULTIPART_OVERHEAD_BYTES, settings.upload_timeout_s, None
            )
        limit_bytes = settings.max_request_bytes
        if not scope["operator"]:
            limit_bytes = min(limit_bytes, settings.max_viewer_request_bytes)
        return _LimitedBody(receive, limit_bytes, 0, settings.request_timeout_s, self._buffered)


class _BodyRefusedError(Exception):
    """Ends the application's reading of a body that was refused."""


@dataclass
class _BufferedBytes:
    """The bytes in memory of all incomplete bodies together."""

    size_bytes: int = 0


class _LimitedBody:
    """The body of one request, counted as it arrives."""

    def __init__(
        self,
        receive: Receive,
        limit_bytes: int,
        overhead_bytes: int,
        timeout_s: float,
        buffered: _BufferedBytes | None,
    ) -> None:
        self.refusal: tuple[int, str] | None = None
        self._receive = receive
        self._limit_bytes = limit_bytes
        self._allowed_bytes = limit_bytes + overhead_bytes
        self._received_bytes = 0
        self._buffered = buffered
        self._own_buffered_bytes = 0
        self._complete = False
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s

    async def receive(self) -> Message:
        """Return the next part of the body."""
        message = await self._next()
        if self._received_bytes > self._allowed_bytes:
            self.refusal = 413, f"The limit is {self._limit_bytes:,} bytes."
            raise _BodyRefusedError
        if self._buffered is None:
            return message  # The application writes it to the disk.
        part_bytes = len(message.get("body", b""))
        self._own_buffered_bytes += part_bytes
        self._buffered.size_bytes += part_bytes
        if self._buffered.size_bytes > MAX_BUFFERED_BYTES:
            self.refusal = (
                429,
                f"The limit is {MAX_BUFFERED_BYTES:,} bytes of request bodies at once.",
            )
            raise _BodyRefusedError
        return message

    def release(self) -> None:
        """Subtract this body from the bytes in memory."""
        if self._buffered is not None:
            self._buffered.size_bytes -= self._own_buffered_bytes
        self._own_buffered_bytes = 0

    async def drain(self) -> None:
        """Read and discard more of the body: a client that still sends does not read a response."""
        with contextlib.suppress(_BodyRefusedError):
            while not self._complete and self._received_bytes < self._allowed_bytes * DRAIN_FACTOR:
                await self._next()

    async def _next(self) -> Message:
        if self._complete:
            # The application waits for the client to disconnect, for which there is no timeout.
            return await self._receive()
        try:
            async with asyncio.timeout(self._deadline_s - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            self._complete = True
            self.refusal = 408, f"The request did not arrive within {self._timeout_s:g} s."
            raise _BodyRefusedError from None
        self._received_bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message
