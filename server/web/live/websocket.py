"""The WebSockets of a run and of the wall: a snapshot, then every message.

Only the server sends. The WebSockets of lectures and games share `accept` and `serve_channel`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from server.errors import UnknownGameError, UnknownLectureError, UnknownRunError
from server.runs.run_controller import RunController
from server.spec.live_messages import SnapshotContent
from server.spec.schemas import RunState
from server.store import queries
from server.web.dependencies import Services, ServicesDep
from server.web.live.backpressure import EXTENSION, ViewerGoneError, ViewerProtocol
from server.web.live.broadcast import Channel
from server.web.loss_cache import read_loss_curve
from server.web.metric_cache import read_metrics
from server.web.sample_streaming import fitting_sample_count
from server.web.security.rate_limit import TokenBucket

__all__ = [
    "CLIENT_MESSAGES_PER_MINUTE",
    "CLOSE_CLIENT_SENT_TOO_MUCH",
    "CLOSE_UNKNOWN_RUN",
    "SnapshotReader",
    "accept",
    "parse_cursor",
    "read_snapshot",
    "router",
    "serve_channel",
]

router = APIRouter()

SnapshotReader = Callable[[], Awaitable[tuple[int, list[bytes]]]]
"""Returns a snapshot's number and frames."""

CLOSE_CLIENT_SENT_TOO_MUCH = 1008
CLOSE_UNKNOWN_RUN = 4404
CLOSE_TOO_SLOW = 4408
# Charts of metrics are small. So many points of each take half as many bytes as the loss.
METRIC_POINTS = 300
# Some clients send a message now and then to keep the connection open.
CLIENT_MESSAGES_PER_MINUTE = 60
# No sequence number is longer.
MAX_CURSOR_DIGITS = 20
RUN_DELETED = "The run was deleted."
UNKNOWN = (UnknownRunError, UnknownLectureError, UnknownGameError)

T = TypeVar("T")


@router.websocket("/ws/runs/{run_id}")
async def watch_run(
    websocket: WebSocket,
    run_id: str,
    services: ServicesDep,
    since: str = "",
) -> None:
    """Send a snapshot, or the messages after `since`, and then every message as it happens."""
    controller = await accept(websocket, lambda: services.supervisor.get(run_id))
    if controller is None:
        return
    channel = services.broadcaster.channel(run_id)
    read = partial(read_snapshot, services, controller, channel)
    timeout_s = services.settings.viewer_timeout_s
    await serve_channel(websocket, channel, read, parse_cursor(since), timeout_s)


@router.websocket("/ws/wall")
async def watch_wall(websocket: WebSocket, services: ServicesDep, since: str = "") -> None:
    """Send a snapshot of all runs, or the messages after `since`, and then every message."""
    wall = await accept(websocket, lambda: services.wall)
    if wall is None:
        return
    wall.start()
    read, timeout_s = wall.read_snapshot, services.settings.viewer_timeout_s
    await serve_channel(websocket, wall.channel, read, parse_cursor(since), timeout_s)


async def accept(websocket: WebSocket, find: Callable[[], T]) -> T | None:
    """Accept a WebSocket, and return what its messages are about.

    Parameters
    ----------
    websocket : WebSocket
        Not accepted yet.
    find : callable
        Returns what the messages are about, or raises an error of `UNKNOWN`.

    Returns
    -------
    object or None
        None: the connection is closed, because there is no such thing or the client is gone.
    """
    try:
        await websocket.accept()
    except OSError:
        return None  # The client has disconnected already.
    try:
        return find()
    except UNKNOWN as error:
        await websocket.close(CLOSE_UNKNOWN_RUN, str(error))
        return None


