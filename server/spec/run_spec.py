"""A run's spec: every field with its type, range, default and description.

The forms, the command line, the comparison, forks, changes and docs/protocol.md follow from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from server.corpora.visible_text import without_controls
from server.rnn.architecture import MAX_LAYERS
from server.rnn.cells import CELLS
from server.rnn.optimizers import LEARNING_RATES, OPTIMIZERS
from server.rnn.training.batches import ORDERS, Order
from server.rnn.training.settings import TrainerSettings, smoothing_factor
from server.spec.pace import FASTEST_UPDATES_PER_S, PACES, parse_pace
from server.spec.spec_field import Column, DefaultBy, Null, SpecField

__all__ = [
    "FORK_FORM",
    "MAX_NAME_CHARACTERS",
    "NEW_RUN_FORM",
    "SPEC_FIELDS",
    "CellName",
    "FormLayout",
    "RunName",
    "RunSpec",
    "SpecError",
    "SpecModel",
    "StrictModel",
    "describe_changes",
    "encodable",
    "printable",
]

MAX_HIDDEN_SIZE = 2_048
MAX_BATCH_SIZE = 1_024
MAX_SEQUENCE_LENGTH = 1_000
MAX_SAMPLE_LENGTH = 20_000
MAX_UPDATES = 10**12
MAX_WATCH_WORDS = 50
MAX_NAME_CHARACTERS = 120
MAX_SMOOTHING = 0.9999
MAX_THREADS = 64

NETWORK = TrainerSettings()
"""The defaults of everything that the trainer takes."""


def _one_of(registry: Mapping[str, object]) -> AfterValidator:
    """Accept the names that are registered when a spec is checked, not only the shipped ones."""

    def check(name: str) -> str:
        if name not in registry:
            raise ValueError(f"must be one of {', '.join(registry)}")
        return name

    return AfterValidator(check)


CellName = Annotated[str, _one_of(CELLS), WithJsonSchema({"type": "string", "enum": [*CELLS]})]
OptimizerName = Annotated[
    str, _one_of(OPTIMIZERS), WithJsonSchema({"type": "string", "enum": [*OPTIMIZERS]})
]
RunName = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]
WatchWords = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=60)]], Field(max_length=MAX_WATCH_WORDS)
]
PaceValue = Literal["max", "cinematic"] | Annotated[float, Field(gt=0, le=FASTEST_UPDATES_PER_S)]


class SpecError(ValueError):
    """A field has a value that cannot be accepted.

    Attributes
    ----------
    field : str
        The field's name.
    message : str
        What is wrong, without the field's name.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class StrictModel(BaseModel):
    """Refuses unknown fields, and numbers given as strings or booleans."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class SpecModel(StrictModel):
    """Some or all fields of a spec."""

    @field_validator("pace", mode="before", check_fields=False)
    @classmethod
    def _parse_pace(cls, value: object) -> object:
        return value if value is None else parse_pace(value)

    @field_validator("watch_words", "name", check_fields=False)
    @classmethod
    def _normalize_text(cls, value: list[str] | str | None) -> list[str] | str | None:
        if isinstance(value, list):
            return list(dict.fromkeys(_not_blank(word) for word in value))
        return value if value is None else _not_blank(value)


def encodable(text: str) -> str:
    """Return `text` if it can be encoded as UTF-8. JSON allows unpaired surrogates.

    Raises
    ------
    ValueError
        It contains an unpaired surrogate.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("contains half a character (an unpaired surrogate)")
    return text


def printable(text: str) -> str:
    """Return a text as one line without control characters; it may be empty.

    Raises
    ------
    ValueError
        It contains an unpaired surrogate.
    """
    return " ".join(without_controls(encodable(text)).split())


def _not_blank(text: str) -> str:
    if not (shown := printable(text)):
        raise ValueError("must contain at least one visible character")
    return shown


