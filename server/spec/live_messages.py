"""The messages of the WebSocket ``/ws/runs/{id}``, one type each.

A message is published by constructing its type: `server.runs.recorder` publishes what happens to a
run, `server.web.live.broadcast` the messages about the connection itself. The broadcaster adds the
rest of the `Envelope`, and `server.web.live.frames` encodes each message once for all viewers.

The page handles them in ``static/js/state/reducers.js``. The docstring of a message is its
description in docs/protocol.md; after a change, run ``make generate``.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from pydantic import BaseModel

from server.spec.schemas import (
    Best,
    Checkpoint,
    Loss,
    MetricBuckets,
    Metrics,
    Milestone,
    Run,
    Sample,
)

__all__ = [
    "CheckpointDeletedMessage",
    "CheckpointMessage",
    "Curve",
    "Envelope",
    "HeartbeatMessage",
    "LiveMessage",
    "MetricPiece",
    "MilestoneMessage",
    "MilestoneRemovedMessage",
    "ProgressMessage",
    "ResyncMessage",
    "SampleMessage",
    "ServerMessage",
    "SnapshotContent",
    "SnapshotMessage",
    "StateMessage",
    "ViewersMessage",
]


class Envelope(TypedDict):
    """The fields of every message on the wire.

    `run` is the run's id, `seq` grows from message to message, and `sent_at` is the Unix time in
    seconds at which the server published the message.
    """

    type: str
    run: str
    seq: int
    sent_at: float


class Curve(TypedDict):
    """The loss curve, or a piece of it, reduced to few points; what is not finite is null.

    `low` and `high` are the extremes of the losses that a point stands for, `smooth` and `seconds`
    belong to its last update, which `update` names. `seconds` is null if an
    earlier version made the update.
    """

    update: list[int]
    seconds: list[float | None]
    smooth: list[float | None]
    low: list[float | None]
    high: list[float | None]


class MetricPiece(TypedDict):
    """The metrics of the updates since the last message, reduced to few points; often to none.

    A point stands for the `count` measured updates up to `update`. What is not finite is null.
    """

    update: list[int]
    count: list[int]
    metrics: dict[str, MetricBuckets]


class SnapshotContent(BaseModel):
    """The content of a ``snapshot`` but for the number of `viewers`, which the channel appends."""

    run_state: Run
    loss: Loss
    metrics: Metrics
    samples: list[Sample]
    milestones: list[Milestone]
    checkpoints: list[Checkpoint]


class SnapshotMessage(SnapshotContent):
    """The run as it is. It comes first, unless the messages after `since` are still in memory.

    It has at most 1,000 samples, chosen as with `limit`, fewer where they are long, and at most 300
    points of each metric.
    """

    type: Literal["snapshot"]
    viewers: int


class ProgressMessage(TypedDict):
    """The run's progress, 5 to 20 times a second, and the pieces of the curves since the last.

    A viewer that reads slowly gets it less often. `happened_at` is the Unix time in seconds at
    which the worker had made all these updates.
    """

    type: Literal["progress"]
    update: int
    epoch: int
    position: int
    loss: float | None
    smooth_loss: float | None
    seconds: float
    best: Best | None
    updates_per_second: float
    curve: Curve
    metrics: MetricPiece
    happened_at: float


class SampleMessage(TypedDict):
    """A sample was written and measured."""

    type: Literal["sample"]
    sample: Sample


class MilestoneMessage(TypedDict):
    """A milestone is new, or its text was changed: then it has the id of an earlier one."""

    type: Literal["milestone"]
    milestone: Milestone


class MilestoneRemovedMessage(TypedDict):
    """A note was removed."""

    type: Literal["milestone_removed"]
    milestone_id: str


class CheckpointMessage(TypedDict):
    """A checkpoint is new, or was found damaged: then it has the id of an earlier one."""

    type: Literal["checkpoint"]
    checkpoint: Checkpoint


class CheckpointDeletedMessage(TypedDict):
    """A checkpoint was deleted."""

    type: Literal["checkpoint_deleted"]
    checkpoint_id: str


class StateMessage(TypedDict):
    """The run's state, name or spec has changed."""

    type: Literal["state"]
    run_state: Run


class ViewersMessage(TypedDict):
    """The number of viewers has changed."""

    type: Literal["viewers"]
    viewers: int


class ResyncMessage(TypedDict):
    """The viewer fell behind, or the run went back to a checkpoint; a snapshot follows."""

    type: Literal["resync"]


class HeartbeatMessage(TypedDict):
    """No other message was sent for a second. The connection works and the viewer is up to date.

    A viewer without a message for 3 seconds should mark its content as outdated.
    """

    type: Literal["heartbeat"]


LiveMessage = (
    ProgressMessage
    | SampleMessage
    | MilestoneMessage
    | MilestoneRemovedMessage
    | CheckpointMessage
    | CheckpointDeletedMessage
    | StateMessage
    | ViewersMessage
    | ResyncMessage
    | HeartbeatMessage
)
"""Any message but the snapshot, which is encoded in parts because it is large."""

ServerMessage = SnapshotMessage | LiveMessage
"""Any message."""
