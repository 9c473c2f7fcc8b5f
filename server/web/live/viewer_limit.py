"""The greatest number of viewers, checked before a WebSocket is accepted."""

from __future__ import annotations

import re

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.settings import Settings
from server.web.http.problems import NOT_FOUND_DETAIL, problem

__all__ = ["ViewerLimit"]

VIEWER_PATH = re.compile(r"/ws/(runs/[^/]+|lectures/[^/]+|games/[^/]+|wall)")
# Workers of a cluster, which need a token of their own.
WORKER_PATH = re.compile(r"/ws/workers/[^/]+")
# Places for the operator when viewers have taken all others.
OPERATOR_PLACES = 16
RETRY_AFTER_S = 15


class ViewerLimit:
    """ASGI middleware: refuses a WebSocket when there are too many, or at an unknown path.

    Parameters
    ----------
    app : ASGI application
        The application behind the limit.
    settings : Settings
        The limit.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._max_viewers = settings.max_viewers
        # Without a token every viewer is the operator.
        self._operator_places = 0 if settings.token() is None else OPERATOR_PLACES
        self._viewers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on, or answer it with an error."""
        at_viewer_path = VIEWER_PATH.fullmatch(scope.get("path", "")) is not None
        if scope["type"] == "http" and at_viewer_path and (refusal := self._refusal(scope)):
            # A page asks over HTTP why its WebSocket was refused.
            await refusal(scope, receive, send)
            return
        at_worker_path = WORKER_PATH.fullmatch(scope.get("path", "")) is not None
        if scope["type"] != "websocket" or at_worker_path:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope) if at_viewer_path else problem(404, NOT_FOUND_DETAIL)
        self._viewers += 1
        try:
            # A response instead of an acceptance: the connection never becomes a WebSocket.
            await (refusal or self._app)(scope, receive, send)
        finally:
            self._viewers -= 1

    def _refusal(self, scope: Scope) -> Response | None:
        """Return an error if there are as many viewers as there may be."""
        limit = self._max_viewers + (self._operator_places if scope["operator"] else 0)
        if self._viewers < limit:
            return None
        return problem(
            429,
            f"The limit is {self._max_viewers:,} viewers at once.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )
