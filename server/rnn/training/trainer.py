"""Training: a walk through the text, one update at a time."""

import math
from typing import Literal, TypeAlias

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.rnn.backend.selection import fitting_kernel
from server.rnn.initialisation import initialise
from server.rnn.model import Model
from server.rnn.sampling.sampling import write
from server.rnn.training.batches import TextTooShortError
from server.rnn.training.model_snapshot import copy_model
from server.rnn.training.settings import DROPOUT, SAMPLES, SettingsError, TrainerSettings
from server.rnn.training.state import StateError
from server.rnn.training.training import Training
from server.rnn.training.validation import HeldOutTooShortError

SMOOTHING = 0.999

Measure: TypeAlias = Literal["smooth_loss", "validation"]


class NothingHeldOutError(ValueError):
    """There is no held-out text to validate on."""


class Trainer(Training):
    """A network that learns a text by stochastic gradient descent.

    The end of the text is held out if the settings say so; the rest is walked `sequence_length`
    characters of each of `batch_size` streams an update (see `BatchIterator`). The last hidden
    state is carried to the next sequence; when fewer than ``sequence_length + 1`` characters of
    each part are left, a new epoch begins with a zero state.

    Looking (`sample`, `validate`, `current_model`, `best_model`, `state`) never changes what is
    learnt.

    Parameters, attributes, `state` and `restore` are those of `Training`.
    """

    def update(self) -> float:
        """Learn from the next sequence of each stream.

        Returns
        -------
        float
            Its loss: the cross-entropy summed over its characters and averaged over the streams,
            in nats. It may be infinite or not a number, when the parameters have run away.
        """
        network = self._network
        if self._kernel is None:
            self._use(fitting_kernel(self.settings))
        if self._drops:
            network.draw_masks(self._random(DROPOUT), self.settings.dropout)
        x, y = self._walk.read()
        with np.errstate(all="ignore"):
            loss = float(network.forward(x, y))
            self._track_best(loss)
            network.backward()
            if self._clip is not None:
                self._clip()
            self._optimizer.step(self.learning_rate)
        network.carry()
        self.loss = loss
        self.updates += 1
        if self._walk.advance():
            self._begin_epoch()
        return loss

    def _random(self, purpose: int) -> np.random.Generator:
        """Return random numbers that depend on seed, purpose and the number of updates alone."""
        return np.random.default_rng(
            SeedSequence(self.settings.seed, spawn_key=(purpose, self.updates))
        )

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

    def validate(self) -> float:
        """Measure the loss on the held-out text, and keep the model if it is the best there.

        Returns
        -------
        float
            The mean loss of a sequence, in nats, in the unit of `loss` (see `Validation`).

        Raises
        ------
        NothingHeldOutError
            If `validation_fraction` is 0.
        """
        if self._validation is None or self._best_validation is None:
            raise NothingHeldOutError("No text is held out: validation_fraction is 0.")
        network = self._network
        # Where an epoch is about to begin, its state is cleared already.
        state = network.last_state if self.position == 0 else network.state
        loss = self.validation_loss = self._validation.loss(state)
        best = self.best_validation_loss
        if math.isfinite(loss) and (best is None or loss < best):
            self.best_validation_loss, self.best_validation_update = loss, self.updates
            self.best_validation_smooth_loss = self.smooth_loss
            self._best_validation.keep(self._walk.next_index)
        return loss

    def current_model(self) -> Model:
        """Return a copy of the model as it stands."""
        return copy_model(
            self._network.architecture,
            self.parameters,
            self._network.state,
            next_index=self._walk.next_index,
            update=self.updates,
            smooth_loss=self.smooth_loss,
        )

    def best_model(self, by: Measure = "smooth_loss") -> Model | None:
        """Return a copy of the best model so far.

        Parameters
        ----------
        by : {"smooth_loss", "validation"}
            Whether it is the model after `best_update` or after `best_validation_update`.

        Returns
        -------
        Model or None
            None before the first update, or the first validation.
        """
        if by == "validation":
            if self.best_validation_update is None or self._best_validation is None:
                return None
            return self._best_validation.model(
                self.best_validation_update, self.best_validation_smooth_loss
            )
        if self.best_update is None:
            return None
        if self._best_stands:
            return self.current_model()
        return self._best.model(self.best_update, self.best_smooth_loss)

    def sample(self, length: int) -> NDArray[np.intp]:
        """Return `length` characters that the network would write now.

        It begins with the carried state of the first stream and its next character as the input.
        Its random numbers depend on the seed and the number of updates alone.

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


__all__ = [
    "HeldOutTooShortError",
    "NothingHeldOutError",
    "SettingsError",
    "StateError",
    "TextTooShortError",
    "Trainer",
    "TrainerSettings",
    "initialise",
]
