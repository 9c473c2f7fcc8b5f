"""What a training consists of, and how it is saved and gone on from."""

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from server.rnn.backend.selection import load_numba
from server.rnn.initialisation import initialise
from server.rnn.network import Network
from server.rnn.optimizers import make_optimizer
from server.rnn.optimizers.clipping import clip_by_norm, clip_by_value
from server.rnn.parameters import Array
from server.rnn.training.batches import BatchIterator
from server.rnn.training.model_snapshot import ModelSnapshot, name_arrays
from server.rnn.training.settings import TrainerSettings
from server.rnn.training.state import Scalar, check_arrays, check_scalars, identity, upgrade
from server.rnn.training.validation import Validation, hold_out

# How the names of the optimiser's arrays begin.
OPTIMIZER = "optimizer."

# The attributes that are saved and restored as they are.
OWN_PROGRESS = (
    "updates",
    "epoch",
    "learning_rate",
    "loss",
    "smooth_loss",
    "best_update",
    "best_smooth_loss",
    "validation_loss",
    "best_validation_update",
    "best_validation_loss",
    "best_validation_smooth_loss",
)


class Training:
    """All that changes while a network learns a text; what is done with it is `Trainer`'s.

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
        If the text is too short to learn from, or `HeldOutTooShortError`, to validate on.
    ValueError
        If an index is outside ``range(vocabulary_size)``.

    Attributes
    ----------
    updates : int
        The number of updates made.
    epoch : int
        The pass through the text that the next update belongs to, counted from 1.
    learning_rate : float
        eta of the next update. It may be set at any time; the decay goes on from there.
    loss : float or None
        Of the last update, in nats summed over the sequence and averaged over the streams; None
        before the first.
    smooth_loss : float or None
        The loss of the first update, then 0.999 of itself and 0.001 of each loss.
    best_update, best_smooth_loss : int or None, float or None
        The update with the lowest smooth loss, and that loss.
    validation_loss : float or None
        What the last `validate` returned; None before the first.
    best_validation_update, best_validation_loss : int or None, float or None
        The update with the lowest validation loss, and that loss.
    best_validation_smooth_loss : float or None
        The smooth loss there.
    """

    def __init__(
        self, indices: NDArray[np.integer], vocabulary_size: int, settings: TrainerSettings
    ) -> None:
        T, B = settings.sequence_length, settings.batch_size
        training, held_out = hold_out(indices, settings.validation_fraction, T, B)
        self._walk = BatchIterator(training, B, T)
        # Chosen at the first update: whoever only looks need not wait for it.
        self._kernel: str | None = None
        if int(indices.min()) < 0 or int(indices.max()) >= vocabulary_size:
            raise ValueError("The text holds an index that is not in the vocabulary.")
        self.settings = settings
        self.text_length = len(indices)
        self.updates = 0
        self.epoch = 1
        self.learning_rate = settings.learning_rate
        self.loss: float | None = None
        self.smooth_loss: float | None = None
        self.best_update: int | None = None
        self.best_smooth_loss: float | None = None
        self.validation_loss: float | None = None
        self.best_validation_update: int | None = None
        self.best_validation_loss: float | None = None
        self.best_validation_smooth_loss: float | None = None

        self._network = network = Network(
            vocabulary_size,
            settings.hidden_size,
            T,
            settings.dtype,
            cell=settings.cell,
            layers=settings.layers,
            batch_size=B,
        )
        self.parameters = network.parameters
        initialise(network, settings)
        gradients = network.gradients.flat
        self._optimizer = make_optimizer(settings.optimizer, self.parameters.flat, gradients)
        clip = {"value": clip_by_value, "norm": clip_by_norm}[settings.clip_mode]
        limit = math.inf if settings.clip is None else settings.clip
        self._clip = None if math.isinf(limit) else partial(clip, gradients, limit)
        self._drops = settings.dropout > 0.0 and settings.layers > 1

        self._best = ModelSnapshot(network)
        # While the best model is the one that stands, it is not copied; see `_track_best`.
        self._best_stands = False
        self._validation = Validation(held_out, network) if len(held_out) else None
        self._best_validation = ModelSnapshot(network) if self._validation else None

    @property
    def vocabulary_size(self) -> int:
        """K."""
        return self._network.architecture.vocabulary_size

    @property
    def position(self) -> int:
        """The place in the text of the next character that the first stream reads."""
        return self._walk.position

    @property
    def part_length(self) -> int:
        """The number of characters that each stream reads in an epoch."""
        return self._walk.part_length

    @property
    def updates_per_epoch(self) -> int:
        """The number of updates in one pass through the text."""
        return self._walk.sequences

    @property
    def kernel(self) -> str | None:
        """What computes the updates, see `kernels`; None before that was decided."""
        return self._kernel

    def _use(self, kernel: str) -> None:
        compiled = load_numba() if kernel == "numba" else None
        self._network.use(compiled)
        self._optimizer.use(compiled)
        self._kernel = "numpy" if compiled is None else "numba"

    def _save_best(self) -> None:
        self._best.keep(self._walk.next_index)
        self._best_stands = False

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self._walk.position = 0
        self._network.clear_state()
        self.learning_rate *= self.settings.learning_rate_decay

    def _arrays(
        self, *, with_best: bool, with_best_validation: bool, with_optimizer: bool = True
    ) -> dict[str, Array]:
        """Return views of everything that must be kept to go on exactly, by name."""
        arrays = name_arrays(self.parameters, self._network.state)
        for memory, flat in self._optimizer.state.items() if with_optimizer else ():
            named = self.parameters.like(flat)
            arrays |= {f"{OPTIMIZER}{memory}.{name}": view for name, view in named.items()}
        if with_best:
            arrays |= self._best.arrays("best.")
        if with_best_validation and self._best_validation is not None:
            arrays |= self._best_validation.arrays("best_validation.")
        return arrays

    def state(self) -> tuple[dict[str, Array], dict[str, Scalar]]:
        """Return everything needed to go on byte for byte.

        Returns
        -------
        arrays : dict of str to ndarray
            Copies: ``parameters.*`` in the course's shapes, ``optimizer.*``, and the carried
            ``state.*`` of all streams, of shape (B, m); once an update has been made, parameters
            and state of the best model as ``best.*``; once `validate` was called, those of the
            best by validation as ``best_validation.*``.
        scalars : dict of str to int, float, str or None
            The progress so far, and what the arrays were made for (see `state.identity`).
        """
        if self._best_stands:
            self._save_best()
            self._best_stands = True
        with_best = self.best_update is not None
        with_best_validation = self.best_validation_update is not None
        views = self._arrays(with_best=with_best, with_best_validation=with_best_validation)
        kept = self._best_validation if with_best_validation else None
        return {name: np.array(view, order="C") for name, view in views.items()}, {
            **identity(self.settings, self.vocabulary_size),
            **{name: getattr(self, name) for name in OWN_PROGRESS},
            "position": self.position,
            "optimizer": self.settings.optimizer,
            "optimizer_steps": self._optimizer.steps,
            "kernel": self._kernel,
            "best_next_index": self._best.next_index if with_best else None,
            "best_validation_next_index": None if kept is None else kept.next_index,
        }

    def restore(self, arrays: Mapping[str, Array], scalars: Mapping[str, Scalar]) -> None:
        """Go back to what `state` returned, of this trainer or of one like it.

        The text must have the same vocabulary, and the settings must agree in what a state is
        made for (see `state.identity`). With another sequence length, a position too near the end
        of the text begins a new epoch. With another optimiser, its memory begins afresh. The
        learning rate is the one that was in force, not that of the settings. So is the kernel,
        where it can be had: with the other one, all that follows is equal but for rounding.

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
        arrays, scalars = upgrade(arrays, scalars)
        own = identity(self.settings, self.vocabulary_size)
        values = check_scalars(scalars, own, self.part_length)
        same_optimizer = values.optimizer == self.settings.optimizer
        if not same_optimizer:
            arrays = {name: a for name, a in arrays.items() if not name.startswith(OPTIMIZER)}
        views = self._arrays(
            with_best=values.best_update is not None,
            with_best_validation=values.best_validation_update is not None,
            with_optimizer=same_optimizer,
        )
        check_arrays(arrays, views)
        for name, view in views.items():
            view[...] = arrays[name]
        for name in OWN_PROGRESS:
            setattr(self, name, getattr(values, name))
        if same_optimizer:
            self._optimizer.steps = values.optimizer_steps
        else:
            self._optimizer.forget()
        self._kernel = None
        if values.kernel is not None:
            self._use(values.kernel)
        self._best.next_index = values.best_next_index or 0
        self._best_stands = False
        if self._best_validation is not None:
            self._best_validation.next_index = values.best_validation_next_index or 0
        self._walk.position = values.position
        if self._walk.at_end:
            self._begin_epoch()
