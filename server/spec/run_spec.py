"""What a run is asked to be: its spec, and what may be changed while it lives."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from server.rnn.architecture import MAX_LAYERS, CellName
from server.rnn.optimizers import LEARNING_RATES, OptimizerName
from server.spec.pace import parse_pace

__all__ = ["RunChange", "RunSpec", "SpecError", "encodable", "in_words"]

MAX_HIDDEN_SIZE = 2_048
MAX_BATCH_SIZE = 1_024
MAX_SEQUENCE_LENGTH = 1_000
MAX_SAMPLE_LENGTH = 20_000
MAX_UPDATES = 10**12
MAX_WATCH_WORDS = 50

Words = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=60)]], Field(max_length=MAX_WATCH_WORDS)
]
Name = Annotated[str, Field(min_length=1, max_length=120)]
PaceValue = Literal["max", "cinematic"] | Annotated[float, Field(gt=0, le=1_000_000)]


class SpecError(ValueError):
    """A field of a spec can't be what it is.

    Attributes
    ----------
    field : str
        The field's name.
    message : str
        One clear sentence.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class _Strict(BaseModel):
    """Unknown fields are refused, and a number is not a string nor a truth value."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @field_validator("pace", mode="before", check_fields=False)
    @classmethod
    def _pace(cls, value: object) -> object:
        return value if value is None else parse_pace(value)

    @field_validator("watch_words", "name", check_fields=False)
    @classmethod
    def _tidy(cls, value: list[str] | str | None) -> list[str] | str | None:
        if isinstance(value, list):
            return list(dict.fromkeys(_printable(word) for word in value))
        return value if value is None else _printable(value)


def encodable(text: str) -> str:
    """Return `text` if it can be encoded: JSON lets half a surrogate pair through.

    Raises
    ------
    ValueError
        It can't.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds half a character (an unpaired surrogate)")
    return text


def _printable(text: str) -> str:
    # A control character in a name could turn round the words beside it. The zero-width joiners
    # hold some letters and pictures together.
    shown = "".join(
        each if each in "\u200c\u200d" or unicodedata.category(each)[0] != "C" else " "
        for each in encodable(text)
    )
    tidy = " ".join(shown.split())
    if not tidy:
        raise ValueError("must hold at least one visible character")
    return tidy


class RunSpec(_Strict):
    """One training of one network on one corpus, as asked for.

    Attributes
    ----------
    corpus : str or None
        Id of the text to learn from; None: the shipped one.
    name : str or None
        Shown name; None: made up.
    cell : {"rnn", "gru", "lstm"}
        What the layers are made of.
    hidden_size : int
        m, hidden units of a layer, 1 to 2,048.
    layers : int
        1 to 4.
    dropout : float
        Share of what a layer hands to the next that is dropped at each update, in [0, 1).
    sequence_length : int
        T, characters an update reads, 1 to 1,000.
    batch_size : int
        B, streams that read the text in parallel, 1 to 1,024.
    optimizer : {"adagrad", "adam", "rmsprop", "sgd"}
        The update rule.
    learning_rate : float
        eta, above 0; 0.1 with AdaGrad and SGD, 0.002 with Adam and RMSProp.
    learning_rate_decay : float
        Factor on the learning rate at the start of each epoch after the first, in (0, 1].
    clip : float or None
        Bound on the gradients: on each entry (`clip_mode` "value") or on their global Euclidean
        norm ("norm"); None: none.
    init_scale : float or None
        Standard deviation of the first weights; None: 1/sqrt(fan-in).
    validation_fraction : float
        Share of the text, from its end, that is held out from learning, in [0, 1).
    seed : int
        Of everything random in the run.
    max_updates : int or None
        Updates after which the run is finished; None: it goes on until it is stopped.
    sample_every : int
        Updates between samples, once past the first, denser ones.
    sample_length : int
        Characters a sample has, 1 to 20,000.
    checkpoint_every_s : float
        Seconds between automatic checkpoints.
    pace : float or {"max", "cinematic"}
        Updates a second, as many as the machine can do, or slow at first and ever faster.
    watch_words : list of str or None
        Words whose first appearance is celebrated; None: the corpus's own names.
    paused : bool
        Whether the run stands still at update 0 until it is resumed.
    """

    corpus: str | None = None
    name: Name | None = None
    cell: CellName = "rnn"
    hidden_size: int = Field(100, ge=1, le=MAX_HIDDEN_SIZE)
    layers: int = Field(1, ge=1, le=MAX_LAYERS)
    dropout: float = Field(0.0, ge=0, lt=1)
    sequence_length: int = Field(25, ge=1, le=MAX_SEQUENCE_LENGTH)
    batch_size: int = Field(1, ge=1, le=MAX_BATCH_SIZE)
    optimizer: OptimizerName = "adagrad"
    learning_rate: float = Field(LEARNING_RATES["adagrad"], gt=0)
    learning_rate_decay: float = Field(1.0, gt=0, le=1)
    clip: float | None = Field(5.0, gt=0)
    clip_mode: Literal["value", "norm"] = "value"
    init_scale: float | None = Field(0.01, gt=0, le=100)
    validation_fraction: float = Field(0.0, ge=0, lt=1)
    seed: int = Field(0, ge=0, lt=2**63)
    dtype: Literal["float32", "float64"] = "float32"
    max_updates: int | None = Field(100_000, ge=1, le=MAX_UPDATES)
    sample_every: int = Field(10_000, ge=1, le=MAX_UPDATES)
    sample_length: int = Field(200, ge=1, le=MAX_SAMPLE_LENGTH)
    checkpoint_every_s: float = Field(30, ge=1, le=86_400)
    pace: PaceValue = "max"
    watch_words: Words | None = None
    paused: bool = False

    @model_validator(mode="before")
    @classmethod
    def _usual_rate(cls, fields: object) -> object:
        """Take the learning rate that goes with the optimiser, where none is given."""
        if not isinstance(fields, dict) or "learning_rate" in fields:
            return fields
        optimizer = fields.get("optimizer")
        if isinstance(optimizer, str) and optimizer in LEARNING_RATES:
            return fields | {"learning_rate": LEARNING_RATES[optimizer]}
        return fields


class RunChange(_Strict):
    """What may be changed about a run that exists; fields that are not given stay as they are.

    `watch_words` None goes back to the corpus's own names.
    """

    name: Name | None = None
    learning_rate: float | None = Field(None, gt=0)
    pace: PaceValue | None = None
    max_updates: int | None = Field(None, ge=1, le=MAX_UPDATES)
    sample_every: int | None = Field(None, ge=1, le=MAX_UPDATES)
    watch_words: Words | None = None

    @field_validator("name", "learning_rate", "pace", "sample_every", mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        if value is None:
            raise ValueError("can't be null: leave it out to keep it as it is")
        return value

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change was named")
        return self


def in_words(before: RunSpec, changes: Mapping[str, object]) -> str:
    """Say what changes: "learning rate 0.1 → 0.05"."""
    return "; ".join(
        f"{field.replace('_', ' ')} {_words(getattr(before, field))} → {_words(value)}"
        for field, value in changes.items()
    )


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,g}" if isinstance(value, float) else f"{value:,}"
    return "none" if value is None else str(value)
