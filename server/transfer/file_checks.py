"""Whether the files of networks in an archive belong to the run in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from server.checkpoints.checkpoint_format import (
    fingerprint,
    load_model,
    new_trainer,
    restore_trainer,
)
from server.checkpoints.npz import Arrays, DamagedArchiveError, Meta, read_archive
from server.checkpoints.unflushed import METRICS, HistoryDelta, read_delta
from server.rnn.architecture import Architecture
from server.rnn.metrics import METRIC_NAME
from server.rnn.model import Model
from server.rnn.training.state import OPTIMIZER, StateError
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import MAX_SAMPLE_LENGTH, StrictModel
from server.spec.schemas import Checkpoint, Run
from server.transfer.archive_format import ArchiveError

__all__ = ["FileChecks", "History"]

Update = Annotated[int, Field(ge=0)]
MAX_NOTICE_CHARACTERS = 1_000


class History(Protocol):
    """The loss of every update."""

    @property
    def last(self) -> int:
        """The last update."""

    def losses(self, first: int, last: int) -> NDArray[np.float64]:
        """Return the losses of a range of updates, both included."""


class ReportedSample(StrictModel):
    """A sample in a checkpoint, which was not measured yet."""

    update: Update
    epoch: Annotated[int, Field(ge=1)]
    smooth_loss: float | None
    validation_loss: float | None = None
    text: Annotated[str, Field(max_length=MAX_SAMPLE_LENGTH)]


class ReportedEpoch(StrictModel):
    """The beginning of an epoch."""

    update: Update
    epoch: Annotated[int, Field(ge=1)]


class ReportedNotice(StrictModel):
    """A sentence about the training."""

    update: Update
    text: Annotated[str, Field(max_length=MAX_NOTICE_CHARACTERS)]


class FileChecks:
    """Checks checkpoints and models against one run.

    The checks of a checkpoint are those of a worker that would resume from it: it is restored into
    a trainer of the run. Besides, its loss must be the one in the history, so that a checkpoint of
    another run of the same kind is found.

    Parameters
    ----------
    run : Run
        The run.
    text : str
        The text that it learns from.
    history : History
        Its losses.
    """

    def __init__(self, run: Run, text: str, history: History) -> None:
        self._vocabulary = Vocabulary.from_text(text)
        self._spec = run.spec.model_dump(mode="json")
        self._trainer = new_trainer(self._vocabulary.encode(text), self._vocabulary, self._spec)
        self._architecture = Architecture(
            vocabulary_size=len(self._vocabulary),
            hidden_size=run.spec.hidden_size,
            cell=run.spec.cell,
            layers=run.spec.layers,
        )
        self._history = history

    def check_checkpoint(self, path: Path, checkpoint: Checkpoint) -> None:
        """Check the file of a checkpoint.

        Raises
        ------
        ArchiveError
            It is not a checkpoint of this run.
        """
        what = f"checkpoint of update {checkpoint.update:,}"
        arrays, meta = _read(path, what)
        try:
            restore_trainer(self._trainer, self._vocabulary, arrays, meta)
            delta = read_delta(arrays, meta)
        except (DamagedArchiveError, StateError, KeyError, TypeError) as error:
            raise _foreign(what, str(error).rstrip(".")) from error
        self._check_finite(what, arrays)
        trainer = self._trainer
        if trainer.updates != checkpoint.update:
            raise _foreign(what, f"it was made at update {trainer.updates:,}")
        self._check_delta(what, delta)
        self._check_loss(what, delta)

    def check_snapshot(self, path: Path, update: int) -> None:
        """Check the file of a snapshot; raises as `check_checkpoint`."""
        what = f"snapshot of update {update:,}"
        model = self._load(path, what)
        if model.update != update:
            raise _foreign(what, f"it was taken at update {model.update:,}")

    def check_model(self, path: Path, expected: str) -> None:
        """Check the file of a saved model by its fingerprint; raises as `check_checkpoint`."""
        what = f"model {expected}"
        if fingerprint(self._load(path, what), self._vocabulary) != expected:
            raise _foreign(what, "it is another model")

    def _load(self, path: Path, what: str) -> Model:
        try:
            model, vocabulary = load_model(path, "latest")
        except DamagedArchiveError as error:
            raise _foreign(what, str(error)) from error
        if vocabulary.characters != self._vocabulary.characters:
            raise _foreign(what, "it belongs to another text")
        if model.architecture != self._architecture:
            raise _foreign(what, "its network has other sizes")
        return model

    @staticmethod
    def _check_finite(what: str, arrays: Arrays) -> None:
        for name, array in arrays.items():
            # Squared gradients may overflow in the optimizer; the run goes on with small steps. A
            # metric is NaN where it has no value.
            if not name.startswith((OPTIMIZER, METRICS)) and not np.isfinite(array).all():
                raise _foreign(what, f"{name} has numbers that are not finite")

    def _check_delta(self, what: str, delta: HistoryDelta) -> None:
        try:
            _check_all(ReportedSample, delta.samples)
            _check_all(ReportedEpoch, delta.epochs)
            _check_all(ReportedNotice, delta.notices)
        except (TypeError, ValidationError) as error:
            raise _foreign(what, "its history is not valid") from error
        seconds = delta.seconds
        consecutive = (
            type(delta.first) is int is type(delta.last)
            and delta.losses.shape == (delta.last - delta.first + 1,)
            and 1 <= delta.first <= self._history.last + 1
            and delta.last == self._trainer.updates
        )
        is_duration = isinstance(seconds, int | float) and 0 <= seconds < np.inf
        if not consecutive or not is_duration or delta.losses.dtype != np.float64:
            raise _foreign(what, "its history does not continue that of the run")
        for name, values in delta.metrics.items():
            if METRIC_NAME.fullmatch(name) is None or values.dtype != np.float64:
                raise _foreign(what, "its metrics are not valid")
            if values.shape != (delta.measured,):
                raise _foreign(what, "its history does not continue that of the run")

    def _check_loss(self, what: str, delta: HistoryDelta) -> None:
        """Check that the checkpoint's losses are those of the history, where both have them."""
        update = self._trainer.updates
        if update == 0:
            return
        ends = delta.losses[-1:].tolist()
        if update <= self._history.last:
            ends += self._history.losses(update, update).tolist()
        overlap = self._history.losses(delta.first, min(delta.last, self._history.last))
        if set(ends) != {self._trainer.loss} or not np.array_equal(
            overlap, delta.losses[: len(overlap)]
        ):
            raise _foreign(what, "its loss is not that of the run")


def _check_all(kind: type[StrictModel], values: Sequence[object]) -> None:
    for value in values:
        kind.model_validate(value)


def _read(path: Path, what: str) -> tuple[Arrays, Meta]:
    try:
        return read_archive(path)
    except DamagedArchiveError as error:
        raise _foreign(what, str(error)) from error


def _foreign(what: str, why: str) -> ArchiveError:
    return ArchiveError(f"The file's {what} does not belong to this run: {why}.")
