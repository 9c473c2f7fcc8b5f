"""Cancellation of a request's work when its client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.web.security.auth import changes_nothing

__all__ = ["RequestCancellation"]


class RequestCancellation:
    """ASGI middleware: cancels a request that changes nothing when its client disconnects.

    A request for a change is carried out even if the client does not wait for the response. A
    request of the method HEAD is passed on as GET, and cancelled once the headers are sent.

    Parameters
    ----------
    app : ASGI application
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or not changes_nothing(scope):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        response = asyncio.create_task(self._respond(exchange))
        exchange.cancel = response.cancel
        watch = asyncio.create_task(exchange.watch())
        try:
            await asyncio.wait({response})
        finally:
            watch.cancel()
            response.cancel()
            await asyncio.wait({response, watch})
        if not response.cancelled():
            response.result()

    async def _respond(self, exchange: _Exchange) -> None:
        await self._app(exchange.scope, exchange.receive, exchange.send)


class _Exchange:
    """A request and its response, as the application sees them.

    Attributes
    ----------
    scope : dict
        The request.
    cancel : callable
        Called when the response is no longer needed.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._only_headers = scope["method"] == "HEAD"
        self.scope = {**scope, "method": "GET"} if self._only_headers else scope
        self.cancel: Callable[[], object] = lambda: None
        self._receive = receive
        self._send = send
        headers = Headers(scope=scope)
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._body_received = asyncio.Event()
        self._body_passed = False
        if not has_body:
            self._body_received.set()
        self._responded = False
        self._disconnected = asyncio.Event()

    async def receive(self) -> Message:
        """Return the next part of the body, or the disconnection once there is one."""
        if not self._body_received.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                self._body_passed = True
                self._body_received.set()
            return message
        if not self._body_passed:
            self._body_passed = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a message of the response."""
        if not self._only_headers:
            ends = message["type"] == "http.response.body" and not message.get("more_body", False)
            self._responded = self._responded or ends
            await self._send(message)
        elif not self._responded:
            self._responded = True
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            self.cancel()

    async def watch(self) -> None:
        """Cancel the response if the client disconnects."""
        # Until then, the application receives the disconnection.
        await self._body_received.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._disconnected.set()
        # A complete response is followed by a disconnection, too.
        if not self._responded:
            self.cancel()
