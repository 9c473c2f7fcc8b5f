"""The messages of a run over plain HTTP, for viewers to whom no WebSocket comes through."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from server.web.dependencies import RunControllerDep, ServicesDep
from server.web.http.problems import Problem
from server.web.live.frames import join_frames
from server.web.live.websocket import parse_cursor, read_snapshot

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
    channel.keep_logging()
    cursor = parse_cursor(since)
    if cursor is None or not channel.can_resume(cursor):
        _, frames = await read_snapshot(services, controller, channel)
        messages = [join_frames(frames)]
    else:
        channel.flush_progress()
        messages = []
        while (message := channel.next_message(cursor, coalesced=True)) is not None:
            messages.append(join_frames(message.frames))
            cursor = message.seq
    return Response(b"[" + b",".join(messages) + b"]", media_type="application/json")


@router.get("/ws/runs/{run_id}", include_in_schema=False)
async def refuse_without_upgrade(run_id: str) -> None:
    """Explain why a request at the WebSocket's address did not become one.

    The page asks this after a failed handshake: a browser does not tell scripts the reason.
    """
    del run_id
    raise Problem(
        426,
        "A WebSocket is needed here, but no request for one arrived: a proxy on the way may have "
        "removed its Upgrade header.",
        headers={"Upgrade": "websocket"},
    )
