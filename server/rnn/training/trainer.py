"""The training loop: one update after the other, and everything needed to resume it exactly."""

import math
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.rnn.architecture import Architecture
from server.rnn.backend.selection import NUMBA, TILES, fitting_kernel, load_numba
from server.rnn.initialisation import initialise
from server.rnn.metrics import MEASURED_EVERY, MetricValues, Training
from server.rnn.model import Model
from server.rnn.network import Network
from server.rnn.optimizers import make_optimizer
from server.rnn.optimizers.clipping import clip_by_norm
from server.rnn.parameters import Array
from server.rnn.sampling.sampling import generate
from server.rnn.thread_team import ThreadTeam
from server.rnn.threaded_network import AnyNetwork, ThreadedNetwork
from server.rnn.training.batches import BatchIterator, TextTooShortError
from server.rnn.training.divergence import DivergenceDetector
from server.rnn.training.measurement import Measurement
from server.rnn.training.model_snapshot import ModelSnapshot, copy_model, name_arrays
from server.rnn.training.settings import DROPOUT, SAMPLES, SettingsError, TrainerSettings
from server.rnn.training.state import (
    OPTIMIZER,
    Progress,
    Scalar,
    StateError,
    check_arrays,
    check_scalars,
    identity,
    upgrade,
)
from server.rnn.training.validation import HeldOutTooShortError, Validation, divide_text
from server.rnn.vocabulary import Vocabulary

Measure: TypeAlias = Literal["smooth_loss", "validation"]


