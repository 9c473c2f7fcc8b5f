"""The address under which the machines of a cluster reach this server."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

__all__ = ["server_address"]

SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
# No packet is sent to it.
DISCARD_PORT = 9


def server_address(url: str | None, own: str, scheduler: str) -> str:
    """Return the address of this server for WebSockets, without a slash at its end.

    Parameters
    ----------
    url : str or None
        The address that was set.
    own : str
        The one at which the server listens. If it listens at all its addresses, the one from which
        it reaches the scheduler is taken.
    scheduler : str
        The address of the cluster's scheduler.

    Raises
    ------
    ValueError
        The address that was set is none; the message is a sentence.
    """
    parts = urlsplit(url or own)
    if parts.scheme not in SCHEMES or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"HURRAH_CLUSTER_URL must be an address such as http://HOST:8000: {url}.")
    place = parts.netloc
    if url is None and _is_wildcard(parts.hostname):
        host = _own_address(urlsplit(scheduler).hostname or "localhost")
        place = f"[{host}]:{parts.port}" if ":" in host else f"{host}:{parts.port}"
    return f"{SCHEMES[parts.scheme]}://{place}{parts.path.rstrip('/')}"


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _own_address(other: str) -> str:
    """Return this machine's address in the direction of another."""
    try:
        found = socket.getaddrinfo(other, DISCARD_PORT, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"
