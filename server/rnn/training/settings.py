"""The settings of a trainer."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from server.rnn.architecture import MAX_LAYERS
from server.rnn.cells import CELLS, DEFAULT_CELL
from server.rnn.optimizers import OPTIMIZERS
from server.rnn.training.batches import ORDERS, Order

# The purposes of random numbers; each has an independent stream derived from the seed.
INITIALISATION, SAMPLES, DROPOUT = 0, 1, 2

# The smooth loss of the course's sizes (T = 25, B = 1) has the factor 0.999. With 1 - s weighing a
# loss of T B characters, that is an average over about 25,000 characters, at every size. No fewer
# than ten losses are averaged.
SMOOTHED_CHARACTERS = 25_000
MIN_DEFAULT_SMOOTHING = 0.9


def smoothing_factor(loss_smoothing: float | None, sequence_length: int, batch_size: int) -> float:
    """Return the factor s of the smooth loss, which is s * smooth + (1 - s) * loss.

    Parameters
    ----------
    loss_smoothing : float or None
        The factor that was chosen; None for the default.
    sequence_length, batch_size : int
        T and B. The default is 1 - T B / 25,000, and at least 0.9.
    """
    if loss_smoothing is not None:
        return loss_smoothing
    return max(MIN_DEFAULT_SMOOTHING, 1.0 - sequence_length * batch_size / SMOOTHED_CHARACTERS)


class SettingsError(ValueError):
    """A setting of the trainer is outside its range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerSettings:
    """The settings of a trainer.

    Attributes
    ----------
    cell : str
        The name of the layers' cell, in `CELLS`.
    hidden_size : int
        m, at least 1.
    layers : int
        1 to 4.
    dropout : float
        The fraction of the hidden states dropped between two layers at each update, from 0 to less
        than 1. It has no effect with one layer.
    sequence_length : int
        T, the characters of each stream that an update reads, at least 1.
    batch_size : int
        B, the streams that read the text in parallel, at least 1.
    order : {"sequential", "shuffled"}
        Whether every epoch reads the sequences as they follow each other in the text, or in a new
        order, with a zero state wherever the text jumps.
    optimizer : str
        The name of the update rule, in `OPTIMIZERS`.
    learning_rate : float
        eta, 0 or greater; see `optimizers.LEARNING_RATES`.
    learning_rate_decay : float
        The factor applied to the learning rate at the start of each epoch but the first.
    clip : float or None
        The limit of the gradients, greater than 0; None for no clipping.
    clip_mode : {"value", "norm"}
        Whether `clip` limits each gradient separately or the norm of the whole gradient.
    init_scale : float or None
        The standard deviation of the initial U, W and V; None for 1 / sqrt(fan-in) of each.
    validation_fraction : float
        The fraction of the text that is held out to validate on, from 0 to less than 1. It is the
        end of the text, before the test part.
    test_fraction : float
        The fraction of the text, at its end, that is held out to test on, from 0 to less than 1.
    loss_smoothing : float or None
        The factor of the smooth loss, from 0 to less than 1; None for `smoothing_factor`'s default.
    seed : int
        0 or greater. The same seed, settings and text give the same bytes on the same machine.
    dtype : {"float32", "float64"}
        The type of every number in the network.
    threads : int
        The threads that share the streams, at least 1; those beyond the number of streams are not
        used. Results with another number of threads are equal up to rounding.

    Raises
    ------
    SettingsError
        If a setting is outside its range.
    """

    cell: str = DEFAULT_CELL
    hidden_size: int = 100
    layers: int = 1
    dropout: float = 0.0
    sequence_length: int = 25
    batch_size: int = 1
    order: Order = "sequential"
    optimizer: str = "adagrad"
    learning_rate: float = 0.1
    learning_rate_decay: float = 1.0
    clip: float | None = 5.0
    clip_mode: Literal["value", "norm"] = "value"
    init_scale: float | None = 0.01
    validation_fraction: float = 0.0
    test_fraction: float = 0.0
    loss_smoothing: float | None = None
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"
    threads: int = 1

    def __post_init__(self) -> None:
        validation, test = self.validation_fraction, self.test_fraction
        rules = {
            f"cell must be {_one_of(CELLS)}": self.cell in CELLS,
            "hidden_size must be at least 1": self.hidden_size >= 1,
            f"layers must be from 1 to {MAX_LAYERS}": 1 <= self.layers <= MAX_LAYERS,
            "dropout must be from 0 to less than 1": 0.0 <= self.dropout < 1.0,
            "sequence_length must be at least 1": self.sequence_length >= 1,
            "batch_size must be at least 1": self.batch_size >= 1,
            f"order must be {_one_of(ORDERS)}": self.order in ORDERS,
            f"optimizer must be one of {', '.join(OPTIMIZERS)}": self.optimizer in OPTIMIZERS,
            "learning_rate must be a finite number, 0 or greater": _at_least_0(self.learning_rate),
            "learning_rate_decay must be a finite number, 0 or greater": _at_least_0(
                self.learning_rate_decay
            ),
            "clip must be a number greater than 0, or None": self.clip is None or self.clip > 0,
            "clip_mode must be 'value' or 'norm'": self.clip_mode in {"value", "norm"},
            "init_scale must be a finite number, 0 or greater, or None": self.init_scale is None
            or _at_least_0(self.init_scale),
            "validation_fraction must be from 0 to less than 1": 0.0 <= validation < 1.0,
            "test_fraction must be from 0 to less than 1": 0.0 <= test < 1.0,
            "loss_smoothing must be from 0 to less than 1, or None": self.loss_smoothing is None
            or 0.0 <= self.loss_smoothing < 1.0,
            "seed must be 0 or greater": self.seed >= 0,
            "dtype must be 'float32' or 'float64'": self.dtype in {"float32", "float64"},
            "threads must be at least 1": self.threads >= 1,
        }
        for rule, holds in rules.items():
            if not holds:
                raise SettingsError(f"{rule}.")

    @property
    def used_threads(self) -> int:
        """The number of threads that have a stream to compute."""
        return min(self.threads, self.batch_size)

    @property
    def smoothing(self) -> float:
        """The factor of the smooth loss."""
        return smoothing_factor(self.loss_smoothing, self.sequence_length, self.batch_size)


def _one_of(names: Iterable[str]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last


def _at_least_0(value: float) -> bool:
    return math.isfinite(value) and value >= 0.0
