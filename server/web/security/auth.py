"""Who may reach the server, and who may change anything.

On a loopback address only this machine can connect, but so can every page that its browser shows;
hence the checks of Host (against DNS rebinding) and Origin (against other sites). On any other
address viewers look, and only who shows the operator's token changes anything.
"""

from __future__ import annotations

import hmac
import html
import re
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.settings import Settings
from server.web.http.problems import NOTHING_HERE, problem
from server.web.security.origin_check import HOST, OWN_SITES, OriginCheck, changes
from server.web.security.security_headers import complete

__all__ = ["SecurityMiddleware", "is_operator"]

WATCHING = re.compile(r"/ws/runs/[^/]+")
ASKING = re.compile(r"/api/runs/[^/]+/passages|/api/gradient-check(/steps)?")
# So many may look on with the operator's token when the places for all are taken.
OPERATOR_PLACES = 16
# Addresses that a program asks for: it shows the token in a header.
NO_PAGES = ("/api/", "/static/", "/vendor/", "/ws/")


class SecurityMiddleware:
    """Middleware: refuses who must not come in, and puts the security headers on every answer.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    settings : Settings
        Where it listens, under which names, the operator's token, and how many may look on.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._operator = Operator(settings.token())
        self._viewers = 0
        self._origin_check = OriginCheck(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal = self._origin_check.refusal(connection)
        scope["operator"] = self._operator.is_shown_by(connection)
        if scope["type"] == "websocket":
            await self._let_look(refusal, scope, receive, send)
            return
        if refusal is None:
            refusal = (
                self._operator.exchange(connection)
                or _viewer_refusal(scope)
                or _kind_refusal(connection)
            )
        if scope["method"] == "HEAD":
            # Answered as GET is; the protocol, which knows better, leaves the body away.
            scope = {**scope, "method": "GET"}
        await (refusal or self._app)(scope, receive, _with_headers(send))

    async def _let_look(
        self, refusal: Response | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        most = self._settings.max_viewers
        spare = OPERATOR_PLACES if self._operator.is_told_apart and scope["operator"] else 0
        if refusal is None and WATCHING.fullmatch(scope["path"]) is None:
            refusal = problem(404, NOTHING_HERE)
        if refusal is None and self._viewers >= most + spare:
            refusal = problem(
                429, f"The limit is {most:,} viewers at once.", headers={"Retry-After": "15"}
            )
        self._viewers += 1
        try:
            # An answer in place of accepting: the connection never becomes a WebSocket.
            await (refusal or self._app)(scope, receive, send)
        finally:
            self._viewers -= 1


class Operator:
    """Who may change things: whoever shows the token, where there is one.

    Parameters
    ----------
    token : str or None
        None: everybody who can reach the server.
    """

    def __init__(self, token: str | None) -> None:
        self._token = None if token is None else token.encode()
        # What the browser keeps is made of the token, and is not the token: it can be shown here
        # alone, and is plain ASCII whatever the token is.
        self._pass = b""
        if self._token is not None:
            digest = hmac.digest(self._token, b"hurrah operator's cookie", "sha256")
            self._pass = digest.hex().encode()

    @property
    def is_told_apart(self) -> bool:
        """Whether there is anybody who is not the operator."""
        return self._token is not None

    def is_shown_by(self, connection: HTTPConnection) -> bool:
        """Whether a request may change things."""
        if self._token is None:
            return True
        kind, _, shown = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._is_token(shown.strip(" \t").encode("latin-1"))
        kept = _cookies(connection.headers, _cookie_name(connection))
        return any(hmac.compare_digest(each.encode("latin-1"), self._pass) for each in kept)

    def exchange(self, connection: HTTPConnection) -> Response | None:
        """Take a token out of a page's address, where it would be seen and kept, into a cookie."""
        path: str = connection.scope["path"]
        if connection.scope["method"] != "GET" or path.startswith(NO_PAGES):
            return None
        query = parse_qsl(
            connection.scope["query_string"].decode("latin-1"), keep_blank_values=True
        )
        shown = dict(query).get("token")
        if shown is None:
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        # With one slash in front it is an address on this server, whatever follows.
        clean = "/" + quote(path.lstrip("/\\"))
        answer = _going_on(connection, clean + (f"?{rest}" if rest else ""))
        if self._is_token(shown.encode(errors="replace")):
            answer.set_cookie(
                _cookie_name(connection),
                self._pass.decode(),
                httponly=True,
                samesite="strict",
                secure=connection.url.scheme == "https",
                path="/",
            )
        return answer

    def _is_token(self, shown: bytes) -> bool:
        return self._token is not None and hmac.compare_digest(shown, self._token)


def _going_on(connection: HTTPConnection, address: str) -> Response:
    """Return what leads the browser to an address of this server."""
    if connection.headers.get("sec-fetch-site", "none").lower() in OWN_SITES:
        return RedirectResponse(address, 303)
    # To a page that another site's link led to, redirects included, a browser does not show a
    # strict cookie, and its reader would be a viewer until the next reload. So this page, which has
    # nothing else to say, leads there itself.
    page = f'<!doctype html><title>Hurrah</title><a href="{html.escape(address)}">Hurrah</a>'
    return HTMLResponse(page, headers={"Refresh": f"0; url={address}"})


def is_operator(connection: HTTPConnection) -> bool:
    """Whether who asks may change things."""
    return bool(connection.scope["operator"])


def _viewer_refusal(scope: Scope) -> Response | None:
    # Asking for a passage or a proof is a POST that changes nothing.
    asks_only = scope["method"] == "POST" and ASKING.fullmatch(scope["path"]) is not None
    if scope["operator"] or asks_only or not changes(scope):
        return None
    return problem(
        401,
        "Only the operator may change things here: open the link that the server printed.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _kind_refusal(connection: HTTPConnection) -> Response | None:
    """Refuse bodies that are not JSON, which is what a form on another site could send."""
    headers = connection.headers
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if not changes(connection.scope) or not has_body:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    wanted = "application/json"
    if connection.scope["path"] == "/api/corpora":
        wanted = "multipart/form-data"
    if kind == wanted:
        return None
    return problem(415, f"The request's body must be {wanted}, not {kind or 'of no kind'}.")


def _cookie_name(connection: HTTPConnection) -> str:
    # Browsers keep cookies by host alone: two servers on one machine would share them.
    parts = HOST.fullmatch(connection.headers.get("host", ""))
    port = "" if parts is None else parts["port"]
    return f"hurrah-operator-{port}" if port else "hurrah-operator"


def _cookies(headers: Headers, name: str) -> list[str]:
    """Return the values that are shown under a name.

    Other servers of this machine, at other ports, may have had the browser keep anything beside it:
    Python's own parser gives up at the first cookie that is not as it should be.
    """
    pairs = ";".join(headers.getlist("cookie")).split(";")
    found = (pair.strip(" \t").partition("=") for pair in pairs)
    return [value.strip('"') for key, _, value in found if key == name]


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            complete(MutableHeaders(scope=message))
        await send(message)

    return sending
