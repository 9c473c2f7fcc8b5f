"""The things a run consists of, as they are stored and as they go over the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from server.corpora.quality import Quality
from server.spec.run_spec import RunSpec

__all__ = [
    "ENDED",
    "SETTLED",
    "ApiModel",
    "Best",
    "Checkpoint",
    "FirstBelow",
    "ForkedFrom",
    "Loss",
    "Milestone",
    "MilestoneKind",
    "Passage",
    "PassageSource",
    "Quality",
    "Replay",
    "Run",
    "RunState",
    "Sample",
    "ValidationLoss",
]


class RunState(StrEnum):
    """Where a run stands in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


SETTLED = {RunState.FINISHED, RunState.STOPPED}
"""The states of runs that ended as they were meant to."""

ENDED = SETTLED | {RunState.FAILED, RunState.INTERRUPTED}
"""The states of runs that go on only when they are resumed, from their newest checkpoint."""

MilestoneKind = Literal["hurrah", "epoch", "change", "checkpoint", "note", "rollback"]


class ApiModel(BaseModel):
    """Base class that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


class Best(ApiModel):
    """The lowest smooth loss so far, in nats a sequence, and the update that reached it."""

    update: int
    smooth_loss: float


class ForkedFrom(ApiModel):
    """Where a fork left another run, which may be there no more."""

    run: str
    checkpoint: str
    update: int


class Run(ApiModel):
    """A run as it stands.

    Attributes
    ----------
    update : int
        Updates made so far.
    epoch : int
        Pass through the corpus, from 1.
    position : int
        Offset in the corpus, in characters, of the next character to be read.
    loss, smooth_loss : float or None
        In nats a sequence; None before the first update.
    validation_loss : float or None
        The last measured on the held-out part, in nats a sequence; None where nothing is held out.
    updates_per_second : float
        Over the last seconds; 0 when it is not training.
    seconds : float
        How long it has trained, pauses not counted; of a run that an earlier version began, since
        it was taken up.
    updates_per_epoch : int
        How many updates one pass through the corpus takes.
    parameters : int
        How many numbers the network learns.
    created_at : str
        ISO 8601, UTC.
    error : str or None
        Why it failed, was interrupted, or paused by itself, in one sentence.
    disk_full : bool
        Whether it stands still because the disk takes nothing more, and goes on when it does.
    forked_from : ForkedFrom or None
        Which run it went on from, and where; None for one that began by itself.
    """

    id: str
    name: str
    state: RunState
    spec: RunSpec
    corpus: str
    corpus_name: str
    corpus_characters: int
    update: int = 0
    epoch: int = 1
    position: int = 0
    loss: float | None = None
    smooth_loss: float | None = None
    best: Best | None = None
    validation_loss: float | None = None
    updates_per_second: float = 0.0
    seconds: float = 0.0
    updates_per_epoch: int
    parameters: int
    created_at: str
    error: str | None = None
    disk_full: bool = False
    forked_from: ForkedFrom | None = None


class Replay(ApiModel):
    """What the network wrote from the same beginning with the same random numbers as ever."""

    text: str
    quality: Quality
    invented_words: list[tuple[int, int]] = Field(default_factory=list)


class Sample(ApiModel):
    """Text that a run wrote while it trained.

    `invented_words` holds the half-open spans, in code points, of the words that the corpus lacks;
    `validation_loss` is measured where a part of the corpus is held out; `replay` is None where no
    snapshot of the network was kept.
    """

    update: int
    epoch: int
    smooth_loss: float | None
    validation_loss: float | None = None
    text: str
    quality: Quality
    hurrahs: list[str] = Field(default_factory=list)
    invented_words: list[tuple[int, int]] = Field(default_factory=list)
    replay: Replay | None = None


class Milestone(ApiModel):
    """Something worth a mark on the curve; its id comes with being kept."""

    id: str = ""
    update: int
    kind: MilestoneKind
    text: str


class Checkpoint(ApiModel):
    """A file from which a run goes on as if nothing had happened.

    `automatic` ones are made by the clock and give way to newer ones; of a `damaged` one the file
    was found to be another than was written.
    """

    id: str
    update: int
    smooth_loss: float | None
    note: str | None
    bytes: int
    created_at: str
    automatic: bool = False
    damaged: bool = False


class ValidationLoss(ApiModel):
    """Loss on the held-out part, where there is one."""

    update: list[int] = Field(default_factory=list)
    loss: list[float] = Field(default_factory=list)


class Loss(ApiModel):
    """Loss over a range of updates, reduced to buckets whose extremes are kept.

    `low` and `high` are the least and greatest loss of each bucket of `bucket` updates, `smooth`
    is the smooth loss at its last update, which `update` names, and `seconds` how long the run had
    trained by then, pauses not counted; null for what an earlier version of the server kept.
    """

    from_: int = Field(alias="from")
    to: int
    bucket: int
    update: list[int]
    seconds: list[float | None]
    smooth: list[float | None]
    low: list[float | None]
    high: list[float | None]
    validation: ValidationLoss = Field(default_factory=ValidationLoss)

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class FirstBelow(ApiModel):
    """When the smooth loss was first below a figure; null where it has not been.

    `seconds` is how long the run had trained by then.
    """

    smooth_loss: float
    update: int | None
    seconds: float | None = None


class EpochLoss(ApiModel):
    """Mean loss in each part of the corpus in one epoch; null where it has not come yet."""

    epoch: int
    loss: list[float | None]


class LossByPosition(ApiModel):
    """Epochs laid over each other; `positions` are where the parts begin, in characters."""

    positions: list[int]
    epochs: list[EpochLoss]


class PassageSource(ApiModel):
    """Which model wrote a passage."""

    kind: Literal["best", "best_validation", "latest", "checkpoint", "snapshot"]
    update: int
    smooth_loss: float | None


class Passage(ApiModel):
    """Text that a person asked for.

    `model` is the fingerprint of the model that wrote it. `fingerprint` is a hash of the request,
    which names that model and the seed: the same model asked for the same has the same one.
    """

    text: str
    prime: str
    seed: int
    source: PassageSource
    temperature: float
    quality: Quality
    unknown_characters: list[str]
    model: str
    fingerprint: str
    invented_words: list[tuple[int, int]] = Field(default_factory=list)
