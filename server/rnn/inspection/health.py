"""Health: whether the gradients, the units and the weights of a network are as they should be."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.rnn.inspection.memory import LAGS, Memory, losses_measured, measure_memory
from server.rnn.inspection.time_gradients import read
from server.rnn.model import Model
from server.rnn.network import Network
from server.rnn.optimizers.clipping import clipped_share
from server.rnn.parameters import Array, Parameters, euclidean_norm
from server.rnn.training.batches import BatchLayout
from server.rnn.training.settings import DROPOUT, TrainerSettings
from server.rnn.training.trainer import Trainer
from server.rnn.training.validation import divide_text

Indices = NDArray[np.integer]

READ = 300
"""Characters that the units are observed over."""
SATURATED = 0.95
"""The least activation of a saturated unit. The slope of tanh is there 1 - 0.95^2 = 0.1."""
UNMOVED = 0.01
"""The greatest range of a dead unit's activation."""
# The norm of a power exceeds that of the eigenvalue by a factor of at most about m^2, whose root of
# this degree is 1.003 for 1,000 units.
SQUARINGS = 12
MAX_UNITS = 512
"""The spectral radius of larger matrices is not computed: it would take a second or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of a network at an update.

    Attributes
    ----------
    gradient_norm : float
        The Euclidean norm of the gradient of the next update, before clipping.
    clipped_share : float
        The share of its numbers that clipping changes, from 0 to 1; when the norm is limited, 1 if
        it is above the limit, else 0.
    saturated_share : list of float
        By layer: the share of activations that are greater than 0.95 or less than -0.95.
    dead_share : list of float
        By layer: the share of units whose activation stayed within a range of 0.01.
    spectral_radius : list of list of float
        By layer and gate: the greatest absolute value of the eigenvalues of the gate's block of W;
        not a number for layers of more than 512 units.
    parameter_norms : dict of str to float
        The Euclidean norm of each parameter.
    memory : Memory
        How far the gradient reaches back in time.
    characters : int
        The number of characters that units and memory were observed over.
    """

    gradient_norm: float
    clipped_share: float
    saturated_share: list[float]
    dead_share: list[float]
    spectral_radius: list[list[float]]
    parameter_norms: dict[str, float]
    memory: Memory
    characters: int


@np.errstate(all="ignore")
def measure_health(model: Model, text: Indices, settings: TrainerSettings) -> Health:
    """Measure the health of a network on the text that its next updates read.

    Parameters
    ----------
    model : Model
        It carries the state of the first stream.
    text : ndarray of int, shape (n,)
        The whole text, held-out parts included.
    settings : TrainerSettings
        Those of the training.

    Raises
    ------
    TextTooShortError
        If the text is too short for the settings.
    ValueError
        If an index is not in ``range(K)``.
    """
    following, state = text_ahead(model, text, settings, READ + 1)
    h = hidden_states(model, following[:-1], state)
    gradients = next_gradients(model, text, settings).flat
    sizes = model.architecture
    return Health(
        gradient_norm=euclidean_norm(gradients),
        clipped_share=clipped_share(gradients, settings.clip, settings.clip_mode),
        saturated_share=(np.abs(h) > SATURATED).mean(axis=(1, 2)).tolist(),
        dead_share=(np.ptp(h, axis=1) <= UNMOVED).mean(axis=1).tolist(),
        spectral_radius=[
            [
                spectral_radius(block) if model.hidden_size <= MAX_UNITS else math.nan
                for block in np.split(model.parameters[sizes.name("W", layer)], sizes.gates)
            ]
            for layer in range(model.layers)
        ],
        parameter_norms={
            name: euclidean_norm(array.reshape(-1)) for name, array in model.parameters.items()
        },
        memory=measure_memory(model, following[: LAGS + 1 + losses_measured(model)], state),
        characters=len(h[0]),
    )


def text_ahead(
    model: Model, text: Indices, settings: TrainerSettings, length: int
) -> tuple[Indices, dict[str, Array]]:
    """Return the text that the first stream reads next, and the state before it.

    At the end of a stream it begins earlier, so that it is long enough.

    Parameters
    ----------
    model, text, settings
        As for `measure_health`.
    length : int
        The wanted number of characters, if the stream is that long.

    Returns
    -------
    ahead : ndarray of int
    state : dict of str to ndarray of shape (m,)
        Zero where an epoch begins, or where a shuffled order jumps.
    """
    streams, position, from_zero = _next_sequence(text, settings, model.update)
    start = max(0, min(position, streams.shape[1] - length))
    zero = {name: np.zeros_like(state) for name, state in model.state.items()}
    return streams[0, start : start + length], zero if from_zero else model.state


