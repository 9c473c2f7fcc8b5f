"""The live view of a run: a WebSocket that only speaks."""

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
from server.web.dependencies import Services, TheOffice
from server.web.live.backpressure import EXTENSION, ViewerGoneError, ViewerProtocol
from server.web.live.broadcast import Channel
from server.web.loss_cache import loss_of
from server.web.sample_streaming import samples_that_fit
from server.web.security.rate_limit import TokenBucket

router = APIRouter()

NOT_SILENT = 1008
UNKNOWN_RUN = 4404
TOO_SLOW = 4408
# Some clients send a word now and then to keep a connection open.
MESSAGES_PER_MINUTE = 60
# No number of a message is longer.
MOST_DIGITS = 20


@router.websocket("/ws/runs/{run_id}")
async def watch(
    websocket: WebSocket,
    run_id: str,
    services: TheOffice,
    since: str = "",
) -> None:
    """Send a snapshot, or what came after `since`, and then everything as it happens."""
    try:
        await websocket.accept()
    except OSError:
        return  # It has left already.
    try:
        controller = services.supervisor.get(run_id)
    except UnknownRunError as error:
        await websocket.close(UNKNOWN_RUN, str(error))
        return
    channel = services.broadcaster.channel(run_id)
    channel.join()
    # Both ends are watched: a viewer that says goodbye must not be waited for until the next news.
    speaking = asyncio.create_task(_speak(websocket, services, controller, channel, _place(since)))
    listening = asyncio.create_task(_listen(websocket))
    try:
        await asyncio.wait({speaking, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (speaking, listening):
            task.cancel()
        await asyncio.gather(speaking, listening, return_exceptions=True)
        channel.leave()


def _place(since: str) -> int | None:
    """Return the number that a viewer comes back with, if it is one."""
    is_number = since.isascii() and since.isdigit() and len(since) <= MOST_DIGITS
    return int(since) if is_number else None


async def _listen(websocket: WebSocket) -> None:
    """Take what a viewer says, to no effect, until it leaves, or says too much."""
    patience = TokenBucket(MESSAGES_PER_MINUTE, time.monotonic())
    while (await websocket.receive())["type"] != "websocket.disconnect":
        if patience.wait_s(1, time.monotonic()):
            await websocket.close(NOT_SILENT, "Only the server speaks here.")
            return
        patience.take(1, time.monotonic())


async def _speak(
    websocket: WebSocket,
    services: Services,
    controller: RunController,
    channel: Channel,
    since: int | None,
) -> None:
    viewer: ViewerProtocol = websocket.scope["extensions"][EXTENSION]
    patience_s = services.settings.viewer_patience_s
    try:
        place = since if since is not None and channel.resumes(since) else None
        while not channel.closed:
            await viewer.ready(patience_s)
            if place is None:
                place, frames = await _snapshot(services, controller, channel)
                await viewer.tell(frames, patience_s)
            elif not channel.holds(place):
                await viewer.tell(channel.resync().frames, patience_s)
                place = None
            elif (news := channel.after(place, merge=viewer.slow)) is not None:
                await viewer.tell(news.frames, patience_s)
                place = news.seq
            else:
                viewer.told_all()
                await channel.news(place)
        await websocket.close(UNKNOWN_RUN, "The run was deleted.")
    except TimeoutError:
        await websocket.close(TOO_SLOW, "The viewer did not read.")
    except (ViewerGoneError, WebSocketDisconnect, RuntimeError):
        # It left while it was spoken to.
        return


async def _snapshot(
    services: Services, controller: RunController, channel: Channel
) -> tuple[int, list[bytes]]:
    """Return a snapshot's frames and number; everything that happens later has a higher one."""
    async with controller.recorder.lock:
        # What it holds must not be told once more after it.
        channel.release()
        moving = controller.run.state is RunState.RUNNING
        if (made := channel.snapshot(moving=moving)) is None:
            # Not with those who look: whoever writes of this run waits for the lock meanwhile.
            store, run = services.supervisor.store, controller.run
            loss = await loss_of(run.id, store, 1, None)
            samples = await store(queries.list_samples, run.id, limit=samples_that_fit(run))
            milestones = await store(queries.list_milestones, run.id)
            checkpoints = await store(queries.list_checkpoints, run.id)
            content = SnapshotContent.model_construct(
                run_state=run,
                loss=loss,
                samples=samples,
                milestones=milestones,
                checkpoints=checkpoints,
            )
            # A tenth of what it takes by way of dictionaries, and everybody else waits for it.
            made = channel.keep_snapshot(content.model_dump_json(by_alias=True).encode())
        return made
