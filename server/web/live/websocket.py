"""The WebSocket of a run: a snapshot, then every message. Only the server sends."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from server.errors import UnknownRunError
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

__all__ = ["parse_cursor", "read_snapshot", "router"]

router = APIRouter()

CLOSE_CLIENT_SENT_TOO_MUCH = 1008
CLOSE_UNKNOWN_RUN = 4404
CLOSE_TOO_SLOW = 4408
# Charts of metrics are small. So many points of each take half as many bytes as the loss.
METRIC_POINTS = 300
# Some clients send a message now and then to keep the connection open.
CLIENT_MESSAGES_PER_MINUTE = 60
# No sequence number is longer.
MAX_CURSOR_DIGITS = 20


@router.websocket("/ws/runs/{run_id}")
async def watch_run(
    websocket: WebSocket,
    run_id: str,
    services: ServicesDep,
    since: str = "",
) -> None:
    """Send a snapshot, or the messages after `since`, and then every message as it happens."""
    try:
        await websocket.accept()
    except OSError:
        return  # The client has disconnected already.
    try:
        controller = services.supervisor.get(run_id)
    except UnknownRunError as error:
        await websocket.close(CLOSE_UNKNOWN_RUN, str(error))
        return
    channel = services.broadcaster.channel(run_id)
    channel.join()
    # Receiving at the same time notices a client that disconnects between two messages.
    sender = asyncio.create_task(
        _send_messages(websocket, services, controller, channel, parse_cursor(since))
    )
    receiver = asyncio.create_task(_receive_messages(websocket))
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
    services: Services,
    controller: RunController,
    channel: Channel,
    since: int | None,
) -> None:
    viewer: ViewerProtocol = websocket.scope["extensions"][EXTENSION]
    timeout_s = services.settings.viewer_timeout_s
    try:
        cursor = since if since is not None and channel.can_resume(since) else None
        while not channel.closed:
            await viewer.wait_until_ready(timeout_s)
            if cursor is None:
                cursor, frames = await read_snapshot(services, controller, channel)
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
        await websocket.close(CLOSE_UNKNOWN_RUN, "The run was deleted.")
    except UnknownRunError:
        await websocket.close(CLOSE_UNKNOWN_RUN, "The run was deleted.")
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
