"""Training with a mistake: the reference with wrong lines, beside the right one.

Both start from the same parameters and read the same text. Mistakes that a gradient check finds
in the result alone are lines here too, and there is one that only training can have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.course.mistakes import (
    MISTAKES,
    NETWORK,
    Mistake,
    Reference,
    Variant,
    mistakes_of,
    patched,
)
from server.rnn.cells import CELLS
from server.rnn.initialisation import initialise
from server.rnn.network import Network
from server.rnn.reference import network
from server.rnn.training.settings import TrainerSettings

__all__ = [
    "Learner",
    "gradient_errors",
    "initial_parameters",
    "right_reference",
    "training_mistakes",
    "training_variant",
    "wrong_reference",
]

Matrix = NDArray[np.float64]
Arrays = dict[str, Matrix]

# These need the right gradients of the same parameters, or have one number for every problem.
NOT_TRAINED = {"scaled", "clipped"}
# Without a layer below there is nothing that they change.
OF_LOWER_LAYERS = {"no_gradient_to_lower_layer"}

_DB = {
    "rnn": [("db += da", "db += 2 * da")],
    "gru": [("db += du", "db += 2 * du"), ("dd += dq", "dd += 2 * dq")],
    "lstm": [("db += da", "db += 2 * da")],
}
_AS_LINES = {
    "mean_instead_of_sum": Variant(
        {
            NETWORK: [
                (
                    "return {name: gradients[name] for name in parameters}",
                    "return {name: gradients[name] / len(y) for name in parameters}",
                )
            ]
        }
    ),
    "biases_doubled": Variant({NETWORK: [("dc += do", "dc += 2 * do")], **_DB}),
}

NOT_CLIPPED = Mistake(
    "not_clipped",
    "gradients not clipped",
    "g = clip(g, -5, 5)",
    "Clip every entry of the gradients to [-5, 5] before AdaGrad uses them.",
    (Variant({NETWORK: [("g = np.clip(gradient, -clip, clip)", "g = gradient")]}),),
)


def training_mistakes(cell: str, layers: int = 1) -> list[Mistake]:
    """Return the mistakes that a network can be trained with."""
    left_out = NOT_TRAINED | (OF_LOWER_LAYERS if layers == 1 else set())
    found = [
        mistake
        for mistake in mistakes_of(cell)
        if mistake.name not in left_out and training_variant(cell, mistake.name).lines
    ]
    return [*found, NOT_CLIPPED]


def training_variant(cell: str, name: str) -> Variant:
    """Return the lines of a mistake in `training_mistakes`."""
    if name == NOT_CLIPPED.name:
        return NOT_CLIPPED.variants[0]
    return _AS_LINES.get(name) or MISTAKES[name].variants_for(cell)[0]


def right_reference(cell: str) -> Reference:
    """Return the reference."""
    return Reference(cell=CELLS[cell].reference, network=network)


def wrong_reference(cell: str, name: str) -> Reference:
    """Return the reference with a mistake."""
    return patched(cell, [training_variant(cell, name)])


def initial_parameters(
    *, cell: str, layers: int, hidden_size: int, vocabulary_size: int, seed: int
) -> Arrays:
    """Return the parameters that a run with these settings starts from."""
    new = Network(vocabulary_size, hidden_size, 1, np.float64, cell=cell, layers=layers)
    initialise(new, TrainerSettings(seed=seed, dtype="float64"))
    # C order, as in code that was written without this program.
    return {name: np.array(view, order="C") for name, view in new.parameters.items()}


class Learner:
    """A network in training, with the smooth loss.

    Parameters
    ----------
    reference : Reference
        The right one, or one with a mistake.
    parameters : dict of str to ndarray of float64
        They are copied.
    text : ndarray of int
        The characters.
    sequence_length : int
        T.

    Attributes
    ----------
    parameters : dict of str to ndarray of float64
        As they are now.
    update : int
        The number of updates made.
    loss : float
        That of the last update; it may be infinite or not a number.
    smooth_loss : float
        The first loss, then ``s smooth_loss + (1 - s) loss``.
    """

    def __init__(
        self,
        reference: Reference,
        parameters: Arrays,
        text: NDArray[np.integer],
        sequence_length: int,
    ) -> None:
        self.reference = reference
        self.parameters = {name: values.copy() for name, values in parameters.items()}
        self.update = 0
        self.loss = self.smooth_loss = math.nan
        self._smoothing = TrainerSettings(sequence_length=sequence_length).smoothing
        self._text, self._sequence_length = text, sequence_length
        self._state = network.zero_state(reference.cell, self.parameters)
        self._position = 0
        self._updates: Iterator[tuple[float, Arrays, int]] = reference.network.train(
            reference.cell, self.parameters, text, sequence_length
        )

    def train(self) -> None:
        """Make an update."""
        # Some mistakes let the parameters grow without limit.
        with np.errstate(all="ignore"):
            loss, self._state, self._position = next(self._updates)
        self.loss = float(loss)
        s = self._smoothing if self.update else 0.0
        self.smooth_loss = s * self.smooth_loss + (1 - s) * self.loss if self.update else self.loss
        self.update += 1

    def sequence(self) -> tuple[Matrix, Matrix, Arrays]:
        """Return x and y of the next update, one-hot, and the state before it."""
        read = self._text[self._position : self._position + self._sequence_length + 1]
        rows = np.eye(len(self.parameters["c"]))[read]
        return rows[:-1], rows[1:], self._state

    def write(self, n: int, seed: int) -> list[int] | None:
        """Write n characters, from the carried state; None if the probabilities are none."""
        rng = np.random.default_rng(SeedSequence(seed))
        written: list[int]
        try:
            with np.errstate(all="ignore"):
                written = self.reference.network.sample(
                    self.reference.cell,
                    self.parameters,
                    self._state,
                    int(self._text[self._position]),
                    n=n,
                    rng=rng,
                )
        except ValueError:
            # NumPy draws only with numbers that are finite and add up to 1.
            return None
        return written


def gradient_errors(right: Learner, wrong: Reference) -> dict[str, float]:
    """Return how far off the gradients of a mistake are, for the right network's next update.

    It is ``|a - b| / max(|a|, |b|)`` of each parameter, with Euclidean norms: 0 for equal ones, 1
    if one is zero, and more than 1 if they point in opposite directions.
    """
    x, y, state = right.sequence()
    with np.errstate(all="ignore"):
        (a, b) = (
            each.network.loss_and_gradients(each.cell, right.parameters, x, y, state)[1]
            for each in (right.reference, wrong)
        )
    return {name: _relative_error(a[name], b[name]) for name in a}


def _relative_error(a: Matrix, b: Matrix) -> float:
    size = max(float(np.linalg.norm(a)), float(np.linalg.norm(b)))
    return float(np.linalg.norm(a - b)) / size if size > 0.0 else 0.0
