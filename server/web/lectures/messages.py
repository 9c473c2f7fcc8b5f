"""The messages of the WebSocket ``/ws/lectures/{id}``, in both directions."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from server.spec.live_messages import HeartbeatMessage, ResyncMessage, ViewersMessage

__all__ = [
    "PRESENTER_MESSAGE",
    "LectureEnvelope",
    "LectureLiveMessage",
    "LectureMessage",
    "LecturePointer",
    "LectureSnapshotMessage",
    "LectureViewMessage",
    "PointMessage",
    "PointerMessage",
    "PresentMessage",
    "PresentersMessage",
    "ShowMessage",
]

MAX_VIEW_CHARACTERS = 16_384
# A page of this server, never another address: "//host" would be another server.
VIEW = re.compile(r"/(?!api/|static/|ws/|l/|g/)(?:[a-z-]+(?:/[a-z-]+)*)?(?:\?[^\s\x00-\x1f\\]*)?")
MAX_KEY_CHARACTERS = 200
MAX_TARGET_CHARACTERS = 100


class LectureEnvelope(TypedDict):
    """The fields of every message on the wire; see `server.spec.live_messages.Envelope`."""

    type: str
    seq: int
    sent_at: float


class LecturePointer(TypedDict):
    """Where the presenter points.

    `x` and `y` are shares of the width and height of the element with the id `target`. Without a
    target they are shares of the window.
    """

    target: str | None
    x: float
    y: float


class LectureSnapshotMessage(TypedDict):
    """What the presenter looks at.

    `view` is the path and the query of a page, null before the presenter has shown one;
    `presenters` is the number of pages that present.
    """

    type: Literal["snapshot"]
    view: str | None
    pointer: LecturePointer | None
    presenters: int
    viewers: int


class LectureViewMessage(TypedDict):
    """The presenter looks at something else."""

    type: Literal["view"]
    view: str


class PointerMessage(TypedDict):
    """The presenter points at something else, or no longer."""

    type: Literal["pointer"]
    pointer: LecturePointer | None


class PresentersMessage(TypedDict):
    """The number of pages that present has changed; 0: the presenter is not connected."""

    type: Literal["presenters"]
    presenters: int


LectureLiveMessage = (
    LectureViewMessage
    | PointerMessage
    | PresentersMessage
    | ViewersMessage
    | ResyncMessage
    | HeartbeatMessage
)
"""Any message but the snapshot."""

LectureMessage = LectureSnapshotMessage | LectureLiveMessage
"""Any message to a viewer."""


def _check_view(view: str) -> str:
    if VIEW.fullmatch(view) is None:
        raise ValueError("must be the path and the query of a page")
    return view


class _FromPresenter(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class PresentMessage(_FromPresenter):
    """The first message of a page that presents."""

    type: Literal["present"]
    key: str = Field(max_length=MAX_KEY_CHARACTERS)


class ShowMessage(_FromPresenter):
    """The presenter's page shows something else."""

    type: Literal["view"]
    view: Annotated[str, Field(max_length=MAX_VIEW_CHARACTERS), AfterValidator(_check_view)]


class Pointer(_FromPresenter):
    """A `LecturePointer` from a presenter's page."""

    target: str | None = Field(max_length=MAX_TARGET_CHARACTERS, pattern=r"^[\w-]+$")
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class PointMessage(_FromPresenter):
    """The presenter points somewhere, or no longer."""

    type: Literal["pointer"]
    pointer: Pointer | None


PRESENTER_MESSAGE: TypeAdapter[PresentMessage | ShowMessage | PointMessage] = TypeAdapter(
    Annotated[PresentMessage | ShowMessage | PointMessage, Field(discriminator="type")]
)
"""Any message from a page that presents."""
