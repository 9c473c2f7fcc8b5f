"""What the server and a worker process send each other, one type each.

`RunController` constructs the commands, and `Worker.dispatch` carries them out. The worker's
`Reporter` constructs the reports, and `Recorder.apply_report` stores and publishes them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.checkpoint_format import Which
from server.concurrency.json_lines import Message
from server.concurrency.typed_messages import Command, Event, decode_command, decode_event

if TYPE_CHECKING:
    # A worker need not load Pydantic, which this module brings.
    from server.spec.live_messages import Curve

__all__ = [
    "Change",
    "ExportCheckpoint",
    "ExportModel",
    "HistoryFlushed",
    "Pause",
    "Report",
    "Resume",
    "SamplesMeasured",
    "SaveCheckpoint",
    "Shutdown",
    "Start",
    "Step",
    "StepReply",
    "WorkerCommand",
    "decode_numbers",
    "encode_numbers",
    "parse_command",
    "parse_event",
    "parse_step_reply",
]

# -- requests: the reply to each contains the run's `update` ---------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Command):
    """Load the run; the first command to every worker.

    Attributes
    ----------
    spec : dict
        The run's spec.
    directory : str
        The directory of its checkpoints.
    corpus_path : str
        The text to train on, in UTF-8.
    checkpoint : str or None
        The checkpoint file to continue from; None starts a new network.
    fast_forward_to : int
        The update to train to before the reply, if the checkpoint is older.
    training : bool
        Whether to train from then on.
    """

    spec: dict[str, Any]
    directory: str
    corpus_path: str
    checkpoint: str | None
    fast_forward_to: int
    training: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Command):
    """Stop training.

    Attributes
    ----------
    last : bool
        Whether the run ends here: then a sample is written first, unless that takes longer than
        two seconds.
    """

    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(Command):
    """Train until another command, or until the run is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Command):
    """Make exactly so many updates of a paused run; the reply to it is a `StepReply`."""

    updates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Command):
    """Check a change of the spec, and make no update until `ApplyChange`.

    So no update is made with a change that the server has not stored and may forget in a crash.
    """

    changes: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyChange(Command):
    """The server has stored a change: apply it. Empty if the change was not stored."""

    changes: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveCheckpoint(Command):
    """Write a checkpoint, durable when the reply is sent.

    Attributes
    ----------
    path : str
        The file to write.
    about : dict
        The checkpoint's `id`, `note` and whether it is `automatic`.
    """

    path: str
    about: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCheckpoint(Command):
    """Write a file with the contents of a checkpoint; the run never continues from it."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportModel(Command):
    """Write a file with the parameters of the "best", "best_validation" or "latest" model."""

    path: str
    which: Which


# -- notifications: they have no reply -------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFlushed(Command):
    """The server has stored the history up to `update`, so checkpoints need not contain it."""

    update: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesMeasured(Command):
    """The server has measured the samples up to `update`, and takes more."""

    update: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown(Command):
    """Exit, without a checkpoint."""


WorkerCommand = (
    Start
    | Pause
    | Resume
    | Step
    | Change
    | ApplyChange
    | SaveCheckpoint
    | ExportCheckpoint
    | ExportModel
    | HistoryFlushed
    | SamplesMeasured
    | Shutdown
)

# -- replies and events ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReply:
    """The reply to `Step`.

    Attributes
    ----------
    update : int
        The update at which the run is.
    left : int
        How many of the updates were not made, because the run was paused or could not continue.
    storage_error : str or None
        Why the run could not continue, in a sentence, if the reason is the disk.
    """

    update: int
    left: int
    storage_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Event):
    """What happened since the last report, and how the run is now.

    Attributes
    ----------
    update, epoch, position : int
        As in `server.spec.schemas.Run`; so are the losses, `best` and `seconds`.
    state : str
        "running", "paused" or "finished", as far as the worker knows it.
    runaway : bool
        Whether the loss was not a finite number: the network is of no more use.
    high_losses_since, diverged_since : int or None
        As in `server.rnn.training.divergence.DivergenceDetector`.
    storage_error : str or None
        Why training stopped, in a sentence, if a snapshot could not be written.
    notices : list of dict
        Sentences to record as milestones, each with its `update` and its `text`.
    first : int
        The update of the first of the `losses`.
    losses : str or bytes
        The loss of each update since the last report: float64, in Base64 on a pipe.
    metrics : dict of str to str or bytes
        The values of each metric at those of the updates that are measured, in the same form.
    curve : Curve
        The same losses, reduced to a few points.
    happened_at : float
        The Unix time in seconds, by the worker's clock, so that the delay to a viewer can be
        measured.
    samples : list of dict
        New samples: `update`, `epoch`, `smooth_loss`, `validation_loss`, `text`.
    epochs : list of dict
        Epochs that ended: `update`, and the `epoch` that begins after it.
    """

    update: int
    epoch: int
    position: int
    loss: float | None
    smooth_loss: float | None
    validation_loss: float | None
    validation_update: int | None
    best: dict[str, Any] | None
    seconds: float
    updates_per_second: float
    state: str
    runaway: bool
    high_losses_since: int | None
    diverged_since: int | None
    storage_error: str | None
    notices: list[Message]
    first: int
    losses: str | bytes
    metrics: Mapping[str, str | bytes]
    curve: Curve
    happened_at: float
    samples: list[Message]
    epochs: list[Message]


def parse_command(message: Message) -> WorkerCommand:
    """Return the command that the server sent; raises as `decode_command`."""
    types: tuple[type[WorkerCommand], ...] = get_args(WorkerCommand)
    return decode_command(message, types)


def parse_event(message: Message) -> Report:
    """Return the event that a worker sent; raises as `decode_event`."""
    return decode_event(message, [Report])


def parse_step_reply(message: Message) -> StepReply:
    """Return the reply to `Step`."""
    return StepReply(
        update=message["update"], left=message["left"], storage_error=message["storage_error"]
    )


def encode_numbers(numbers: NDArray[np.float64]) -> str:
    """Return numbers as they are in a `Report`: float64, in Base64."""
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def decode_numbers(numbers: str | bytes) -> NDArray[np.float64]:
    """Return the numbers that `encode_numbers` encoded, or that are in bytes as they are."""
    if isinstance(numbers, str):
        numbers = base64.b64decode(numbers)
    return np.frombuffer(numbers, dtype=np.float64)
