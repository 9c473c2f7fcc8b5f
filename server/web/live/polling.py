"""The messages of a channel over plain HTTP, where no WebSocket comes through."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from server.web.dependencies import RunControllerDep, ServicesDep
from server.web.http.problems import Problem
from server.web.live.broadcast import Channel
from server.web.live.frames import join_frames, to_json
from server.web.live.wall import SNAPSHOT_CURVES
from server.web.live.websocket import SnapshotReader, parse_cursor, read_snapshot

__all__ = ["channel_messages", "router"]

router = APIRouter()


@router.get("/api/runs/{run_id}/messages", tags=["runs"], response_class=Response)
async def list_messages(
    controller: RunControllerDep, services: ServicesDep, since: str = ""
) -> Response:
    """Return what the WebSocket would have sent since the message with the number `since`.

    Without a number, or if the messages after it are no longer in memory, the only message is a
    snapshot. Consecutive progress is one message.
    """
    channel = services.broadcaster.channel(controller.run.id)
    return await channel_messages(
        channel, partial(read_snapshot, services, controller, channel), since
    )


@router.get("/api/wall", tags=["runs"], response_class=Response)
async def list_wall_messages(services: ServicesDep, since: str = "") -> Response:
    """Return what the WebSocket of all runs would have sent since a message, or a snapshot."""
    services.wall.start()
    return await channel_messages(services.wall.channel, services.wall.read_snapshot, since)


@router.get("/api/wall/curves", tags=["runs"], response_class=Response)
async def list_wall_curves(services: ServicesDep, runs: str) -> Response:
    """Return the curves and the texts of some runs for the wall; unknown runs are left out.

    `runs` are at most 100 ids, separated by commas.
    """
    ids = runs.split(",")
    if len(ids) > SNAPSHOT_CURVES:
        raise Problem(422, f"At most {SNAPSHOT_CURVES} runs can be asked for at once.")
    details = await services.wall.read_details(ids)
    content = b",".join(to_json({**detail}) for detail in details)
    return Response(b"[" + content + b"]", media_type="application/json")


async def channel_messages(channel: Channel, read: SnapshotReader, since: str) -> Response:
    """Return the messages of a channel since one with a number, or a snapshot."""
    channel.keep_logging()
    cursor = parse_cursor(since)
    if cursor is None or not channel.can_resume(cursor):
        _, frames = await read()
        messages = [join_frames(frames)]
    else:
        channel.flush_progress()
        messages = []
        while (message := channel.next_message(cursor, coalesced=True)) is not None:
            messages.append(join_frames(message.frames))
            cursor = message.seq
    return Response(b"[" + b",".join(messages) + b"]", media_type="application/json")


@router.get("/ws/wall", include_in_schema=False)
@router.get("/ws/games/{game_id}", include_in_schema=False)
@router.get("/ws/lectures/{lecture_id}", include_in_schema=False)
@router.get("/ws/runs/{run_id}", include_in_schema=False)
async def refuse_without_upgrade() -> None:
    """Explain why a request at the WebSocket's address did not become one.

    The page asks this after a failed handshake: a browser does not tell scripts the reason.
    """
    raise Problem(
        426,
        "A WebSocket is needed here, but no request for one arrived: a proxy on the way may have "
        "removed its Upgrade header.",
        headers={"Upgrade": "websocket"},
    )