class RunSpec(SpecModel):
    """One training of one network on one corpus, as requested.

    The sizes have the course's symbols: m hidden units, sequences of T characters, B streams.
    """

    corpus: Annotated[
        str | None,
        SpecField(
            label="Text to learn from",
            explanation="The id of the corpus.",
            null=Null("the shipped text"),
            command_line="unused",
            column=Column("text", "{corpus}"),
        ),
    ] = None
    name: Annotated[
        RunName | None,
        SpecField(
            label="Name",
            explanation="The name in the list of runs.",
            null=Null("made up if left empty", phrase="made up"),
            change="value",
            fork=True,
            command_line="unused",
        ),
    ] = None
    cell: Annotated[
        CellName,
        SpecField(
            label="Cell",
            explanation="The kind of layer; those with gates remember for longer.",
            choices=lambda: {name: cell.label for name, cell in CELLS.items()},
            column=Column("cell", "{cell}"),
        ),
    ] = NETWORK.cell
    hidden_size: Annotated[
        int,
        Field(ge=1, le=MAX_HIDDEN_SIZE),
        SpecField(
            label="Hidden size",
            explanation="Hidden units per layer, m; more learn more, more slowly.",
            display="count",
            column=Column("units", "{hidden_size} units"),
        ),
    ] = NETWORK.hidden_size
    layers: Annotated[
        int,
        Field(ge=1, le=MAX_LAYERS),
        SpecField(
            label="Layers",
            explanation=f"Recurrent layers, one above the other, up to {MAX_LAYERS}.",
            display="count",
            column=Column("layers", "{layers} layers", singular="1 layer"),
        ),
    ] = NETWORK.layers
    dropout: Annotated[
        float,
        Field(ge=0, lt=1),
        SpecField(
            label="Dropout",
            explanation="Share of the hidden states dropped between layers.",
            form_max=0.95,
            fork=True,
            column=Column("dropout", "dropout {dropout}", unused=0),
        ),
    ] = NETWORK.dropout
    sequence_length: Annotated[
        int,
        Field(ge=1, le=MAX_SEQUENCE_LENGTH),
        SpecField(
            label="Sequence length",
            explanation="Characters that each stream reads per update, T.",
            display="count",
            column=Column("sequence", "sequences of {sequence_length}", unit="characters"),
        ),
    ] = NETWORK.sequence_length
    batch_size: Annotated[
        int,
        Field(ge=1, le=MAX_BATCH_SIZE),
        SpecField(
            label="Batch size",
            explanation="Streams that read parts of the text in parallel, B.",
            display="count",
            column=Column("batch", "batch {batch_size}", unit="streams"),
        ),
    ] = NETWORK.batch_size
    order: Annotated[
        Order,
        SpecField(
            label="Order of the text",
            explanation="Shuffled: each epoch has a new order, with a zero state at each jump.",
            choices=lambda: ORDERS,
            column=Column("order", "{order} order", unused="sequential"),
        ),
    ] = NETWORK.order
    optimizer: Annotated[
        OptimizerName,
        SpecField(
            label="Optimizer",
            explanation="The update rule, which sets the default learning rate.",
            choices=lambda: {name: rule.LABEL for name, rule in OPTIMIZERS.items()},
            column=Column("optimizer", "{optimizer}"),
        ),
    ] = NETWORK.optimizer
    learning_rate: Annotated[
        float,
        Field(gt=0),
        SpecField(
            label="Learning rate",
            explanation="The step size of each update.",
            fork_explanation="The step size; a smaller one settles lower, but later.",
            default_by=DefaultBy("optimizer", LEARNING_RATES),
            change="value",
            fork=True,
            column=Column("rate", "rate {learning_rate}"),
        ),
    ] = LEARNING_RATES[NETWORK.optimizer]
    learning_rate_decay: Annotated[
        float,
        Field(gt=0, le=1),
        SpecField(
            label="Learning-rate decay",
            explanation="Factor on the learning rate per epoch; 1 means no decay.",
            fork=True,
            column=Column("decay", "decay {learning_rate_decay}", unused=1),
        ),
    ] = NETWORK.learning_rate_decay
    clip: Annotated[
        float | None,
        Field(gt=0),
        SpecField(
            label="Clip at",
            explanation="The limit of each gradient entry, or of their norm.",
            null=Null("not at all", option_of="clip_mode", phrase="no clipping", zero=True),
            fork=True,
            column=Column("clip", "clipped at {clip} by {clip_mode}"),
        ),
    ] = NETWORK.clip
    clip_mode: Annotated[
        Literal["value", "norm"],
        SpecField(
            label="Clip the gradients",
            explanation="How gradients are clipped: entry by entry, or by their norm.",
            choices=lambda: {"value": "each entry", "norm": "their norm"},
            fork=True,
        ),
    ] = NETWORK.clip_mode
    init_scale: Annotated[
        float | None,
        Field(gt=0, le=100),
        SpecField(
            label="Initial scale",
            explanation="Standard deviation of the initial weights.",
            null=Null("by fan-in", phrase="scaled by fan-in", zero=True),
            column=Column("initial scale", "initial scale {init_scale}"),
        ),
    ] = NETWORK.init_scale
    validation_fraction: Annotated[
        float,
        Field(ge=0, lt=1),
        SpecField(
            label="Held out",
            explanation="Share of the text held out, to show overfitting.",
            display="share",
            form_max=0.5,
            column=Column("held out", "{validation_fraction} held out", unused=0, unit="share"),
        ),
    ] = NETWORK.validation_fraction
    test_fraction: Annotated[
        float,
        Field(ge=0, lt=1),
        SpecField(
            label="Test part",
            explanation="Share of the text, at its end, to test the best model on, once.",
            display="share",
            form_max=0.5,
            column=Column("test part", "{test_fraction} to test on", unused=0, unit="share"),
        ),
    ] = NETWORK.test_fraction
    loss_smoothing: Annotated[
        float | None,
        Field(ge=0, le=MAX_SMOOTHING),
        SpecField(
            label="Loss smoothing",
            explanation="Factor s of the smooth loss; by default 1 - T B / 25,000, at least 0.9.",
            null=Null("automatic", phrase="smoothed over about 25,000 characters"),
            column=Column("smoothing", "smoothing {loss_smoothing}"),
        ),
    ] = NETWORK.loss_smoothing
    seed: Annotated[
        int,
        Field(ge=0, lt=2**63),
        SpecField(
            label="Seed",
            explanation="The same seed gives the same run.",
            fork_explanation="Of the samples and of dropout after the fork.",
            fork=True,
            column=Column("seed", "seed {seed}"),
        ),
    ] = NETWORK.seed
    dtype: Annotated[
        Literal["float32", "float64"],
        SpecField(
            label="Numbers",
            explanation="The type of all numbers; float64 is slower and more exact.",
            choices=lambda: {"float32": "float32", "float64": "float64"},
            column=Column("numbers", "{dtype}"),
        ),
    ] = NETWORK.dtype
    threads: Annotated[
        int,
        Field(ge=1, le=MAX_THREADS),
        SpecField(
            label="Threads",
            explanation="Cores that share the streams of a batch; faster for large networks.",
            display="count",
            fork=True,
            column=Column("threads", schedule=True),
        ),
    ] = NETWORK.threads
    max_updates: Annotated[
        int | None,
        Field(ge=1, le=MAX_UPDATES),
        SpecField(
            label="Updates",
            explanation="Updates until the run finishes.",
            fork_explanation="In total, including those before the fork.",
            display="count",
            null=Null("until stopped"),
            change="value or null",
            fork=True,
            option="updates",
            column=Column("to update", schedule=True),
        ),
    ] = 100_000
    sample_every: Annotated[
        int,
        Field(ge=1, le=MAX_UPDATES),
        SpecField(
            label="Sample every",
            explanation="Updates between two samples of the writing.",
            display="count",
            change="value",
            fork=True,
            column=Column("sample every", schedule=True, unit="updates"),
        ),
    ] = 10_000
    sample_length: Annotated[
        int,
        Field(ge=1, le=MAX_SAMPLE_LENGTH),
        SpecField(
            label="Sample length",
            explanation="Characters per sample.",
            display="count",
            fork=True,
            column=Column("sample length", schedule=True, unit="characters"),
        ),
    ] = 200
    checkpoint_every_s: Annotated[
        float,
        Field(ge=1, le=86_400),
        SpecField(
            label="Checkpoint every",
            explanation="Seconds between automatic checkpoints.",
            display="seconds",
            fork=True,
            column=Column("checkpoint every", schedule=True, unit="s"),
        ),
    ] = 30
    pace: Annotated[
        PaceValue,
        SpecField(
            label="Pace",
            explanation="The limit on the speed; cinematic starts slowly.",
            display="pace",
            choices=lambda: PACES,
            change="value",
            fork=True,
            command_line="unused",
            column=Column("pace", schedule=True, unit="updates/s"),
        ),
    ] = "max"
    watch_words: Annotated[
        WatchWords | None,
        SpecField(
            label="Watched words",
            explanation="Words whose first appearance is celebrated.",
            fork_explanation="Separated by commas; the first appearance of each is celebrated.",
            display="words",
            null=Null("the text's own names"),
            change="value or null",
            fork=True,
            command_line="file",
            column=Column("watched words", schedule=True),
        ),
    ] = None
    paused: Annotated[
        bool,
        SpecField(
            label="Begin paused",
            explanation="Whether the run waits at its first update until it is resumed.",
            fork=True,
            command_line="unused",
        ),
    ] = False

    @property
    def slots(self) -> int:
        """The cores that it can use: at most one for each stream."""
        return min(self.threads, self.batch_size)

    @property
    def smoothing(self) -> float:
        """The factor of the smooth loss."""
        return smoothing_factor(self.loss_smoothing, self.sequence_length, self.batch_size)

    @model_validator(mode="before")
    @classmethod
    def _default_by_another_field(cls, fields: object) -> object:
        """Set defaults that depend on another field, such as the optimizer's learning rate."""
        if not isinstance(fields, dict):
            return fields
        defaults: dict[str, Any] = {}
        for name, about in SPEC_FIELDS.items():
            if about.default_by is not None and name not in fields:
                other = fields.get(about.default_by.field)
                if isinstance(other, str) and other in about.default_by.defaults:
                    defaults[name] = about.default_by.defaults[other]
        return fields | defaults


