"""The response to a request that the end of the server cancels."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.web.http.problems import problem

__all__ = ["ShutdownResponse"]


class ShutdownResponse:
    """ASGI middleware: answers requests that are cancelled because the server ends with 503.

    Parameters
    ----------
    app : ASGI application
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if started:
                raise
            detail = "The server was stopped before it had completed the request."
            await problem(503, detail)(scope, receive, send)
