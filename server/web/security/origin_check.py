"""Which Host and Origin a request may have: against DNS rebinding and other sites' pages.

On a loopback address only this machine can connect, but so can every page that its browser shows.
"""

from __future__ import annotations

import ipaddress
import re

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from server.settings import Settings
from server.web.http.problems import problem

__all__ = ["HOST", "OWN_SITES", "OriginCheck", "changes"]

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


class OriginCheck:
    """Refuses requests under other names and from other sites.

    Parameters
    ----------
    settings : Settings
        The address that the server listens on, and the names that it answers to.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = {"localhost", *(name.lower() for name in settings.allowed_hosts)}
        if not _is_address(settings.host):
            self._names.add(settings.host.lower())

    def refusal(self, connection: HTTPConnection) -> Response | None:
        """Return the answer to a request that must not come in; None where it may."""
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
    changing = connection.scope["type"] == "websocket" or changes(connection.scope)
    return changing and not all(_same(origin, host) for origin in origins)


def changes(scope: Scope) -> bool:
    """Whether a request may change something, by its method."""
    return scope["type"] == "http" and scope["method"] not in SAFE_METHODS


def _same(origin: str, host: str) -> bool:
    return origin.lower() in {f"http://{host}".lower(), f"https://{host}".lower()}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
