"""A path prefix under which everything is served, for a proxy that shares a host name."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["AddRootPath", "StripRootPath"]


class StripRootPath:
    """ASGI middleware: removes the prefix from a request's path, if the proxy has not.

    Everything behind it knows the paths in the form in which the routes are declared.

    Parameters
    ----------
    app : ASGI application
        The application behind the prefix.
    root_path : str
        The prefix as it appears in addresses, with a slash at its start alone; "" for none.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = unquote(root_path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if self._root_path and scope["type"] in {"http", "websocket"}:
            path: str = scope["path"]
            if path == self._root_path or path.startswith(f"{self._root_path}/"):
                scope["path"] = path.removeprefix(self._root_path) or "/"
        await self._app(scope, receive, send)


class AddRootPath:
    """ASGI middleware: describes the prefix to the router as ASGI specifies.

    The router makes the addresses of redirects from it, and pages those of their links.

    Parameters
    ----------
    app : ASGI application
        The router.
    root_path : str
        The prefix as it appears in addresses, with a slash at its start alone; "" for none.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if self._root_path and scope["type"] in {"http", "websocket"}:
            path = self._root_path + scope["path"]
            scope = {**scope, "root_path": self._root_path, "path": path}
        await self._app(scope, receive, send)
