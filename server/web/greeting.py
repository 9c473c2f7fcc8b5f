"""What the server prints once it listens: its addresses, and a QR code for other devices."""

from __future__ import annotations

import io
import ipaddress
import sys
from urllib.parse import quote

import segno

from server.settings import Settings
from server.web.lectures.links import in_container, is_reachable, own_address

__all__ = ["greeting", "is_read_at_once"]


def greeting(settings: Settings, port: int, *, tls: bool, terminal: bool) -> str:
    """Return the lines to print; the first is the address with the operator token, if any.

    Parameters
    ----------
    settings : Settings
        The listening address and the public one, the prefix and the token.
    port : int
        The port that the server listens on.
    tls : bool
        Whether the server itself answers HTTPS.
    terminal : bool
        Whether a person reads the lines at once: on a terminal, or in the log of a container.
    """
    lines = [_first_line(settings, port, tls=tls)]
    if settings.on_loopback and settings.public_url is None:
        return lines[0]
    viewers = settings.public_url or _address_in_network(settings, port, tls=tls)
    if viewers is None or not is_reachable(viewers):
        # On a phone, localhost is the phone.
        example = f"{_origin('ADDRESS', port, tls=tls)}{settings.root_path}"
        lines.append(
            "For a QR code and a link for other devices, set HURRAH_PUBLIC_URL to the address of"
            f" this machine in its network, such as {example}."
        )
        return "\n".join(lines)
    lines.append(f"Other devices can watch at {viewers}/")
    if terminal and settings.qr_code:
        lines.append(_qr_code(f"{viewers}/"))
    return "\n".join(lines)


def _first_line(settings: Settings, port: int, *, tls: bool) -> str:
    token = settings.token()
    query = "" if token is None else f"?token={quote(token)}"
    return f"Hurrah is listening on {_local_address(settings, port, tls=tls)}{query}"


def _local_address(settings: Settings, port: int, *, tls: bool) -> str:
    # A browser cannot open 0.0.0.0 everywhere. Every address includes that of localhost.
    host = settings.host.strip("[]")
    host = "localhost" if _is_unspecified(host) else host
    return f"{_origin(host, port, tls=tls)}{settings.root_path}/"


def _address_in_network(settings: Settings, port: int, *, tls: bool) -> str | None:
    host = settings.host.strip("[]")
    other = own_address() if _is_unspecified(host) else host
    return None if other is None else f"{_origin(other, port, tls=tls)}{settings.root_path}"


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _origin(host: str, port: int, *, tls: bool) -> str:
    return f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"


def _qr_code(address: str) -> str:
    """Return the QR code of an address in characters; the token is never in it."""
    text = io.StringIO()
    segno.make(address, error="l", micro=False).terminal(text, compact=True)
    return text.getvalue().rstrip("\n")


def is_read_at_once() -> bool:
    """Whether standard output is a terminal or the log of a container, and can show a QR code."""
    try:
        "\u2580".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return sys.stdout.isatty() or in_container()
