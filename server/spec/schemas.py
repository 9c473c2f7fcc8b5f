"""The parts of a run, as they are stored and as they are sent to clients."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from server.corpora.quality import Quality
from server.history.chunks import Floats
from server.rnn.training.trainer import Measure
from server.spec.run_spec import RunSpec

__all__ = [
    "ENDED",
    "SERVER_MACHINE",
    "SETTLED",
    "ApiModel",
    "Best",
    "Checkpoint",
    "FirstBelow",
    "ForkedFrom",
    "GivenWeights",
    "Group",
    "Loss",
    "LossOnTest",
    "Machine",
    "MachineState",
    "MetricBuckets",
    "MetricDescription",
    "Metrics",
    "Milestone",
    "MilestoneKind",
    "OwnLosses",
    "Passage",
    "PassageSource",
    "Quality",
    "Replay",
    "Run",
    "RunGroup",
    "RunState",
    "Sample",
    "ValidationLoss",
]


class RunState(StrEnum):
    """The state of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


SETTLED = {RunState.FINISHED, RunState.STOPPED}
"""The states of runs that ended as intended."""

ENDED = SETTLED | {RunState.FAILED, RunState.INTERRUPTED}
"""The states of runs that train again only if they are resumed, from their newest checkpoint."""

MilestoneKind = Literal["hurrah", "epoch", "change", "checkpoint", "note", "rollback"]


MAX_FILE_NAME_CHARACTERS = 120
MAX_REMARK_CHARACTERS = 2_000
MAX_REMARKS = 10


class ApiModel(BaseModel):
    """Base class that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


class Best(ApiModel):
    """The lowest smooth loss so far, in nats per sequence, and the update that reached it."""

    update: int
    smooth_loss: float


class ForkedFrom(ApiModel):
    """The parent run and checkpoint of a fork. The parent may have been deleted."""

    run: str
    checkpoint: str
    update: int


class GivenWeights(ApiModel):
    """The file from which a run has its first weights, and what was done to its arrays."""

    file: Annotated[str, Field(max_length=MAX_FILE_NAME_CHARACTERS)]
    remarks: Annotated[
        list[Annotated[str, Field(max_length=MAX_REMARK_CHARACTERS)]],
        Field(max_length=MAX_REMARKS),
    ]


class RunGroup(ApiModel):
    """The group of runs to which a run belongs; its members differ in their seeds alone."""

    id: str
    name: str


class Group(ApiModel):
    """A group of runs with the same spec but for seed and name; `runs` are in order of creation.

    `created_at` is in ISO 8601, UTC.
    """

    id: str
    name: str
    runs: list[str]
    created_at: str


class OwnLosses(ApiModel):
    """Losses that a user measured elsewhere: their file, the number of rows, what was assumed.

    `fingerprint` differs if the rows do.
    """

    file: Annotated[str, Field(max_length=MAX_FILE_NAME_CHARACTERS)]
    rows: int
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    remarks: Annotated[
        list[Annotated[str, Field(max_length=MAX_REMARK_CHARACTERS)]],
        Field(max_length=MAX_REMARKS),
    ]


class LossOnTest(ApiModel):
    """The loss of the best model on the test part.

    Attributes
    ----------
    update : int
        The update of the model.
    by : {"smooth_loss", "validation"}
        By which loss it was the best.
    nats, bits : float
        The mean loss of a character.
    characters : int
        The number of characters whose prediction was measured.
    measured_at : str
        ISO 8601, UTC.
    times : int
        How often the test part of this run has been measured, this time included.
    """

    update: int
    by: Measure
    nats: float
    bits: float
    characters: int
    measured_at: str
    times: int

    @classmethod
    def measured(
        cls,
        before: LossOnTest | None,
        *,
        by: Measure,
        update: int,
        nats: float,
        characters: int,
    ) -> Self:
        """Return a measurement made now, after the last one `before`, if there was one."""
        return cls(
            update=update,
            by=by,
            nats=nats,
            bits=nats / math.log(2.0),
            characters=characters,
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            times=1 if before is None else before.times + 1,
        )


class Run(ApiModel):
    """The current state of a run.

    Attributes
    ----------
    update : int
        Updates made so far.
    epoch : int
        The pass through the corpus, counted from 1.
    position : int
        The offset in the corpus, in characters, of the next character to be read.
    loss, smooth_loss : float or None
        In nats per sequence; None before the first update.
    validation_loss : float or None
        The latest loss on the held-out part, in nats per sequence; None if nothing is held out.
    validation_update : int or None
        The update at which it was measured; None if that is not known, in a fork of a run of an
        earlier version.
    updates_per_second : float
        The mean over the last seconds; 0 if the run is not training.
    seconds : float
        The training time, pauses excluded. For a run of an earlier version it counts from when
        this version first loaded the run.
    updates_per_epoch : int
        Updates per pass through the corpus.
    parameters : int
        The number of learned parameters.
    created_at : str
        ISO 8601, UTC.
    error : str or None
        The reason why the run failed, was interrupted or was paused automatically, in a sentence.
    diverged_since : int or None
        The update since which most losses have been more than 3 T ln K, three times that of random
        guessing; None if that is not so, or has not lasted for 100 updates.
    disk_full : bool
        Whether the run is paused because the disk is full. It continues when there is space.
    forked_from : ForkedFrom or None
        The parent run and checkpoint; None if the run is not a fork.
    given_weights : GivenWeights or None
        The file with the weights of update 0; None if they were drawn at random. A fork has its
        parent's.
    own_losses : OwnLosses or None
        The user's losses that are kept beside the run's.
    test : LossOnTest or None
        The last measurement of the test part; None if there was none.
    queue_position : int or None
        The place among the runs that wait to train, from 1; None if the run does not wait.
    machine : str or None
        The machine on which a process has the run's network in memory, "server" or the name of a
        Dask worker; None if there is no such process.
    waiting_for : str or None
        What a queued run waits for, in a sentence; None if the run does not wait.
    group : RunGroup or None
        The group of runs that differ from this one in their seeds alone; None if there is none.
    sweep : str or None
        The id of the sweep that created the run; None if none did, or if it was deleted.
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
    validation_update: int | None = None
    updates_per_second: float = 0.0
    seconds: float = 0.0
    updates_per_epoch: int
    parameters: int
    created_at: str
    error: str | None = None
    diverged_since: int | None = None
    disk_full: bool = False
    forked_from: ForkedFrom | None = None
    given_weights: GivenWeights | None = None
    own_losses: OwnLosses | None = None
    test: LossOnTest | None = None
    queue_position: int | None = None
    machine: str | None = None
    waiting_for: str | None = None
    group: RunGroup | None = None
    sweep: str | None = None