async def serve_channel(
    websocket: WebSocket,
    channel: Channel,
    read: SnapshotReader,
    since: int | None,
    timeout_s: float,
    *,
    receive: Callable[[WebSocket], Awaitable[None]] | None = None,
    closed: str = RUN_DELETED,
) -> None:
    """Send a channel's messages until the client disconnects or the channel is closed.

    Parameters
    ----------
    websocket : WebSocket
        Accepted already.
    channel : Channel
        The messages.
    read : callable
        Returns a snapshot.
    since : int or None
        The number of the last message that the client has.
    timeout_s : float
        How long the client may read nothing.
    receive : callable, optional
        Handles what the client sends, and returns at the end of the connection. By default it is
        discarded.
    closed : str
        Why the channel was closed, if it was, in a sentence.
    """
    channel.join()
    # Receiving at the same time notices a client that disconnects between two messages.
    sender = asyncio.create_task(
        _send_messages(websocket, channel, read, since, timeout_s, closed=closed)
    )
    receiver = asyncio.ensure_future((receive or _receive_messages)(websocket))
    try:
        await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sender, receiver):
            task.cancel()
        await asyncio.gather(sender, receiver, return_exceptions=True)
        channel.leave()


def parse_cursor(since: str) -> int | None:
    """Return the number in `since`, None if it is not one."""
    is_number = since.isascii() and since.isdigit() and len(since) <= MAX_CURSOR_DIGITS
    return int(since) if is_number else None


async def _receive_messages(websocket: WebSocket) -> None:
    """Discard what the client sends, until it disconnects or sends too much."""
    bucket = TokenBucket(CLIENT_MESSAGES_PER_MINUTE, time.monotonic())
    while (await websocket.receive())["type"] != "websocket.disconnect":
        if bucket.wait_s(1, time.monotonic()):
            await websocket.close(CLOSE_CLIENT_SENT_TOO_MUCH, "Only the server may send messages.")
            return
        bucket.take(1, time.monotonic())


async def _send_messages(
    websocket: WebSocket,
    channel: Channel,
    read: SnapshotReader,
    since: int | None,
    timeout_s: float,
    *,
    closed: str,
) -> None:
    viewer: ViewerProtocol = websocket.scope["extensions"][EXTENSION]
    try:
        cursor = since if since is not None and channel.can_resume(since) else None
        while not channel.closed:
            await viewer.wait_until_ready(timeout_s)
            if cursor is None:
                cursor, frames = await read()
                await viewer.send_frames(frames, timeout_s)
            elif not channel.contains(cursor):
                await viewer.send_frames(channel.resync().frames, timeout_s)
                cursor = None
            elif (message := channel.next_message(cursor, coalesced=viewer.slow)) is not None:
                await viewer.send_frames(message.frames, timeout_s)
                cursor = message.seq
            else:
                viewer.ping_if_slow()
                await channel.wait(cursor)
        await websocket.close(CLOSE_UNKNOWN_RUN, closed)
    except UnknownRunError:
        await websocket.close(CLOSE_UNKNOWN_RUN, RUN_DELETED)
    except TimeoutError:
        await websocket.close(CLOSE_TOO_SLOW, "The viewer did not read.")
    except (ViewerGoneError, WebSocketDisconnect, RuntimeError):
        # The client disconnected during a write.
        return


async def read_snapshot(
    services: Services, controller: RunController, channel: Channel
) -> tuple[int, list[bytes]]:
    """Return a snapshot's number and frames; all later messages have higher numbers.

    Raises
    ------
    UnknownRunError
        The run was deleted meanwhile.
    """
    async with controller.recorder.lock:
        # Delayed progress is in the snapshot, and must not be sent again after it.
        channel.flush_progress()
        running = controller.run.state is RunState.RUNNING
        if (snapshot := channel.cached_snapshot(running=running)) is None:
            # The unlimited store, not `store_reader`: the run's recorder waits for the lock.
            store, run = services.supervisor.store, controller.run
            with controller.reading():
                loss = await read_loss_curve(run.id, store, 1, None)
                metrics = await read_metrics(run.id, store, 1, None, points=METRIC_POINTS)
                samples = await store(queries.list_samples, run.id, limit=fitting_sample_count(run))
                milestones = await store(queries.list_milestones, run.id)
                checkpoints = await store(queries.list_checkpoints, run.id)
            content = SnapshotContent.model_construct(
                run_state=run,
                loss=loss,
                metrics=metrics,
                samples=samples,
                milestones=milestones,
                checkpoints=checkpoints,
            )
            # Pydantic's serialiser takes a tenth of the time of `to_json`, during which the event
            # loop does nothing else.
            snapshot = channel.cache_snapshot(content.model_dump_json(by_alias=True).encode())
        return snapshot