class NothingHeldOutError(ValueError):
    """There is no held-out text to validate on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextBatch:
    """All that the next update reads.

    Attributes
    ----------
    x, y : ndarray of intp, shape (T, B)
        The characters, and the character that follows each of them.
    state : dict of str to ndarray of shape (B, m)
        The state before them, by the architecture's `state_names`.
    masks : list of ndarray of shape (T, B, m)
        The dropout masks of all layers but the first; empty without dropout.
    """

    x: NDArray[np.intp]
    y: NDArray[np.intp]
    state: dict[str, Array]
    masks: list[Array]


class Trainer:
    """A network that learns a text by stochastic gradient descent.

    The end of the text is held out if the settings say so, to validate on and to test on; a trainer
    never reads the test part. An update reads `sequence_length`
    characters of each of `batch_size` streams (see `BatchIterator`). The last hidden state is
    carried to the next sequence. When fewer than ``sequence_length + 1`` characters of each stream
    are left, a new epoch starts with a zero state. In shuffled order the state is zero wherever the
    next sequence is not the one that follows in the text.

    `next_batch`, `sample`, `validate`, `current_model`, `best_model` and `state` never change what
    is learnt.

    Parameters
    ----------
    indices : ndarray of int, shape (n,)
        The text, each character in ``range(vocabulary_size)``. It is not copied.
    vocabulary_size : int
        K.
    settings : TrainerSettings
    vocabulary : Vocabulary, optional
        The characters of the indices, for metrics that depend on them.

    Raises
    ------
    TextTooShortError
        If the text is too short to learn from, or `HeldOutTooShortError`, to validate on.
    ValueError
        If an index is outside ``range(vocabulary_size)``.

    Attributes
    ----------
    updates : int
        The number of updates made.
    epoch : int
        The epoch of the next update, counted from 1.
    learning_rate : float
        eta of the next update. It may be set at any time; the decay multiplies the new value.
    loss : float or None
        The loss of the last update, in nats, summed over the sequence and averaged over the
        streams; None before the first update.
    smooth_loss : float or None
        The loss of the first update, then s of itself and 1 - s of each loss, with the settings'
        factor s.
    best_update, best_smooth_loss : int or None, float or None
        The update with the lowest smooth loss, and that loss.
    validation_loss, validation_update : float or None, int or None
        The last result of `validate`, and the update at which it was measured; None before the
        first.
    best_validation_update, best_validation_loss : int or None, float or None
        The update with the lowest validation loss, and that loss.
    best_validation_smooth_loss : float or None
        The smooth loss of that update.
    metrics : dict of str to float
        The metrics of the last update if it was one of those that are measured (see
        `server.rnn.metrics`), by their names; otherwise empty. It is not part of the state.
    """

    def __init__(
        self,
        indices: NDArray[np.integer],
        vocabulary_size: int,
        settings: TrainerSettings,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        T, B = settings.sequence_length, settings.batch_size
        parts = divide_text(
            indices,
            T,
            B,
            validation_fraction=settings.validation_fraction,
            test_fraction=settings.test_fraction,
        )
        self._batches = BatchIterator(parts.training, B, T, settings.order)
        if int(indices.min()) < 0 or int(indices.max()) >= vocabulary_size:
            raise ValueError("The text contains an index that is not in the vocabulary.")
        self.settings = settings
        self._smoothing = settings.smoothing
        self.text_length = len(indices)
        self.updates = 0
        self.epoch = 1
        self.learning_rate = settings.learning_rate
        self.loss: float | None = None
        self.smooth_loss: float | None = None
        self.best_update: int | None = None
        self.best_smooth_loss: float | None = None
        self.validation_loss: float | None = None
        self.validation_update: int | None = None
        self.best_validation_update: int | None = None
        self.best_validation_loss: float | None = None
        self.best_validation_smooth_loss: float | None = None
        self._divergence = DivergenceDetector(T, vocabulary_size)
        self.metrics: MetricValues = {}
        self._training = Training(settings=settings, text=indices, vocabulary=vocabulary)
        # Created at the first update that is measured: it has a buffer of the parameters' size.
        self._measurement: Measurement | None = None

        self._network = network = _make_network(vocabulary_size, settings)
        self.parameters = network.parameters
        initialise(network, settings)
        gradients = network.gradients.flat
        self._optimizer = make_optimizer(settings.optimizer, self.parameters.flat, gradients)
        if isinstance(network, ThreadedNetwork):
            self._optimizer.share(network.team)
        self._norm_limit = math.inf
        if settings.clip is not None:
            if settings.clip_mode == "norm":
                self._norm_limit = settings.clip
            else:
                self._optimizer.limit = settings.clip
        self._has_dropout = settings.dropout > 0.0 and settings.layers > 1
        # Chosen at the first update, because importing Numba takes half a second.
        self._kernel: str | None = None

        self._best = ModelSnapshot(network)
        # Whether the network itself is the best model, so that the snapshot is out of date.
        self._best_is_current = False
        held_out = parts.validation
        self._validation = Validation(held_out, network) if len(held_out) else None
        self._best_validation = ModelSnapshot(network) if self._validation else None

    @property
    def vocabulary_size(self) -> int:
        """K."""
        return self._network.architecture.vocabulary_size

    @property
    def position(self) -> int:
        """The index in the text of the next character that the first stream reads."""
        return self._batches.position

    @property
    def stream_length(self) -> int:
        """The number of characters that each stream reads in an epoch."""
        return self._batches.stream_length

    @property
    def updates_per_epoch(self) -> int:
        """The number of updates in one epoch."""
        return self._batches.sequences

    @property
    def high_losses_since(self) -> int | None:
        """The update since which most losses are far above that of random guessing, or None."""
        return self._divergence.high_losses_since

    @property
    def diverged_since(self) -> int | None:
        """The same, once that has lasted long enough: see `DivergenceDetector`."""
        return self._divergence.diverged_since

    @property
    def kernel(self) -> str | None:
        """The code that computes the updates, in `KERNELS`; None before the first update."""
        return self._kernel

    # -- learning ----------------------------------------------------------------------------------

    # A decorator takes half the time of a `with` statement.
    @np.errstate(all="ignore")
    def update(self) -> float:
        """Learn from the next sequence of each stream.

        Returns
        -------
        float
            The loss: the cross-entropy summed over the sequence and averaged over the streams, in
            nats. It may be infinite or not a number if the parameters have diverged.
        """
        network = self._network
        if self._kernel is None:
            self._set_kernel(fitting_kernel(self.settings))
        self._draw_masks()
        x, y = self._batches.peek()
        measurement = self._next_measurement()
        loss = float(network.forward(x, y))
        self._track_best(loss)
        network.backward()
        if measurement is not None:
            measured = measurement.begin(
                number=self.updates + 1, loss=loss, learning_rate=self.learning_rate, x=x, y=y
            )
        if self._norm_limit < math.inf:
            clip_by_norm(network.gradients.flat, self._norm_limit)
        self._optimizer.step(self.learning_rate)
        self.metrics = {} if measurement is None else measurement.end(measured)
        network.carry()
        self.loss = loss
        self.updates += 1
        self._divergence.add(loss, self.updates)
        if self._batches.advance():
            self._begin_epoch()
        elif self._batches.jumped:
            network.clear_state()
        return loss

    def next_batch(self) -> NextBatch:
        """Return copies of all that the next `update` reads; nothing is learnt."""
        self._draw_masks()
        x, y = self._batches.peek()
        return NextBatch(
            x=x,
            y=y,
            state={name: view.copy() for name, view in self._network.state.items()},
            masks=[mask.copy() for mask in self._network.masks],
        )

    def _draw_masks(self) -> None:
        if self._has_dropout:
            self._network.draw_masks(self._rng(DROPOUT), self.settings.dropout)

    def _next_measurement(self) -> Measurement | None:
        """Return what measures the next update; None if it is not measured."""
        if (self.updates + 1) % MEASURED_EVERY:
            return None
        if self._measurement is None:
            kernel = load_numba() if self._kernel == NUMBA else None
            self._measurement = Measurement(self._training, self._network, self._batches, kernel)
        return self._measurement

    def _set_kernel(self, kernel: str) -> None:
        compiled = None if kernel in {"numpy", TILES} else load_numba()
        if isinstance(self._network, Network):
            self._network.set_kernel(compiled)
        self._network.set_tiled(tiled=kernel == TILES)
        self._optimizer.set_kernel(compiled)
        self._kernel = kernel if kernel == TILES else "numpy" if compiled is None else NUMBA
        self._measurement = None

    def _rng(self, purpose: int) -> np.random.Generator:
        """Return random numbers that depend only on seed, purpose and the number of updates."""
        return np.random.default_rng(
            SeedSequence(self.settings.seed, spawn_key=(purpose, self.updates))
        )

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self._batches.begin_epoch(self.epoch)
        self._network.clear_state()
        self.learning_rate *= self.settings.learning_rate_decay

    def _track_best(self, loss: float) -> None:
        """Update the smooth loss, and save the best model before the optimizer overwrites it.

        The model of an update's smooth loss is the one after its optimizer step. While every
        update improves on the last, nothing needs to be copied. If this update does not improve,
        the best model is still the network itself, until the step that follows.
        """
        smooth_loss = loss
        if self.smooth_loss is not None:
            smooth_loss = self._smoothing * self.smooth_loss + (1.0 - self._smoothing) * loss
        self.smooth_loss = smooth_loss
        if self.best_smooth_loss is None or smooth_loss < self.best_smooth_loss:
            self.best_smooth_loss = smooth_loss
            self.best_update = self.updates + 1
            self._best_is_current = True
        else:
            self._save_best()

    def _save_best(self) -> None:
        """Bring the snapshot of the best model up to date."""
        if self._best_is_current:
            self._best.save(self._batches.next_index)
            self._best_is_current = False

    def validate(self) -> float:
        """Measure the loss on the held-out text, and save the model if it is the best there.

        Returns
        -------
        float
            The mean loss of a sequence, in nats, in the unit of `loss` (see `Validation`).

        Raises
        ------
        NothingHeldOutError
            If `validation_fraction` is 0.
        """
        steps = self.validation_steps()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return float(end.value)

    def validation_is_due(self, every: int, *, last: bool) -> bool:
        """Whether to validate at a sample.

        A large network is validated at some samples only, and at the last one: see
        `Validation.is_due`.

        Parameters
        ----------
        every : int
            Updates between the regular samples.
        last : bool
            Whether this is the last sample.

        Returns
        -------
        bool
            False if nothing is held out.
        """
        if self._validation is None:
            return False
        characters = self.settings.sequence_length * self.settings.batch_size
        return last or self._validation.is_due(self.updates, every, characters)

    def validation_steps(self) -> Generator[None, None, float]:
        """Validate in steps of a few characters; no update may be made before the end.

        The generator returns what `validate` returns, and raises as it.
        """
        if self._validation is None or self._best_validation is None:
            raise NothingHeldOutError("No text is held out: validation_fraction is 0.")
        network = self._network
        # At the start of an epoch the carried state has already been cleared. In shuffled order a
        # zero state is the usual one.
        cleared = self.position == 0 and self.settings.order == "sequential"
        state = network.last_state if cleared else network.state
        mean = yield from self._validation.steps(state)
        loss = self.validation_loss = mean * self.settings.sequence_length
        self.validation_update = self.updates
        best = self.best_validation_loss
        if math.isfinite(loss) and (best is None or loss < best):
            self.best_validation_loss, self.best_validation_update = loss, self.updates
            self.best_validation_smooth_loss = self.smooth_loss
            self._best_validation.save(self._batches.next_index)
        return loss

    # -- models ------------------------------------------------------------------------------------

    def current_model(self) -> Model:
        """Return a copy of the model after the last update."""
        return copy_model(
            self._network.architecture,
            self.parameters,
            self._network.state,
            next_index=self._batches.next_index,
            update=self.updates,
            smooth_loss=self.smooth_loss,
        )

    def best_model(self, by: Measure = "smooth_loss") -> Model | None:
        """Return a copy of the best model so far.

        Parameters
        ----------
        by : {"smooth_loss", "validation"}
            Whether to return the model after `best_update` or after `best_validation_update`.

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
        self._save_best()
        return self._best.model(self.best_update, self.best_smooth_loss)

    def sample(self, length: int) -> NDArray[np.intp]:
        """Return `length` characters that the current model generates.

        It starts from the carried state of the first stream and that stream's next character. Its
        random numbers depend only on the seed and the number of updates.

        Parameters
        ----------
        length : int
            At least 0.

        Returns
        -------
        ndarray of shape (length,), intp
        """
        seed = SeedSequence(self.settings.seed, spawn_key=(SAMPLES, self.updates))
        return generate(self.current_model(), length, seed=seed)

    # -- saving and resuming -----------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Array], dict[str, Scalar]]:
        """Return everything needed to resume with the same bytes.

        Returns
        -------
        arrays : dict of str to ndarray
            Copies: ``parameters.*`` in the course's shapes, ``optimizer.*``, and the carried
            ``state.*`` of all streams, of shape (B, m). After the first update also the best
            model's parameters and state as ``best.*``; after the first `validate` those of the
            best model by validation as ``best_validation.*``.
        scalars : dict of str to int, float, str or None
            The progress so far, and the settings that the arrays fit (see `state.identity`).
        """
        self._save_best()
        progress = self._progress()
        arrays = self._views(
            best=progress.best_update is not None,
            best_validation=progress.best_validation_update is not None,
        )
        scalars = identity(self.settings, self.vocabulary_size) | asdict(progress)
        return {name: np.array(view, order="C") for name, view in arrays.items()}, scalars

    def _progress(self) -> Progress:
        best_next_index = best_validation_next_index = None
        if self.best_update is not None:
            best_next_index = self._best.next_index
        if self.best_validation_update is not None and self._best_validation is not None:
            best_validation_next_index = self._best_validation.next_index
        return Progress(
            updates=self.updates,
            epoch=self.epoch,
            learning_rate=self.learning_rate,
            loss=self.loss,
            smooth_loss=self.smooth_loss,
            best_update=self.best_update,
            best_smooth_loss=self.best_smooth_loss,
            validation_loss=self.validation_loss,
            validation_update=self.validation_update,
            best_validation_update=self.best_validation_update,
            best_validation_loss=self.best_validation_loss,
            best_validation_smooth_loss=self.best_validation_smooth_loss,
            position=self.position,
            optimizer=self.settings.optimizer,
            optimizer_steps=self._optimizer.steps,
            kernel=self._kernel,
            best_next_index=best_next_index,
            best_validation_next_index=best_validation_next_index,
            high_losses=self._divergence.high_losses,
            high_losses_since=self._divergence.high_losses_since,
            diverged_since=self._divergence.diverged_since,
        )

    def _views(
        self, *, best: bool, best_validation: bool, optimizer: bool = True
    ) -> dict[str, Array]:
        """Return views of the arrays that `state` copies and `restore` fills, by name."""
        views = name_arrays(self.parameters, self._network.state)
        for memory, flat in self._optimizer.state.items() if optimizer else ():
            named = self.parameters.like(flat)
            views |= {f"{OPTIMIZER}{memory}.{name}": view for name, view in named.items()}
        if best:
            views |= self._best.arrays("best.")
        if best_validation and self._best_validation is not None:
            views |= self._best_validation.arrays("best_validation.")
        return views

    def restore(self, arrays: Mapping[str, Array], scalars: Mapping[str, Scalar]) -> None:
        """Return to a state that `state` returned, of this trainer or of one like it.

        The vocabulary and the settings of `state.identity` must be the same. With another sequence
        length, a position too near the end of the text starts a new epoch. With another optimizer,
        the optimizer starts afresh. The learning rate is the saved one, not that of the settings.
        The kernel is the saved one if it is available; with the other one, all later results are
        equal up to rounding.

        Parameters
        ----------
        arrays, scalars : mapping
            As returned by `state`. They are copied.

        Raises
        ------
        StateError
            If a name is missing or unknown, or a shape, type or value does not fit. The trainer is
            then unchanged.
        """
        arrays, scalars = upgrade(arrays, scalars)
        own = identity(self.settings, self.vocabulary_size)
        progress = check_scalars(scalars, own, self.stream_length)
        if not self._batches.has_sequence_at(progress.position):
            raise StateError(f"No sequence starts at the state's position {progress.position}.")
        same_optimizer = progress.optimizer == self.settings.optimizer
        if not same_optimizer:
            arrays = {name: a for name, a in arrays.items() if not name.startswith(OPTIMIZER)}
        views = self._views(
            best=progress.best_update is not None,
            best_validation=progress.best_validation_update is not None,
            optimizer=same_optimizer,
        )
        check_arrays(arrays, views)
        for name, view in views.items():
            view[...] = arrays[name]
        if not same_optimizer:
            self._optimizer.reset()
        self._restore_progress(progress, same_optimizer=same_optimizer)

    def _restore_progress(self, progress: Progress, *, same_optimizer: bool) -> None:
        self.updates = progress.updates
        self.epoch = progress.epoch
        self.learning_rate = progress.learning_rate
        self.loss = progress.loss
        self.smooth_loss = progress.smooth_loss
        self.best_update = progress.best_update
        self.best_smooth_loss = progress.best_smooth_loss
        self.validation_loss = progress.validation_loss
        self.validation_update = progress.validation_update
        self.best_validation_update = progress.best_validation_update
        self.best_validation_loss = progress.best_validation_loss
        self.best_validation_smooth_loss = progress.best_validation_smooth_loss
        self._divergence.high_losses = progress.high_losses
        self._divergence.high_losses_since = progress.high_losses_since
        self._divergence.diverged_since = progress.diverged_since
        if same_optimizer:
            self._optimizer.steps = progress.optimizer_steps
        self._kernel = None
        if progress.kernel is not None:
            self._set_kernel(progress.kernel)
        self._best.next_index = progress.best_next_index or 0
        self._best_is_current = False
        if self._best_validation is not None:
            self._best_validation.next_index = progress.best_validation_next_index or 0
        self._batches.seek(progress.epoch, progress.position)
        if self._batches.at_end:
            self._begin_epoch()


def _make_network(vocabulary_size: int, settings: TrainerSettings) -> AnyNetwork:
    """Return the network that the settings describe, with parameters of zero."""
    architecture = Architecture(
        vocabulary_size=vocabulary_size,
        hidden_size=settings.hidden_size,
        cell=settings.cell,
        layers=settings.layers,
    )
    T, B, dtype = settings.sequence_length, settings.batch_size, settings.dtype
    if settings.used_threads > 1:
        team = ThreadTeam(settings.used_threads)
        return ThreadedNetwork(architecture, T, dtype, batch_size=B, team=team)
    return Network(
        vocabulary_size,
        settings.hidden_size,
        T,
        dtype,
        cell=settings.cell,
        layers=settings.layers,
        batch_size=B,
    )


__all__ = [
    "HeldOutTooShortError",
    "NextBatch",
    "NothingHeldOutError",
    "SettingsError",
    "StateError",
    "TextTooShortError",
    "Trainer",
    "TrainerSettings",
]
