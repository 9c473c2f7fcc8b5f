"""Checks of a request's Host and Origin: against DNS rebinding and requests from other sites.

On a loopback address only this machine can connect, but so can every page that its browser shows.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from server.settings import Settings
from server.web.http.problems import problem

__all__ = [
    "ANSWER_PATH",
    "IMPORT_PATH",
    "OWN_LOSSES_PATH",
    "PARAMETER_PATHS",
    "UPLOAD_PATHS",
    "OriginCheck",
    "changes_state",
    "content_type_refusal",
    "is_same_site",
    "port_of",
]

IMPORT_PATH = "/api/runs/import"
PARAMETER_PATHS = {"/api/parameters", "/api/runs/from-parameters"}
ANSWER_PATH = "/api/course/answer"
UPLOAD_PATHS = {"/api/corpora", ANSWER_PATH, IMPORT_PATH, *PARAMETER_PATHS}
OWN_LOSSES_PATH = re.compile(r"/api/runs/[^/]+/own-losses")
"""Where a body is a form with a file."""

# Python's own parser of addresses takes "[::1].evil.example" for "::1".
_HOST = re.compile(
    r"""(?: \[ (?P<address> [0-9A-Fa-f:.]+ ) (?: %[\w.~%-]+ )? \] | (?P<name> [\w.-]+ ) )
    (?: : (?P<port> [0-9]{0,5} ) )?""",
    re.ASCII | re.VERBOSE,
)
MAX_PORT = 65_535
DEFAULT_PORTS = {"http": 80, "https": 443}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# The values of Sec-Fetch-Site with which a browser marks requests that no other site caused.
OWN_SITES = {"same-origin", "none"}


class OriginCheck:
    """Refuses requests under unknown host names, and requests caused by other sites.

    Parameters
    ----------
    settings : Settings
        The address that the server listens on, and the host names that it accepts.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = {"localhost", *(name.lower() for name in settings.allowed_hosts)}
        if not _is_address(settings.host):
            self._names.add(settings.host.lower())
        for url in (settings.cluster_url, settings.public_url):
            if url is not None and (host := urlsplit(url).hostname):
                self._names.add(host)

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """Return the error response to a request that is refused, None to one that is allowed."""
        hosts = connection.headers.getlist("host")
        host = hosts[0] if len(hosts) == 1 else ""
        if not self._allows(host):
            return problem(
                403,
                f"The server does not accept the host name {host!r}."
                " HURRAH_ALLOWED_HOSTS lists further names that it accepts.",
            )
        if _is_cross_site(connection) or _is_cross_origin_change(
            connection, self._own(host, connection)
        ):
            return problem(403, "Requests from other sites are refused.")
        return None

    def _own(self, host: str, connection: HTTPConnection) -> list[str]:
        """Return the hosts under which the browser may have loaded the page.

        A proxy may replace Host by the server's own address. `ForwardedHeaders` has removed the
        header unless it comes from a known proxy; its host name must be an accepted one, too.
        """
        forwarded = connection.headers.getlist("x-forwarded-host")
        return [host, *(each for each in forwarded if self._allows(each))]

    def _allows(self, host: str) -> bool:
        parts = _HOST.fullmatch(host)
        if parts is None or int(parts["port"] or 0) > MAX_PORT:
            return False
        name = parts["address"] or parts["name"]
        # DNS rebinding needs a name: a bare address in Host did not come from DNS.
        if _is_address(name):
            return not self._settings.on_loopback or ipaddress.ip_address(name).is_loopback
        return parts["name"] is not None and name.lower().removesuffix(".") in self._names


def content_type_refusal(connection: HTTPConnection) -> Response | None:
    """Refuse a body of a type that a form on another site could send without asking first."""
    headers = connection.headers
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if not changes_state(connection.scope) or not has_body:
        return None
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    required = "application/json"
    path = connection.scope["path"]
    if path in UPLOAD_PATHS or OWN_LOSSES_PATH.fullmatch(path):
        required = "multipart/form-data"
    if content_type == required:
        return None
    found = content_type or "missing"
    return problem(415, f"The content type must be {required}, but it is {found}.")


def changes_state(scope: Scope) -> bool:
    """Whether an HTTP request may change something, judged by its method."""
    return scope["type"] == "http" and scope["method"] not in SAFE_METHODS


def is_same_site(connection: HTTPConnection) -> bool:
    """Whether the browser says that no other site caused the request, or says nothing."""
    return connection.headers.get("sec-fetch-site", "none").lower() in OWN_SITES


def port_of(connection: HTTPConnection) -> str:
    """Return the port in the Host header, "" if there is none."""
    parts = _HOST.fullmatch(connection.headers.get("host", ""))
    return (parts and parts["port"]) or ""


def _is_cross_site(connection: HTTPConnection) -> bool:
    """Whether another site caused the request, other than by a link to a page."""
    if is_same_site(connection):
        return False
    headers = connection.headers
    follows_link = (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )
    return not follows_link or connection.scope.get("method") not in SAFE_METHODS


def _is_cross_origin_change(connection: HTTPConnection, hosts: list[str]) -> bool:
    """Whether a change or a WebSocket is requested by a page of another origin."""
    # Browsers send Origin with every WebSocket and every request that can change something.
    origins = connection.headers.getlist("origin")
    checked = connection.scope["type"] == "websocket" or changes_state(connection.scope)
    return checked and not all(
        any(_is_same_origin(origin, host) for host in hosts) for origin in origins
    )


def _is_same_origin(origin: str, host: str) -> bool:
    """Compare scheme, host and port as RFC 6454, with the default port of the origin's scheme.

    Behind a proxy the server does not know the scheme under which it is reached: both are accepted.
    """
    scheme, _, rest = origin.lower().partition("://")
    own, theirs = _HOST.fullmatch(host.lower()), _HOST.fullmatch(rest)
    if scheme not in DEFAULT_PORTS or own is None or theirs is None:
        return False
    default = DEFAULT_PORTS[scheme]
    same_host = (own["address"], own["name"]) == (theirs["address"], theirs["name"])
    return same_host and int(own["port"] or default) == int(theirs["port"] or default)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