def next_gradients(model: Model, text: Indices, settings: TrainerSettings) -> Parameters:
    """Return the gradients of the next update, before clipping.

    With one stream they are those that the training computes, with the same dropout. With several,
    the states of all but the first stream are not known: they are those after the T characters
    before the sequence.

    Parameters
    ----------
    model, text, settings
        As for `measure_health`.
    """
    streams, position, from_zero = _next_sequence(text, settings, model.update)
    T, sizes = settings.sequence_length, model.architecture
    network = Network(
        sizes.vocabulary_size,
        sizes.hidden_size,
        T,
        model.dtype,
        cell=model.cell,
        layers=model.layers,
        batch_size=settings.batch_size,
    )
    for name, view in network.parameters.items():
        view[...] = model.parameters[name]
    if not from_zero:
        _set_state(network, model)
        if settings.batch_size > 1 and position >= T:
            before = streams[:, position - T : position + 1].T
            network.forward(before[:-1], before[1:])
            network.carry()
            _set_state(network, model, stream=0)
    if settings.dropout > 0.0 and model.layers > 1:
        seed = SeedSequence(settings.seed, spawn_key=(DROPOUT, model.update))
        network.draw_masks(np.random.default_rng(seed), settings.dropout)
    sequence = streams[:, position : position + T + 1].T
    network.forward(sequence[:-1], sequence[1:])
    network.backward()
    return network.gradients


def _set_state(network: Network, model: Model, stream: int | slice = slice(None)) -> None:
    for name, view in network.state.items():
        view[stream] = model.state[name]


def _next_sequence(
    text: Indices, settings: TrainerSettings, update: int
) -> tuple[Indices, int, bool]:
    """Return the streams (B, n), the position in each, and whether the state is zero there."""
    T, B = settings.sequence_length, settings.batch_size
    training = divide_text(
        text,
        T,
        B,
        validation_fraction=settings.validation_fraction,
        test_fraction=settings.test_fraction,
    ).training
    layout = BatchLayout(len(training), B, T, settings.order)
    streams = training[: B * layout.stream_length].reshape(B, -1)
    _, position = layout.locate(update + 1)
    return streams, position, layout.starts_from_zero(update + 1)


def hidden_states(model: Model, indices: Indices, state: dict[str, Array]) -> Array:
    """Return the hidden states of all layers, of shape (layers, n, m)."""
    layers = read(model, indices, state=state).layers
    return np.stack([layer.hidden[1:, 0, :-1] for layer in layers])


def spectral_radius(W: Array) -> float:
    """Return the greatest absolute value of the eigenvalues of a matrix.

    By Gelfand's formula it is the limit of ``||W^n||^(1/n)`` [1]_, here with n = 4096. It is too
    great by less than 0.3 % unless W is very far from normal. All eigenvalues would take twenty
    times as long.

    Parameters
    ----------
    W : ndarray of shape (m, m)

    References
    ----------
    .. [1] R. A. Horn and C. R. Johnson, "Matrix analysis", 2nd edition, 2013, corollary 5.6.14.
    """
    power, log_norm = W.astype(np.float64), 0.0
    for squaring in range(SQUARINGS + 1):
        if squaring:
            power = power @ power
        norm = float(np.linalg.norm(power))
        if norm == 0.0:
            return 0.0
        # The power is divided by its norm, so that no number overflows.
        log_norm = 2.0 * log_norm + math.log(norm) if squaring else math.log(norm)
        power /= norm
    return math.exp(log_norm / 2.0**SQUARINGS)


def update_ratios(trainer: Trainer) -> dict[str, float]:
    """Make one update, and return how much it changed each parameter.

    Parameters
    ----------
    trainer : Trainer
        Its next update is made.

    Returns
    -------
    dict of str to float
        By name: the Euclidean norm of the change, divided by that of the parameter before; infinite
        where the parameter was zero.
    """
    # In float64, because the squares of steps that are far too large overflow in float32.
    before = {name: array.astype(np.float64) for name, array in trainer.parameters.items()}
    trainer.update()
    with np.errstate(all="ignore"):
        return {
            name: float(np.linalg.norm(after - before[name]) / np.linalg.norm(before[name]))
            for name, after in trainer.parameters.items()
        }
