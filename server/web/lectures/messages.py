"""The messages of the WebSocket ``/ws/lectures/{id}``, in both directions."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypedDict, cast

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
    "PlaceInBox",
    "PlaceInText",
    "PlaceOnCurve",
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
ID_PATTERN = r"^[\w-]+$"
MAX_ID_CHARACTERS = 100
MAX_UPDATE = 1e15
MAX_LOSS = 1e9
MAX_INDEX = 10**9


class LectureEnvelope(TypedDict):
    """The fields of every message on the wire; see `server.spec.live_messages.Envelope`."""

    type: str
    seq: int
    sent_at: float


class PlaceInBox(TypedDict):
    """A place in an element of the page.

    `x` and `y` are shares of the width and height of the element with the id `target`. Without a
    target they are shares of the window.
    """

    kind: Literal["box"]
    target: str | None
    x: float
    y: float


class PlaceOnCurve(TypedDict):
    """A place in the plot of the loss; `loss` is in nats per sequence, whatever the axes show."""

    kind: Literal["curve"]
    update: float
    loss: float


class PlaceInText(TypedDict):
    """A character of the text in the element with the id `target`; `index` is in UTF-16 units."""

    kind: Literal["text"]
    target: str
    index: int


LecturePointer = PlaceInBox | PlaceOnCurve | PlaceInText
"""Where the presenter points: the same thing in a window of any size."""


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


_ElementId = Annotated[str, Field(max_length=MAX_ID_CHARACTERS, pattern=ID_PATTERN)]


class _InBox(_FromPresenter):
    kind: Literal["box"]
    target: _ElementId | None
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class _OnCurve(_FromPresenter):
    kind: Literal["curve"]
    update: float = Field(ge=0, le=MAX_UPDATE)
    loss: float = Field(ge=-MAX_LOSS, le=MAX_LOSS)


class _InText(_FromPresenter):
    kind: Literal["text"]
    target: _ElementId
    index: int = Field(ge=0, le=MAX_INDEX)


class PointMessage(_FromPresenter):
    """The presenter points somewhere, or no longer."""

    type: Literal["pointer"]
    pointer: Annotated[_InBox | _OnCurve | _InText, Field(discriminator="kind")] | None

    @property
    def place(self) -> LecturePointer | None:
        """The place as viewers get it."""
        return None if self.pointer is None else cast(LecturePointer, self.pointer.model_dump())


PRESENTER_MESSAGE: TypeAdapter[PresentMessage | ShowMessage | PointMessage] = TypeAdapter(
    Annotated[PresentMessage | ShowMessage | PointMessage, Field(discriminator="type")]
)
"""Any message from a page that presents."""
