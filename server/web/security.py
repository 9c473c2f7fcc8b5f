"""Who may reach the server, and who may change anything.

On a loopback address only this machine can connect, but so can every page that its browser shows;
hence the checks of Host (against DNS rebinding) and Origin (against other sites). On any other
address viewers look, and only who shows the operator's token changes anything.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.settings import Settings
from server.web.problems import problem

__all__ = ["BodyLimit", "Guard", "is_operator"]

COOKIE = "hurrah-operator"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Middleware: refuses who must not come in, and puts the security headers on every answer.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    settings : Settings
        Where it listens, under which names, and the operator's token.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._token = settings.token()
        self._names = {"localhost", *(name.lower() for name in settings.allowed_hosts)}
        if not _is_address(settings.host):
            self._names.add(settings.host.lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal = self._refusal(connection)
        scope["operator"] = self._may_operate(connection)
        if refusal is None and scope["type"] == "http":
            refusal = (
                self._exchange(connection)
                or self._viewer_refusal(scope)
                or _kind_refusal(connection)
            )
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                # Closing before accepting is answered with 403.
                await send({"type": "websocket.close", "code": 1008})
            return
        await (refusal or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        host = connection.headers.get("host", "")
        if not self._knows(host):
            return problem(403, f"The server does not answer to the name {host!r}.")
        # Browsers send Origin with every WebSocket and every request that can change something.
        origin = connection.headers.get("origin")
        changing = connection.scope["type"] == "websocket" or _changes(connection.scope)
        if origin is not None and changing and not _same(origin, host):
            return problem(403, "Requests from other sites are refused.")
        return None

    def _knows(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, _ = parts.hostname, parts.port
        except ValueError:
            return False
        if name is None or parts.username is not None or parts.netloc != host:
            return False
        # A rebound name is still a name: who asks for a bare address was not led here by DNS.
        if _is_address(name):
            return not self._settings.on_loopback or ipaddress.ip_address(name).is_loopback
        return name.lower() in self._names

    # -- the operator -----------------------------------------------------------------------------

    def _may_operate(self, connection: HTTPConnection) -> bool:
        if self._token is None:
            return True
        shown = _cookie(connection.headers)
        authorization = connection.headers.get("authorization", "")
        if authorization.lower().startswith("bearer "):
            shown = authorization[7:].strip()
        return self._is_token(shown)

    def _is_token(self, shown: str) -> bool:
        return self._token is not None and secrets.compare_digest(
            shown.encode(errors="replace"), self._token.encode()
        )

    def _exchange(self, connection: HTTPConnection) -> Response | None:
        """Take a token out of the address, where it would be seen and kept, into a cookie."""
        query = parse_qsl(
            connection.scope["query_string"].decode("latin-1"), keep_blank_values=True
        )
        shown = dict(query).get("token")
        if shown is None or connection.scope["method"] != "GET" or connection.url.path != "/":
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        answer = RedirectResponse("/" + (f"?{rest}" if rest else ""), 303)
        if self._is_token(shown):
            answer.set_cookie(COOKIE, shown, httponly=True, samesite="strict", path="/")
        return answer

    def _viewer_refusal(self, scope: Scope) -> Response | None:
        # Asking for a passage or a proof is a POST that changes nothing.
        asks_only = scope["method"] == "POST" and (
            scope["path"].endswith("/passages") or scope["path"].startswith("/api/gradient-check")
        )
        if scope["operator"] or asks_only or not _changes(scope):
            return None
        return problem(
            401,
            "Only the operator may change things here: open the link that the server printed.",
            headers={"WWW-Authenticate": "Bearer"},
        )


class BodyLimit:
    """Middleware: counts a request's body as it comes, and ends one that is too large.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    settings : Settings
        The limits.
    """

    # What multipart puts around the file.
    ENVELOPE_BYTES = 10_000
    # How many times the limit is still read, and thrown away, before the connection is cut.
    PATIENCE = 10

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == "/api/corpora":
            limit = self._settings.max_upload_bytes
            allowed = limit + self.ENVELOPE_BYTES
        else:
            limit = allowed = self._settings.max_request_bytes
        refusal = problem(413, f"The limit is {limit:,} bytes.", headers={"Connection": "close"})
        seen = 0
        ended = False

        async def counted() -> Message:
            nonlocal seen, ended
            message = await receive()
            seen += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if seen > allowed:
                raise _TooLargeError
            return message

        async def unless_too_large(message: Message) -> None:
            # Whatever the application makes of a body that broke off, it is not the answer.
            if seen <= allowed:
                await send(message)

        with contextlib.suppress(_TooLargeError):
            await self._app(scope, counted, unless_too_large)
        if seen > allowed:
            # A client that is still sending when the connection closes never sees the answer.
            while not ended and seen < allowed * self.PATIENCE:
                with contextlib.suppress(_TooLargeError):
                    await counted()
            await refusal(scope, receive, send)


class _TooLargeError(Exception):
    """The body is larger than allowed."""


def _kind_refusal(connection: HTTPConnection) -> Response | None:
    """Refuse bodies that are not JSON, which is what a form on another site could send."""
    headers = connection.headers
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if not _changes(connection.scope) or not has_body:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    wanted = "application/json"
    if connection.scope["path"] == "/api/corpora":
        wanted = "multipart/form-data"
    if kind == wanted:
        return None
    return problem(415, f"The request's body must be {wanted}, not {kind or 'of no kind'}.")


def is_operator(connection: HTTPConnection) -> bool:
    """Whether who asks may change things."""
    return bool(connection.scope["operator"])


def _changes(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] not in SAFE_METHODS


def _same(origin: str, host: str) -> bool:
    parts = urlsplit(origin)
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _cookie(headers: Headers) -> str:
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
