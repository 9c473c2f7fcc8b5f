"""The metrics: numbers that describe an update, recorded beside the loss.

Every `MEASURED_EVERY`-th update is measured, whatever happened before, so a run that resumes has
the same metrics as one that was never interrupted. Measuring changes nothing that is learnt.

To add a metric, add its definition to `METRICS`. Everything else follows from it: the history, the
stream, the charts, the comparison and the files for download.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from server.rnn.answers import find_answers
from server.rnn.optimizers.clipping import norm_and_clipped_share
from server.rnn.parameters import Array, Parameters, euclidean_norm
from server.rnn.threaded_network import AnyNetwork
from server.rnn.training.batches import BatchIterator
from server.rnn.training.settings import TrainerSettings
from server.rnn.vocabulary import Vocabulary

__all__ = [
    "MEASURED_EVERY",
    "METRICS",
    "METRIC_NAME",
    "Metric",
    "MetricValues",
    "Training",
    "Update",
    "measured_updates",
]

MEASURED_EVERY = 64
"""The updates that are measured are the multiples of this number.

Measuring takes up to as long as an update, so half of this number would cost 2 % of the time
(``python -m benchmarks metrics``). Stored histories depend on it: a change needs a migration.
"""


def measured_updates(first: int, last: int) -> range:
    """Return those of the updates from `first` to `last` that are measured."""
    return range(-(-first // MEASURED_EVERY) * MEASURED_EVERY, last + 1, MEASURED_EVERY)


METRIC_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""The form of the name of a metric, of this or another version of the program."""


MetricValues = dict[str, float]
"""The values of one measured update, by the metrics' names."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is the same at every update of a training.

    Attributes
    ----------
    settings : TrainerSettings
    text : ndarray of int, shape (n,)
        The whole text, held-out parts included.
    vocabulary : Vocabulary or None
        The characters of the indices in `text`; None if the trainer was not told.
    """

    settings: TrainerSettings
    text: NDArray[np.integer]
    vocabulary: Vocabulary | None

    @cached_property
    def answers(self) -> NDArray[np.bool_] | None:
        """Whether each character of `text` is an answer; None if the text has none.

        See `server.rnn.answers`.
        """
        return None if self.vocabulary is None else find_answers(self.text, self.vocabulary)


class Update:
    """What a metric is computed from. The arrays must not be changed or kept.

    They are where the network has them, so that measuring copies little.

    Parameters
    ----------
    training : Training
    network : Network or ThreadedNetwork
        After its backward pass.
    batches : BatchIterator
        Before it advances.
    kernel : module or None
        Compiled code that measures the gradients; None: NumPy.
    step : Parameters
        See below; it may be filled later.
    number, loss, learning_rate, x, y
        See below.

    Attributes
    ----------
    training : Training
    number : int
        The number of the update, counted from 1.
    loss : float
        In nats, summed over the sequence and averaged over the streams.
    learning_rate : float
        eta of this update's step.
    x, y : ndarray of intp, shape (T, B)
        The characters read, and the character that follows each of them.
    step : Parameters
        The change of the parameters. A metric that is measured before clipping must not use it.
    """

    __slots__ = (
        *("_batches", "_kernel", "_network", "_norm_and_share"),
        *("learning_rate", "loss", "number", "step", "training", "x", "y"),
    )

    def __init__(
        self,
        training: Training,
        network: AnyNetwork,
        batches: BatchIterator,
        kernel: ModuleType | None,
        *,
        step: Parameters,
        number: int,
        loss: float,
        learning_rate: float,
        x: NDArray[np.intp],
        y: NDArray[np.intp],
    ) -> None:
        self._network, self._batches, self._kernel = network, batches, kernel
        self._norm_and_share: tuple[float, float] | None = None
        self.training, self.step = training, step
        self.number, self.loss, self.learning_rate = number, loss, learning_rate
        self.x, self.y = x, y

    @property
    def gradients(self) -> Parameters:
        """The gradients, clipped unless the metric is measured before clipping."""
        return self._network.gradients

    @property
    def norm_and_clipped_share(self) -> tuple[float, float]:
        """The gradients' norm and the share that clipping changes; to be read before clipping."""
        if self._norm_and_share is None:
            settings = self.training.settings
            self._norm_and_share = norm_and_clipped_share(
                self.gradients.flat, settings.clip, settings.clip_mode, self._kernel
            )
        return self._norm_and_share

    def norm(self, parameters: Parameters) -> float:
        """Return the Euclidean norm of the parameters, their gradients or their step."""
        if self._kernel is None:
            return euclidean_norm(parameters.flat)
        return math.sqrt(self._kernel.measure(parameters.flat, math.inf)[0])

    @property
    def parameters(self) -> Parameters:
        """The parameters after the step, or before it if the metric is measured before clipping."""
        return self._network.parameters

    @property
    def positions(self) -> list[int]:
        """The index in the text of the first character that each of the B streams reads."""
        return self._batches.text_positions

    @property
    def likeliest(self) -> NDArray[np.intp]:
        """The character with the greatest probability of following, of shape (T, B)."""
        return self._network.likeliest

    @property
    def losses(self) -> Array:
        """-log of the probability of each character in `y`, in nats, of shape (T, B)."""
        return self._network.losses.reshape(self.x.shape)


