"""How large a request's body may be, and how long it may take to come."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.settings import Settings
from server.web.http.problems import problem

__all__ = ["BodyLimit"]

# What multipart puts around the file.
ENVELOPE_BYTES = 10_000
# What may lie here of all bodies together, waiting for the rest of each; uploads lie on the disk.
MAX_HELD_BYTES = 64_000_000
# How many times the limit is still read, and thrown away, before the connection is cut.
PATIENCE = 10


class BodyLimit:
    """Middleware: counts a request's body as it comes, and ends one that is too large or slow.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    settings : Settings
        The limits.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._held = _Held()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 413 or 408."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        settings = self._settings
        if scope["path"] == "/api/corpora":
            body = _Body(receive, settings.max_upload_bytes, ENVELOPE_BYTES, _Held())
            body.give(settings.upload_timeout_s)
        else:
            most = settings.max_request_bytes
            if not scope["operator"]:
                most = min(most, settings.max_viewer_request_bytes)
            body = _Body(receive, most, 0, self._held)
            body.give(settings.request_timeout_s)

        async def unless_broken_off(message: Message) -> None:
            # Whatever the application makes of a body that broke off, it is not the answer.
            if body.wrong is None:
                await send(message)

        try:
            with contextlib.suppress(_BrokenOffError):
                await self._app(scope, body.receive, unless_broken_off)
        finally:
            body.let_go()
        if body.wrong is not None:
            status, detail = body.wrong
            await body.drain()
            more = {"Retry-After": "1"} if status == 429 else {}
            refusal = problem(status, detail, headers={"Connection": "close", **more})
            await refusal(scope, receive, send)


class _BrokenOffError(Exception):
    """The rest of the body is not waited for."""


@dataclass
class _Held:
    """How much lies here of all bodies together."""

    size_bytes: int = 0


class _Body:
    """A body as it comes."""

    def __init__(
        self, receive: Receive, limit_bytes: int, envelope_bytes: int, held: _Held
    ) -> None:
        self.wrong: tuple[int, str] | None = None
        self._receive = receive
        self._limit_bytes = limit_bytes
        self._allowed_bytes = limit_bytes + envelope_bytes
        self._seen_bytes = 0
        self._held = held
        self._held_bytes = 0
        self._ended = False
        self._patience_s = 0.0
        self._until_s = 0.0

    def give(self, patience_s: float) -> None:
        """Let it take so long from now on."""
        self._patience_s = patience_s
        self._until_s = time.monotonic() + patience_s

    async def receive(self) -> Message:
        """Return the next part."""
        message = await self._next()
        if self._seen_bytes > self._allowed_bytes:
            self.wrong = 413, f"The limit is {self._limit_bytes:,} bytes."
            raise _BrokenOffError
        came_bytes = len(message.get("body", b""))
        self._held_bytes += came_bytes
        self._held.size_bytes += came_bytes
        if self._held.size_bytes > MAX_HELD_BYTES:
            self.wrong = 429, f"The limit is {MAX_HELD_BYTES:,} bytes of requests at once."
            raise _BrokenOffError
        return message

    def let_go(self) -> None:
        """Hold nothing of it any more."""
        self._held.size_bytes -= self._held_bytes
        self._held_bytes = 0

    async def drain(self) -> None:
        """Read on for a while: a client that still sends never sees an answer before that."""
        with contextlib.suppress(_BrokenOffError):
            while not self._ended and self._seen_bytes < self._allowed_bytes * PATIENCE:
                await self._next()

    async def _next(self) -> Message:
        if self._ended:
            # Who waits for the client to leave, may do so for as long as the answer takes.
            return await self._receive()
        try:
            async with asyncio.timeout(self._until_s - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            self._ended = True
            self.wrong = 408, f"The request did not come within {self._patience_s:g} s."
            raise _BrokenOffError from None
        self._seen_bytes += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        return message
