"""Forwarded headers: which client a proxy serves, under which scheme and host name.

Every client can send such headers, so only those of known proxies are believed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

__all__ = ["ForwardedHeaders"]

PREFIX = b"x-forwarded-"


class ForwardedHeaders:
    """ASGI middleware: applies X-Forwarded-For and X-Forwarded-Proto of known proxies.

    Those of others are removed, with all other headers whose name begins with X-Forwarded.

    Parameters
    ----------
    app : ASGI application
        The application behind it.
    trusted : sequence of ipaddress.IPv4Network or ipaddress.IPv6Network
        The addresses of the known proxies.
    """

    def __init__(
        self,
        app: ASGIApp,
        trusted: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network],
    ) -> None:
        self._app = app
        self._trusted = [*trusted, *(_mapped(each) for each in trusted if each.version == 4)]
        networks = [str(each) for each in self._trusted]
        self._apply = cast("ASGIApp", ProxyHeadersMiddleware(cast("object", app), networks))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        if self._is_trusted(scope):
            await self._apply(scope, receive, send)
            return
        scope["headers"] = [each for each in scope["headers"] if not each[0].startswith(PREFIX)]
        await self._app(scope, receive, send)

    def _is_trusted(self, scope: Scope) -> bool:
        try:
            address = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def _mapped(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> ipaddress.IPv6Network:
    """Return the form in which a dual-stack socket reports the IPv4 clients in a network."""
    return ipaddress.IPv6Network(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