def _always(_: Training) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The definition of a metric.

    Attributes
    ----------
    name : str
        Lower-case letters, digits and underscores, at most 40. Histories store it.
    label : str
        The name that people read.
    unit : str
        Empty for a number without a unit.
    explanation : str
        What the metric says, in a sentence or two.
    measure : callable
        Returns the value at an `Update`; NaN where this update has none.
    before_clipping : bool
        Whether to call `measure` before the gradients are clipped, not after the step.
    applies : callable
        Whether a `Training` has the metric at all; it is asked once.
    """

    name: str
    label: str
    unit: str
    explanation: str
    measure: Callable[[Update], float]
    before_clipping: bool = False
    applies: Callable[[Training], bool] = _always


def _gradient_norm(update: Update) -> float:
    return update.norm_and_clipped_share[0]


def _clipped_share(update: Update) -> float:
    return update.norm_and_clipped_share[1]


def _update_ratio(update: Update) -> float:
    norm = update.norm(update.parameters)
    return update.norm(update.step) / norm if norm else math.nan


def _learning_rate(update: Update) -> float:
    return update.learning_rate


def _right_answers(update: Update) -> float:
    answers = update.training.answers
    assert answers is not None, "applies says so"
    steps = 1 + np.arange(len(update.y))[:, None]
    asked = answers[update.positions + steps]
    if not asked.any():
        return np.nan
    return float((update.likeliest == update.y)[asked].mean())


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="gradient_norm",
            label="gradient norm",
            unit="nats",
            explanation=(
                "The Euclidean norm of the gradient of all parameters, before clipping. A sudden"
                " peak is an exploding gradient."
            ),
            measure=_gradient_norm,
            before_clipping=True,
        ),
        Metric(
            name="clipped_share",
            label="share clipped",
            unit="",
            explanation=(
                "The share of the gradient's numbers that clipping changes. A few per cent are"
                " usual early in a training; if it stays high, the limit sets the direction of the"
                " steps."
            ),
            measure=_clipped_share,
            before_clipping=True,
            applies=lambda training: training.settings.clip is not None,
        ),
        Metric(
            name="update_ratio",
            label="update-to-weight ratio",
            unit="",
            explanation=(
                "The norm of the step divided by the norm of the parameters. About 0.001 is usual:"
                " far above it the training is unstable, far below it the training is slow."
            ),
            measure=_update_ratio,
        ),
        Metric(
            name="learning_rate",
            label="learning rate",
            unit="",
            explanation=(
                "The factor of the step, after its decay and after every change that was made"
                " during the training."
            ),
            measure=_learning_rate,
        ),
        Metric(
            name="right_answers",
            label="right answers",
            unit="",
            explanation=(
                "The share of the answers in a toy text at which the likeliest character is the"
                " right one. An answer is a character that the line so far determines."
            ),
            measure=_right_answers,
            applies=lambda training: training.answers is not None,
        ),
    )
}
"""The metrics by name, in the order in which they are shown."""