SPEC_FIELDS: dict[str, SpecField] = {
    name: next(each for each in field.metadata if isinstance(each, SpecField))
    for name, field in RunSpec.model_fields.items()
}
"""The description of each field, in the order of the fields."""


@dataclass(frozen=True, slots=True)
class FormLayout:
    """The fields of a form in the order in which they are shown.

    Attributes
    ----------
    main : tuple of str
        Always in view.
    folded : tuple of str
        In view once the form's last section is opened.
    """

    main: tuple[str, ...]
    folded: tuple[str, ...]


NEW_RUN_FORM = FormLayout(
    main=(
        *("name", "pace", "hidden_size", "sequence_length", "learning_rate", "max_updates"),
        *("sample_every", "seed"),
    ),
    folded=(
        *("cell", "layers", "dropout", "batch_size", "order", "optimizer", "learning_rate_decay"),
        *("clip_mode", "clip", "init_scale", "validation_fraction", "test_fraction"),
        *("loss_smoothing", "dtype", "threads"),
        *("sample_length", "checkpoint_every_s", "paused", "watch_words"),
    ),
)
"""The form for a new run. The corpus has a place of its own above it."""

FORK_FORM = FormLayout(
    main=("name", "learning_rate", "max_updates", "pace", "sample_every", "watch_words"),
    folded=(
        *("seed", "learning_rate_decay", "clip_mode", "clip", "dropout", "sample_length"),
        *("checkpoint_every_s", "threads"),
    ),
)
"""The form for a fork. The checkpoint is above it, and `paused` below."""


def describe_changes(before: RunSpec, changes: Mapping[str, object]) -> str:
    """Return the changes in words, such as "learning rate 0.1 → 0.05"."""
    return "; ".join(
        f"{field.replace('_', ' ')} {_in_words(getattr(before, field))} → {_in_words(value)}"
        for field, value in changes.items()
    )


def _in_words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,g}" if isinstance(value, float) else f"{value:,}"
    return "none" if value is None else str(value)
