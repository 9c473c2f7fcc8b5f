"""Figures for Prometheus at /metrics; needs the extra `metrics`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.spec.live_messages import LiveMessage
from server.spec.schemas import RunState
from server.web.dependencies import Services
from server.web.http.problems import problem
from server.web.live.backpressure import ViewerProtocol
from server.web.security.auth import is_operator

__all__ = ["Metrics", "RequestTimer", "router"]

router = APIRouter(include_in_schema=False)

LAG_INTERVAL_S = 1.0
# A passage may take two minutes.
BUCKETS_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return the figures, to the operator alone."""
    if not is_operator(request):
        return problem(
            401,
            "Only the operator may read the metrics.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


class Metrics:
    """The figures of one server; a `Publisher` that counts failures and restarts of runs."""

    def __init__(self) -> None:
        registry = CollectorRegistry(auto_describe=False)
        self._registry = registry
        self.durations = Histogram(
            "hurrah_request_duration_seconds",
            "Time from a request to the end of its response.",
            ["method", "route", "status"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._services: Services | None = None
        self._lag_s = 0.0
        self._updates = 0
        self._known: dict[str, int] = {}
        self._states: dict[str, RunState] = {}
        self._failures = 0
        self._restarts = 0
        # Duck typing: subclasses of a class that may not be installed cannot be checked.
        registry.register(cast("Any", self))

    @contextlib.asynccontextmanager
    async def observe(self, services: Services) -> AsyncIterator[None]:
        """Observe the services of a server, and the delays of its event loop."""
        self._services = services
        self._known = {run.id: run.update for run in services.supervisor.runs()}
        self._states = {run.id: run.state for run in services.supervisor.runs()}
        services.broadcaster.follow(self)
        measuring = asyncio.create_task(self._measure_lag())
        try:
            yield
        finally:
            measuring.cancel()

    def text(self) -> bytes:
        """Return all figures in Prometheus's format."""
        return bytes(generate_latest(self._registry))

    # -- the interface of a publisher -------------------------------------------------------------

    def publish(self, run: str, message: LiveMessage) -> None:
        """Count the updates since the last message, and changes of the state."""
        if message["type"] == "progress":
            self._count_updates(run, message["update"])
        elif message["type"] == "state":
            self._count_updates(run, message["run_state"].update)
            before, now = self._states.get(run), message["run_state"].state
            self._states[run] = now
            self._failures += now is RunState.FAILED and before is not RunState.FAILED
            self._restarts += before in {RunState.FAILED, RunState.INTERRUPTED} and now in {
                RunState.RUNNING,
                RunState.QUEUED,
            }

    def is_watched(self, run: str) -> bool:  # noqa: ARG002 - part of the interface
        """Return False: the content of messages is not used."""
        return False

    def restart(self, run: str) -> None:
        """Do nothing: updates that are computed again count again when they pass the old end."""

    def close(self, run: str) -> None:
        """Forget a deleted run; its updates still count."""
        self._known.pop(run, None)
        self._states.pop(run, None)

    # -- the interface of a collector -------------------------------------------------------------

    def collect(self) -> Iterator[object]:
        """Yield the figures of this moment."""
        if self._services is None:
            return
        runs = self._services.supervisor.runs()
        states = Counter(run.state for run in runs)
        by_state = GaugeMetricFamily("hurrah_runs", "Runs by state.", labels=["state"])
        for state in RunState:
            by_state.add_metric([state.value], states[state])
        yield by_state
        speed = sum(run.updates_per_second or 0.0 for run in runs if run.state is RunState.RUNNING)
        broadcaster, wall = self._services.broadcaster, self._services.wall
        viewers = broadcaster.viewers + wall.channel.viewers
        for name, text, value in (
            ("updates_per_second", "Updates per second of all runs together.", speed),
            ("viewers", "Open WebSockets of viewers.", viewers),
            ("event_loop_lag_seconds", "Last delay of a timer of the event loop.", self._lag_s),
        ):
            yield GaugeMetricFamily(f"hurrah_{name}", text, value=value)
        for name, text, value in (
            ("updates", "Updates of all runs since the start of the server.", self._updates),
            ("messages_sent", "Messages sent to viewers.", ViewerProtocol.messages_sent),
            ("run_failures", "Runs that failed.", self._failures),
            ("worker_restarts", "Failed or interrupted runs that continued.", self._restarts),
        ):
            yield CounterMetricFamily(f"hurrah_{name}", text, value=value)

    def _count_updates(self, run: str, update: int) -> None:
        self._updates += max(0, update - self._known.get(run, 0))
        self._known[run] = max(update, self._known.get(run, 0))

    async def _measure_lag(self) -> None:
        while True:
            begun_s = time.monotonic()
            await asyncio.sleep(LAG_INTERVAL_S)
            self._lag_s = max(0.0, time.monotonic() - begun_s - LAG_INTERVAL_S)


class RequestTimer:
    """ASGI middleware that measures how long each request takes.

    Parameters
    ----------
    app : ASGI application
        The application.
    metrics : Metrics
        Where the durations are counted, by the path of the route, not by the address: there are
        few of them.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._durations = metrics.durations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and measure it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s, status = time.monotonic(), 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            # A client may send any word as the method.
            method = scope["method"] if route != "other" else "other"
            self._durations.labels(method, route, status).observe(time.monotonic() - begun_s)
