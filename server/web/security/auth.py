"""Operators and viewers: who may change runs.

Without a token everyone who can reach the server is the operator. With a token everyone may watch,
and changes need the token.
"""

from __future__ import annotations

import hmac
import html
import re
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from server.web.http.problems import problem
from server.web.security.origin_check import changes_state, is_same_site, port_of

__all__ = ["OperatorAuth", "changes_nothing", "is_operator", "viewer_refusal"]

# POST requests that change nothing.
VIEWER_POSTS = re.compile(
    r"/api/runs/[^/]+/(passages|own-losses|probe(/history)?|units/spans|intervention)"
    r"|/api/gradient-check(/steps)?|/api/course/(answer|mistakes)"
)
# POST requests of everyone that change a game alone; those of its presenter need its key.
GAME_POSTS = re.compile(r"/api/games/[^/]+/(players|answers|start-round|end-round)")
# Further POST requests that change nothing, for the operator alone.
OPERATOR_POSTS = re.compile(r"/api/estimate|/api/parameters")
# Programs request these paths, and send the token in a header.
NON_PAGE_PREFIXES = ("/api/", "/static/", "/vendor/", "/ws/")


def is_operator(connection: HTTPConnection) -> bool:
    """Whether a request comes from the operator, as `SecurityMiddleware` found."""
    return bool(connection.scope["operator"])


def changes_nothing(scope: Scope) -> bool:
    """Whether an HTTP request only reads or computes something."""
    posts = (VIEWER_POSTS, OPERATOR_POSTS)
    return not changes_state(scope) or (
        scope["method"] == "POST" and any(each.fullmatch(scope["path"]) for each in posts)
    )


def viewer_refusal(scope: Scope) -> Response | None:
    """Return the error response to a viewer's request for a change, None to any other request."""
    posts = (VIEWER_POSTS, GAME_POSTS)
    allowed = scope["method"] == "POST" and any(each.fullmatch(scope["path"]) for each in posts)
    if scope["operator"] or allowed or not changes_state(scope):
        return None
    return problem(
        401,
        "Only the operator may make changes: open the link that the server printed.",
        headers={"WWW-Authenticate": "Bearer"},
    )


class OperatorAuth:
    """Recognises the operator by a bearer token, or by a cookie derived from it.

    Parameters
    ----------
    token : str or None
        The operator token. None: every request is the operator's.
    root_path : str
        The prefix of all addresses; "" for none.
    """

    def __init__(self, token: str | None, root_path: str) -> None:
        self._root_path = root_path
        self._token = None if token is None else token.encode()
        # Derived from the token, so that a stolen cookie does not reveal the token. It is valid on
        # this server alone, and is ASCII whatever the token is.
        self._cookie_value = b""
        if self._token is not None:
            digest = hmac.digest(self._token, b"hurrah operator's cookie", "sha256")
            self._cookie_value = digest.hex().encode()

    def accepts(self, connection: HTTPConnection) -> bool:
        """Whether a request is the operator's."""
        if self._token is None:
            return True
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(token.strip(" \t").encode("latin-1"))
        values = _cookie_values(connection.headers, _cookie_name(connection))
        return any(
            hmac.compare_digest(value.encode("latin-1"), self._cookie_value) for value in values
        )

    def token_to_cookie(self, connection: HTTPConnection) -> Response | None:
        """Move a token from a page's address into a cookie.

        Addresses appear in the browser's history and in screenshots.

        Returns
        -------
        Response or None
            A redirect to the address without the token. It sets the cookie if the token is right.
            None if the request is not for a page, or has no token in its address.
        """
        path: str = connection.scope["path"]
        if connection.scope["method"] != "GET" or path.startswith(NON_PAGE_PREFIXES):
            return None
        query = parse_qsl(
            connection.scope["query_string"].decode("latin-1"), keep_blank_values=True
        )
        token = dict(query).get("token")
        if token is None:
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        # A single leading slash keeps the redirect on this server, whatever follows it.
        page = quote(path.lstrip("/\\"))
        address = f"{self._root_path}/{page}"
        response = _redirect(connection, address + (f"?{rest}" if rest else ""))
        if self._is_token(token.encode(errors="replace")):
            response.set_cookie(
                _cookie_name(connection),
                self._cookie_value.decode(),
                httponly=True,
                samesite="strict",
                secure=connection.url.scheme == "https",
                path=self._root_path or "/",
            )
        return response

    def _is_token(self, token: bytes) -> bool:
        return self._token is not None and hmac.compare_digest(token, self._token)


def _redirect(connection: HTTPConnection, address: str) -> Response:
    if is_same_site(connection):
        return RedirectResponse(address, 303)
    # After a link from another site, browsers withhold a strict cookie even from the redirect, so
    # the operator would be a viewer until the next reload. A page that refreshes is not affected.
    page = f'<!doctype html><title>Hurrah</title><a href="{html.escape(address)}">Hurrah</a>'
    return HTMLResponse(page, headers={"Refresh": f"0; url={address}"})


def _cookie_name(connection: HTTPConnection) -> str:
    # Browsers store cookies by host alone, so two servers on one machine would share the name.
    port = port_of(connection)
    return f"hurrah-operator-{port}" if port else "hurrah-operator"


def _cookie_values(headers: Headers, name: str) -> list[str]:
    """Return the values of all cookies with a name.

    Python's own parser stops at the first malformed cookie. Such a cookie may have been set by
    another server of the same machine, at another port.
    """
    pairs = ";".join(headers.getlist("cookie")).split(";")
    found = (pair.strip(" \t").partition("=") for pair in pairs)
    return [value.strip('"') for key, _, value in found if key == name]
