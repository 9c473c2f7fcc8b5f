"""Who may reach the server, and who may change anything.

On a loopback address only this machine can connect, but so can every page that its browser shows;
hence the checks of Host (against DNS rebinding) and Origin (against other sites). On any other
address viewers look, and only who shows the operator's token changes anything.
"""

from __future__ import annotations

import hmac
import html
import ipaddress
import re
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.settings import Settings
from server.web.headers import complete
from server.web.problems import NOTHING_HERE, problem

__all__ = ["Guard", "is_operator"]

# Written out, because Python's own parser of addresses takes "[::1].evil.example" for "::1".
HOST = re.compile(
    r"""(?: \[ (?P<address> [0-9A-Fa-f:.]+ ) (?: %[\w.~%-]+ )? \] | (?P<name> [\w.-]+ ) )
    (?: : (?P<port> [0-9]{0,5} ) )?""",
    re.ASCII | re.VERBOSE,
)
GREATEST_PORT = 65_535
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# What the browser says of requests that another site's page did not make.
OWN_SITES = {"same-origin", "none"}
WATCHING = re.compile(r"/ws/runs/[^/]+")
ASKING = re.compile(r"/api/runs/[^/]+/passages|/api/gradient-check(/steps)?")
# So many may look on with the operator's token when the places for all are taken.
OPERATOR_PLACES = 16
# Addresses that a program asks for: it shows the token in a header.
NO_PAGES = ("/api/", "/static/", "/vendor/", "/ws/")


class Guard:
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

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        hosts = connection.headers.getlist("host")
        host = hosts[0] if len(hosts) == 1 else ""
        if not self._knows(host):
            return problem(
                403,
                f"The server does not answer to the name {host!r}: HURRAH_ALLOWED_HOSTS tells it"
                " to.",
            )
        if _is_led_here(connection) or _changes_elsewhere(connection, host):
            return problem(403, "Requests from other sites are refused.")
        return None

    def _knows(self, host: str) -> bool:
        parts = HOST.fullmatch(host)
        if parts is None or int(parts["port"] or 0) > GREATEST_PORT:
            return False
        name = parts["address"] or parts["name"]
        # A rebound name is still a name: who asks for a bare address was not led here by DNS.
        if _is_address(name):
            return not self._settings.on_loopback or ipaddress.ip_address(name).is_loopback
        return parts["name"] is not None and name.lower().removesuffix(".") in self._names


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
    if scope["operator"] or asks_only or not _changes(scope):
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
    if not _changes(connection.scope) or not has_body:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    wanted = "application/json"
    if connection.scope["path"] == "/api/corpora":
        wanted = "multipart/form-data"
    if kind == wanted:
        return None
    return problem(415, f"The request's body must be {wanted}, not {kind or 'of no kind'}.")


def _is_led_here(connection: HTTPConnection) -> bool:
    """Whether another site's page made the browser ask, other than by a link to a page."""
    headers = connection.headers
    if headers.get("sec-fetch-site", "none").lower() in OWN_SITES:
        return False
    follows_link = (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )
    return not follows_link or connection.scope.get("method") not in SAFE_METHODS


def _changes_elsewhere(connection: HTTPConnection, host: str) -> bool:
    """Whether it is a change, or a WebSocket, that another site's page asks for."""
    # Browsers send Origin with every WebSocket and every request that can change something.
    origins = connection.headers.getlist("origin")
    changing = connection.scope["type"] == "websocket" or _changes(connection.scope)
    return changing and not all(_same(origin, host) for origin in origins)


def _changes(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] not in SAFE_METHODS


def _same(origin: str, host: str) -> bool:
    return origin.lower() in {f"http://{host}".lower(), f"https://{host}".lower()}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


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