class Replay(ApiModel):
    """Text that always has the same beginning and the same random numbers, at every update."""

    text: str
    quality: Quality
    invented_words: list[tuple[int, int]] = Field(default_factory=list)


class Sample(ApiModel):
    """Text that a run wrote during training.

    `invented_words` are the half-open spans, in code points, of the words that the corpus lacks.
    `validation_loss` is None if nothing is held out. `replay` is None if no snapshot of the network
    was stored.
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
    """An event that is marked on the curve. It gets its id when it is stored."""

    id: str = ""
    update: int
    kind: MilestoneKind
    text: str


class Checkpoint(ApiModel):
    """A file from which a run continues exactly.

    `automatic` checkpoints are saved at intervals and replaced by newer ones. The file of a
    `damaged` checkpoint does not match its checksums.
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
    """The loss on the held-out part of the corpus."""

    update: list[int] = Field(default_factory=list)
    loss: list[float] = Field(default_factory=list)


class Loss(ApiModel):
    """The loss over a range of updates, in buckets of `bucket` updates.

    `low` and `high` are the least and the greatest loss of each bucket. `update` is its last
    update, `smooth` the smooth loss there, and `seconds` the training time up to there, pauses
    excluded; null where an earlier version of the server did not store it.
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


class MetricDescription(ApiModel):
    """A metric that is recorded beside the loss.

    It is measured at the updates that are multiples of `every`. `unit` is empty for a number
    without one.
    """

    name: str
    label: str
    unit: str
    explanation: str
    every: int


class MetricBuckets(ApiModel):
    """The mean, the least and the greatest value of a metric in each bucket.

    Null if the bucket has no value, or if it is not finite.
    """

    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]

    @classmethod
    def of(cls, mean: Floats, low: Floats, high: Floats) -> MetricBuckets:
        """Return these values; those that are not finite become null."""

        def nullable(values: Floats) -> list[float | None]:
            return [value if math.isfinite(value) else None for value in values.tolist()]

        return cls.model_construct(mean=nullable(mean), low=nullable(low), high=nullable(high))


class Metrics(ApiModel):
    """Metrics over a range of updates, in buckets of `bucket` updates.

    `update` is the last measured update of each bucket; the first bucket and the last may be
    shorter. A metric that the run does not have is left out.
    """

    from_: int = Field(alias="from")
    to: int
    bucket: int
    update: list[int]
    metrics: dict[str, MetricBuckets]

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class FirstBelow(ApiModel):
    """The first update at which the smooth loss was below a threshold; null if there is none.

    `seconds` is the training time up to that update.
    """

    smooth_loss: float
    update: int | None
    seconds: float | None = None


class EpochLoss(ApiModel):
    """The mean loss in each part of the corpus in one epoch; null for parts not read yet."""

    epoch: int
    loss: list[float | None]


class LossByPosition(ApiModel):
    """The loss by position in the corpus; `positions` are where its parts start, in characters."""

    positions: list[int]
    epochs: list[EpochLoss]


class PassageSource(ApiModel):
    """The model that wrote a passage."""

    kind: Literal["best", "best_validation", "latest", "checkpoint", "snapshot"]
    update: int
    smooth_loss: float | None


class Passage(ApiModel):
    """Text that a user requested.

    `model` is the fingerprint of the model that wrote it. `fingerprint` is a hash of the request,
    which names that model and the seed: equal requests have equal fingerprints.
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


SERVER_MACHINE = "server"
"""The name of the machine on which the server runs. Its host name is not shown to viewers."""

MachineState = Literal["ready", "paused", "unreachable"]


class Machine(ApiModel):
    """A machine and the runs that train on it.

    Attributes
    ----------
    name : str
        "server", or the name of a Dask worker.
    address : str
        The address at which the server or the Dask worker listens.
    slots : int
        How many threads may train there at the same time.
    used : int
        The threads of the runs that train there, together.
    state : {"ready", "paused", "unreachable"}
        "paused" if it takes no new run at present, "unreachable" if nothing is heard of it.
    runs : list of str
        The ids of these runs, oldest first.
    """

    name: str
    address: str
    slots: int
    used: int
    state: MachineState
    runs: list[str]
