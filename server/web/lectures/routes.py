"""Lectures: start, links, the viewer link, end; and what the presenter looks at, live."""

from __future__ import annotations

import time
from contextlib import ExitStack

from fastapi import APIRouter, Request, WebSocket
from pydantic import BaseModel, ValidationError
from starlette.responses import RedirectResponse, Response

from server.errors import UnknownLectureError
from server.web.dependencies import ServicesDep
from server.web.http.problems import Problem
from server.web.lectures.lectures import Lecture, Presenter
from server.web.lectures.links import is_reachable, page_address, qr_code
from server.web.lectures.messages import (
    PRESENTER_MESSAGE,
    PresentMessage,
    ShowMessage,
)
from server.web.live.polling import channel_messages
from server.web.live.websocket import (
    CLIENT_MESSAGES_PER_MINUTE,
    CLOSE_CLIENT_SENT_TOO_MUCH,
    accept,
    parse_cursor,
    serve_channel,
)
from server.web.security.rate_limit import TokenBucket

__all__ = ["LectureLinks", "StartedLecture", "router"]

router = APIRouter()

ENDED = "The lecture has ended."
CLOSE_WRONG_MESSAGE = 1008
CLOSE_WRONG_KEY = 4403
# Views and positions of the pointer, twenty times a second each, and some more.
PRESENTER_MESSAGES_PER_MINUTE = 3_600


class LectureLinks(BaseModel):
    """A lecture's id and the address for viewers.

    `reachable` is false if the address is one of this machine alone.
    """

    id: str
    viewer_url: str
    reachable: bool


class StartedLecture(LectureLinks):
    """A lecture that was just started.

    The page at `presenter_url` presents; the key in it is not stored and cannot be read again.
    """

    key: str
    presenter_url: str


def _links(lecture: Lecture, request: Request, services: ServicesDep) -> LectureLinks:
    path, on_loopback = f"/l/{lecture.stored.id}", services.settings.on_loopback
    address = page_address(request, path, on_loopback=on_loopback)
    return LectureLinks(id=lecture.stored.id, viewer_url=address, reachable=is_reachable(address))


@router.post("/api/lectures", status_code=201, tags=["lectures"])
async def start_lecture(request: Request, services: ServicesDep) -> StartedLecture:
    """Start a lecture."""
    lecture, key = await services.lectures.start()
    links = _links(lecture, request, services)
    address = f"{links.viewer_url}#present={key}"
    return StartedLecture(**links.model_dump(), key=key, presenter_url=address)


@router.get("/api/lectures/{lecture_id}", tags=["lectures"])
async def read_lecture(lecture_id: str, request: Request, services: ServicesDep) -> LectureLinks:
    """Return the address for viewers."""
    return _links(services.lectures.get(lecture_id), request, services)


@router.delete("/api/lectures/{lecture_id}", status_code=204, tags=["lectures"])
async def end_lecture(lecture_id: str, services: ServicesDep) -> None:
    """End a lecture for everyone."""
    await services.lectures.end(lecture_id)


@router.get("/api/lectures/{lecture_id}/qr.svg", tags=["lectures"], response_class=Response)
async def draw_qr_code(lecture_id: str, request: Request, services: ServicesDep) -> Response:
    """Return the address for viewers as a QR code, an image in SVG."""
    links = _links(services.lectures.get(lecture_id), request, services)
    return Response(qr_code(links.viewer_url), media_type="image/svg+xml")


@router.get("/api/lectures/{lecture_id}/messages", tags=["lectures"], response_class=Response)
async def list_lecture_messages(
    lecture_id: str, services: ServicesDep, since: str = ""
) -> Response:
    """Return what the WebSocket would have sent since a message, or a snapshot."""
    lecture = services.lectures.get(lecture_id)
    return await channel_messages(lecture.channel, lecture.read_snapshot, since)


@router.get("/l/{lecture_id}", include_in_schema=False)
async def open_viewer_link(lecture_id: str, request: Request, services: ServicesDep) -> Response:
    """Redirect to what the presenter looks at; the page there follows.

    The page says so if there is no such lecture.
    """
    if not (lecture_id.isascii() and lecture_id.isalnum()):
        raise Problem(404, str(UnknownLectureError()))
    lecture_id = lecture_id.lower()
    try:
        view = services.lectures.get(lecture_id).view or "/"
    except UnknownLectureError:
        view = "/"
    root = str(request.scope.get("root_path", "")).rstrip("/")
    separator = "&" if "?" in view else "?"
    # The fragment with the presenter's key, if there is one, is carried over by the browser.
    return RedirectResponse(f"{root}{view}{separator}lecture={lecture_id}", 303)


@router.websocket("/ws/lectures/{lecture_id}")
async def follow_lecture(
    websocket: WebSocket, lecture_id: str, services: ServicesDep, since: str = ""
) -> None:
    """Send what the presenter looks at, and take it from pages that present."""
    lecture = await accept(websocket, lambda: services.lectures.get(lecture_id))
    if lecture is None:
        return

    async def receive(websocket: WebSocket) -> None:
        await _receive_messages(websocket, lecture)

    await serve_channel(
        websocket,
        lecture.channel,
        lecture.read_snapshot,
        parse_cursor(since),
        services.settings.viewer_timeout_s,
        receive=receive,
        closed=ENDED,
    )


async def _receive_messages(websocket: WebSocket, lecture: Lecture) -> None:
    """Take a presenter's messages, until the client disconnects or sends something wrong."""
    bucket = TokenBucket(CLIENT_MESSAGES_PER_MINUTE, time.monotonic())
    with ExitStack() as presenting:
        presenter: Presenter | None = None
        while (received := await websocket.receive())["type"] != "websocket.disconnect":
            if bucket.wait_s(1, time.monotonic()):
                await websocket.close(CLOSE_CLIENT_SENT_TOO_MUCH, "That were too many messages.")
                return
            bucket.take(1, time.monotonic())
            try:
                message = PRESENTER_MESSAGE.validate_json(received.get("text") or "")
            except ValidationError:
                await websocket.close(CLOSE_WRONG_MESSAGE, "The message is not valid.")
                return
            if isinstance(message, PresentMessage):
                if not lecture.is_key(message.key):
                    await websocket.close(CLOSE_WRONG_KEY, "The presenter's key is wrong.")
                    return
                if presenter is None:
                    bucket = TokenBucket(PRESENTER_MESSAGES_PER_MINUTE, time.monotonic())
                    presenter = lecture.add_presenter()
                    presenting.callback(lecture.remove_presenter, presenter)
            elif presenter is None:
                await websocket.close(CLOSE_WRONG_KEY, "Only the presenter may send messages.")
                return
            elif isinstance(message, ShowMessage):
                lecture.show(message.view)
            else:
                lecture.point(message.place, presenter)
