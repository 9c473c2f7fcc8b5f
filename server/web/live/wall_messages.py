"""The messages of the WebSocket ``/ws/wall``: all runs at once.

`server.web.live.wall` publishes them, and ``static/js/wall/reducers.js`` handles them.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from server.spec.live_messages import HeartbeatMessage, ResyncMessage, ViewersMessage
from server.spec.schemas import RunGroup, RunState

__all__ = [
    "WallCurve",
    "WallDetail",
    "WallEnvelope",
    "WallLiveMessage",
    "WallMessage",
    "WallProgress",
    "WallRun",
    "WallSnapshotMessage",
    "WallSpec",
    "WallUpdateMessage",
]


class WallEnvelope(TypedDict):
    """The fields of every message on the wire; see `server.spec.live_messages.Envelope`."""

    type: str
    seq: int
    sent_at: float


class WallCurve(TypedDict):
    """A loss curve of at most 48 points, or its end.

    Each point stands for `bucket` updates, the last one for those up to the run's `update`: their
    least and greatest loss, and the smooth loss after the last of them; null if it is not finite.
    `start` points of the curve so far stay, and the points here follow them.
    """

    bucket: int
    start: int
    smooth: list[float | None]
    low: list[float | None]
    high: list[float | None]


class WallSpec(TypedDict):
    """The fields of a run's spec that the wall shows or needs."""

    cell: str
    hidden_size: int
    layers: int
    sequence_length: int
    batch_size: int
    optimizer: str
    learning_rate: float
    seed: int
    max_updates: int | None


class WallProgress(TypedDict):
    """What changes while a run trains; `best` is the lowest smooth loss.

    `text` is the beginning of the newest sample, on one line; empty if there is none, and null if
    it is the same as before. Both it and the curve are null for a run of which no viewer has them;
    see `WallDetail`.
    """

    id: str
    update: int
    smooth_loss: float | None
    best: float | None
    updates_per_second: float
    text: str | None
    curve: WallCurve | None


class WallDetail(TypedDict):
    """What `GET /api/wall/curves` returns of a run: its whole curve and its text."""

    id: str
    text: str
    curve: WallCurve


class WallRun(WallProgress):
    """A run on the wall; the fields are those of a `Run`."""

    name: str
    state: RunState
    corpus_name: str
    spec: WallSpec
    created_at: str
    queue_position: int | None
    machine: str | None
    group: RunGroup | None
    sweep: str | None


class WallSnapshotMessage(TypedDict):
    """All runs, newest first. It comes first, unless the messages after `since` are in memory.

    The hundred newest have their curve and text; those of others are null.
    """

    type: Literal["snapshot"]
    runs: list[WallRun]
    viewers: int


class WallUpdateMessage(TypedDict):
    """What has changed since the last message, once a second.

    `runs` are those that are new, in order of their creation, or of which more than the progress
    has changed; `progress` that of others, and `removed` the ids of deleted runs.
    """

    type: Literal["update"]
    runs: list[WallRun]
    progress: list[WallProgress]
    removed: list[str]


WallLiveMessage = WallUpdateMessage | ViewersMessage | ResyncMessage | HeartbeatMessage
"""Any message but the snapshot."""

WallMessage = WallSnapshotMessage | WallLiveMessage
"""Any message."""
