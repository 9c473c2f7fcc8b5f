"""The links of a lecture, and their QR codes."""

from __future__ import annotations

import io
import ipaddress
import socket
from pathlib import Path

import segno
from starlette.requests import HTTPConnection

__all__ = ["in_container", "is_reachable", "own_address", "page_address", "qr_code"]

# An address for documentation (RFC 5737), behind the default route; nothing is sent to it.
REMOTE = ("192.0.2.1", 9)
# A container's own address is known to its host alone.
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


def page_address(connection: HTTPConnection, path: str, *, on_loopback: bool) -> str:
    """Return the address of a page for another device.

    It is at the host that the request names, or that a known proxy says it named. A request on
    this machine, such as ``http://localhost:8000``, names one that means another machine elsewhere:
    the address of this machine in its network takes its place, if the server listens on it.
    """
    url = connection.url
    # Headers of unknown proxies have been removed.
    if forwarded := connection.headers.get("x-forwarded-host", "").partition(",")[0].strip():
        url = url.replace(netloc=forwarded)
    host = url.hostname or ""
    if _is_local(host) and not on_loopback:
        host = own_address() or host
    if ":" in host:
        host = f"[{host.strip('[]')}]"
    port = f":{url.port}" if url.port else ""
    root = str(connection.scope.get("root_path", "")).rstrip("/")
    return f"{url.scheme.replace('ws', 'http')}://{host}{port}{root}{path}"


def is_reachable(address: str) -> bool:
    """Whether other devices may be able to open an address: it does not name its own machine."""
    host = address.partition("://")[2].partition("/")[0]
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return not _is_local(host)


def qr_code(address: str) -> bytes:
    """Return a QR code as SVG: black on white, with the margin that cameras need."""
    file = io.BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(file, kind="svg", border=4, dark="#000", light="#fff", omitsize=True, title="QR code")
    return file.getvalue()


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def in_container() -> bool:
    """Whether this process runs in a container."""
    return any(path.exists() for path in CONTAINER_MARKS)


def own_address() -> str | None:
    """Return the address of this machine in its network; None without one, and in a container."""
    if in_container():
        return None
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(REMOTE)
            address: str = probe.getsockname()[0]
    except OSError:
        return None
    return None if _is_local(address) else address
