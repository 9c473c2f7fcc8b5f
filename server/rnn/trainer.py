"""Training: a walk through the text, one update at a time."""

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.rnn.clipping import clip_by_norm, clip_by_value
from server.rnn.network import Network
from server.rnn.optimizers import make_optimizer
from server.rnn.parameters import Array
from server.rnn.sampling import Model, write
from server.rnn.settings import SettingsError, TrainerSettings
from server.rnn.state import Scalar, StateError, check_arrays, check_scalars

# The purposes that random numbers of one seed serve; a stream each, independent of the others.
INITIALISATION, SAMPLES = 0, 1

SMOOTHING = 0.999

# How the names of the optimiser's arrays begin.
OPTIMIZER = "optimizer."


class TextTooShortError(ValueError):
    """The text has no room for one sequence and the character after it."""


class Trainer:
    """A network that learns a text by stochastic gradient descent.

    The text is walked `sequence_length` characters an update. The last hidden state is carried
    to the next sequence; when fewer than ``sequence_length + 1`` characters are left, a new epoch
    begins at the start of the text with a zero state.

    Looking (`sample`, `current_model`, `best_model`, `state`) never changes what is learnt.

    Parameters
    ----------
    indices : ndarray of int, shape (n,)
        The text, each character in ``range(vocabulary_size)``. It is kept, not copied.
    vocabulary_size : int
        K.
    settings : TrainerSettings

    Raises
    ------
    TextTooShortError
        If n is less than ``sequence_length + 1``.
    ValueError
        If an index is outside ``range(vocabulary_size)``.

    Attributes
    ----------
    updates : int
        The number of updates made.
    epoch : int
        The pass through the text that the next update belongs to, counted from 1.
    position : int
        The place in the text of the next character to be read.
    learning_rate : float
        eta of the next update. It may be set at any time; the decay goes on from there.
    loss : float or None
        Of the last update, in nats summed over the sequence; None before the first.
    smooth_loss : float or None
        The loss of the first update, then 0.999 of itself and 0.001 of each loss.
    best_update, best_smooth_loss : int or None, float or None
        The update with the lowest smooth loss, and that loss.
    """

    def __init__(
        self, indices: NDArray[np.integer], vocabulary_size: int, settings: TrainerSettings
    ) -> None:
        if len(indices) < settings.sequence_length + 1:
            raise TextTooShortError(
                f"A sequence of {settings.sequence_length} characters needs a text of at least "
                f"{settings.sequence_length + 1}; this one has {len(indices)}."
            )
        if int(indices.min()) < 0 or int(indices.max()) >= vocabulary_size:
            raise ValueError("The text holds an index that is not in the vocabulary.")
        self.settings = settings
        self.updates = 0
        self.epoch = 1
        self.position = 0
        self.learning_rate = settings.learning_rate
        self.loss: float | None = None
        self.smooth_loss: float | None = None
        self.best_update: int | None = None
        self.best_smooth_loss: float | None = None

        self._indices = indices
        self._network = Network(
            vocabulary_size, settings.hidden_size, settings.sequence_length, settings.dtype
        )
        self.parameters = self._network.parameters
        initialise(self._network, settings)
        gradients = self._network.gradients.flat
        self._optimizer = make_optimizer(settings.optimizer, self.parameters.flat, gradients)
        clip = {"value": clip_by_value, "norm": clip_by_norm}[settings.clip_mode]
        limit = math.inf if settings.clip is None else settings.clip
        self._clip = None if math.isinf(limit) else partial(clip, gradients, limit)

        self._best = self.parameters.copy()
        self._best_state = self._network.state.copy()
        self._best_next_index = 0
        # While the best model is the one that stands, it is not copied; see `_track_best`.
        self._best_stands = False

    @property
    def vocabulary_size(self) -> int:
        """K."""
        return int(self.parameters["c"].size)

    @property
    def text_length(self) -> int:
        """The number of characters of the text."""
        return len(self._indices)

    @property
    def updates_per_epoch(self) -> int:
        """The number of updates in one pass through the text."""
        return (self.text_length - 1) // self.settings.sequence_length

    def update(self) -> float:
        """Learn from the next sequence.

        Returns
        -------
        float
            Its loss: the cross-entropy summed over its characters, in nats. It may be infinite
            or not a number, when the parameters have run away.
        """
        network, T = self._network, self.settings.sequence_length
        text = self._indices[self.position : self.position + T + 1].astype(np.intp)
        with np.errstate(all="ignore"):
            loss = float(network.forward(text[:-1], text[1:]))
            self._track_best(loss)
            network.backward()
            if self._clip is not None:
                self._clip()
            self._optimizer.step(self.learning_rate)
        network.carry()
        self.loss = loss
        self.updates += 1
        self.position += T
        if self.text_length - self.position < T + 1:
            self._begin_epoch()
        return loss

    def _track_best(self, loss: float) -> None:
        """Bring the smooth loss up to date, and keep the best model if it is about to go.

        The model that belongs to an update's smooth loss is the one after its step. As long as
        each update improves on the one before, that model needs no copy: it is overwritten by a
        better one. Only when an update does not improve must the standing model be saved, and
        here, between the forward pass and the step, it still stands.
        """
        smooth = loss
        if self.smooth_loss is not None:
            smooth = SMOOTHING * self.smooth_loss + (1.0 - SMOOTHING) * loss
        self.smooth_loss = smooth
        if self.best_smooth_loss is None or smooth < self.best_smooth_loss:
            self.best_smooth_loss = smooth
            self.best_update = self.updates + 1
            self._best_stands = True
        elif self._best_stands:
            self._save_best()

    def _save_best(self) -> None:
        np.copyto(self._best.flat, self.parameters.flat)
        np.copyto(self._best_state, self._network.state)
        self._best_next_index = self._next_index
        self._best_stands = False

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self.position = 0
        self._network.state[:] = 0.0
        self.learning_rate *= self.settings.learning_rate_decay

    @property
    def _next_index(self) -> int:
        return int(self._indices[self.position])

    def current_model(self) -> Model:
        """Return a copy of the model as it stands."""
        return Model(
            parameters=dict(self.parameters.copy().items()),
            state=self._network.state.copy(),
            next_index=self._next_index,
            update=self.updates,
            smooth_loss=self.smooth_loss,
        )

    def best_model(self) -> Model | None:
        """Return a copy of the model after `best_update`; None before the first update."""
        if self.best_update is None:
            return None
        if self._best_stands:
            return self.current_model()
        return Model(
            parameters=dict(self._best.copy().items()),
            state=self._best_state.copy(),
            next_index=self._best_next_index,
            update=self.best_update,
            smooth_loss=self.best_smooth_loss,
        )

    def sample(self, length: int) -> NDArray[np.intp]:
        """Return `length` characters that the network would write now.

        It begins with the carried state and the next character of the text as its input. Its
        random numbers depend on the seed and the number of updates alone.

        Parameters
        ----------
        length : int
            At least 0.

        Returns
        -------
        ndarray of shape (length,), intp
        """
        seed = SeedSequence(self.settings.seed, spawn_key=(SAMPLES, self.updates))
        return write(self.current_model(), length, seed=seed)

    def _arrays(self, *, with_best: bool, with_optimizer: bool = True) -> dict[str, Array]:
        """Return views of everything that must be kept to go on exactly, by name."""
        arrays = {f"parameters.{name}": view for name, view in self.parameters.items()}
        arrays["state"] = self._network.state
        for memory, flat in self._optimizer.state.items() if with_optimizer else ():
            named = self.parameters.like(flat)
            arrays |= {f"{OPTIMIZER}{memory}.{name}": view for name, view in named.items()}
        if with_best:
            arrays |= {f"best.parameters.{name}": view for name, view in self._best.items()}
            arrays["best.state"] = self._best_state
        return arrays

    def state(self) -> tuple[dict[str, Array], dict[str, Scalar]]:
        """Return everything needed to go on byte for byte.

        Returns
        -------
        arrays : dict of str to ndarray
            Copies: ``parameters.*`` in the course's shapes, ``optimizer.*``, the carried
            ``state``, and ``best.*`` once an update has been made.
        scalars : dict of str to int, float, str or None
            The progress so far, and what the arrays were made for (`vocabulary_size`,
            `hidden_size`, `dtype`).
        """
        if self._best_stands:
            self._save_best()
            self._best_stands = True
        views = self._arrays(with_best=self.best_update is not None)
        return {name: np.array(view, order="C") for name, view in views.items()}, {
            **self._identity(),
            "updates": self.updates,
            "epoch": self.epoch,
            "position": self.position,
            "learning_rate": self.learning_rate,
            "optimizer": self.settings.optimizer,
            "optimizer_steps": self._optimizer.steps,
            "loss": self.loss,
            "smooth_loss": self.smooth_loss,
            "best_update": self.best_update,
            "best_smooth_loss": self.best_smooth_loss,
            "best_next_index": None if self.best_update is None else self._best_next_index,
        }

    def _identity(self) -> dict[str, Scalar]:
        return {
            "vocabulary_size": self.vocabulary_size,
            "hidden_size": self.settings.hidden_size,
            "dtype": self.settings.dtype,
        }

    def restore(self, arrays: Mapping[str, Array], scalars: Mapping[str, Scalar]) -> None:
        """Go back to what `state` returned, of this trainer or of one like it.

        The text must have the same vocabulary, and the settings the same hidden size and type.
        With another sequence length, a position too near the end of the text begins a new epoch.
        With another optimiser, its memory begins afresh.
        The learning rate is the one that was in force, not that of the settings.

        Parameters
        ----------
        arrays, scalars : mapping
            As returned by `state`. They are copied.

        Raises
        ------
        StateError
            If a name is missing or unknown, or a shape, type or value does not fit. Nothing is
            changed then.
        """
        values = check_scalars(scalars, self._identity(), self.text_length)
        same_optimizer = values.optimizer == self.settings.optimizer
        if not same_optimizer:
            arrays = {name: a for name, a in arrays.items() if not name.startswith(OPTIMIZER)}
        views = self._arrays(
            with_best=values.best_update is not None, with_optimizer=same_optimizer
        )
        check_arrays(arrays, views)
        for name, view in views.items():
            view[...] = arrays[name]
        self.updates, self.epoch, self.position = values.updates, values.epoch, values.position
        self.learning_rate = values.learning_rate
        if same_optimizer:
            self._optimizer.steps = values.optimizer_steps
        else:
            self._optimizer.forget()
        self.loss, self.smooth_loss = values.loss, values.smooth_loss
        self.best_update, self.best_smooth_loss = values.best_update, values.best_smooth_loss
        self._best_next_index = values.best_next_index or 0
        self._best_stands = False
        if self.text_length - self.position < self.settings.sequence_length + 1:
            self._begin_epoch()


def initialise(network: Network, settings: TrainerSettings) -> None:
    """Draw U, W and V of `network` from normal distributions; b and c become 0.

    The numbers are drawn in float64 and rounded, so that networks of both types start alike.

    Parameters
    ----------
    network : Network
        Its parameters are replaced.
    settings : TrainerSettings
        Of which `seed` and `init_scale` are used.
    """
    rng = np.random.default_rng(SeedSequence(settings.seed, spawn_key=(INITIALISATION,)))
    network.parameters.flat[:] = 0.0
    for name in ("W", "U", "V"):
        view = network.parameters[name]
        scale = settings.init_scale
        if scale is None:
            scale = 1.0 / math.sqrt(view.shape[1])
        view[:] = scale * rng.standard_normal(view.shape)


__all__ = [
    "SettingsError",
    "StateError",
    "TextTooShortError",
    "Trainer",
    "TrainerSettings",
    "initialise",
]
