"""The checks that every request passes before it reaches a route."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.settings import Settings
from server.web.security.auth import OperatorAuth, viewer_refusal
from server.web.security.origin_check import OriginCheck, content_type_refusal
from server.web.security.security_headers import add_security_headers

__all__ = ["SecurityMiddleware"]


class SecurityMiddleware:
    """ASGI middleware: checks Host, Origin and operator token, and adds the security headers.

    It sets ``scope["operator"]`` for the application.

    Parameters
    ----------
    app : ASGI application
        The application behind the checks.
    settings : Settings
        The listening address, the accepted host names and the operator token.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._auth = OperatorAuth(settings.token(), settings.root_path)
        self._origin_check = OriginCheck(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with an error."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal = self._origin_check.refusal(connection)
        scope["operator"] = self._auth.accepts(connection)
        if scope["type"] == "websocket":
            # A response instead of an acceptance: the connection never becomes a WebSocket.
            await (refusal or self._app)(scope, receive, send)
            return
        if refusal is None:
            refusal = (
                self._auth.token_to_cookie(connection)
                or viewer_refusal(scope)
                or content_type_refusal(connection)
            )
        await (refusal or self._app)(scope, receive, _with_security_headers(send))


def _with_security_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            add_security_headers(MutableHeaders(scope=message))
        await send(message)

    return send_with_headers
