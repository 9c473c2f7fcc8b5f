"""The health of a network, and how far back in time its gradients reach."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from server.checkpoints.checkpoint_format import new_trainer, restore_trainer, trainer_settings
from server.checkpoints.npz import DamagedArchiveError, read_archive
from server.concurrency.json_lines import Message
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import MeasureHealth, MeasureMemory, MeasureUpdateRatios
from server.rnn.inspection.health import measure_health, text_ahead, update_ratios
from server.rnn.inspection.memory import LAGS, Memory, losses_measured, measure_memory
from server.rnn.training.state import StateError
from server.rnn.training.trainer import TrainerSettings
from server.rnn.vocabulary import Vocabulary

__all__ = ["measure_network_health", "measure_network_memory", "measure_update_ratios"]


def measure_network_health(files: LoadedFiles, command: MeasureHealth) -> Message:
    """Carry out a command.

    Raises
    ------
    DamagedArchiveError, OSError
        The model cannot be read.
    """
    model, vocabulary = files.model(command.path, command.which, command.corpus_path, command.spec)
    settings = trainer_settings(command.spec)
    text = files.indices(command.corpus_path, vocabulary)
    health = measure_health(model, text, settings)
    norms = health.parameter_norms
    return asdict(health) | {
        "update": model.update,
        "gradient_norm": _finite(health.gradient_norm),
        "spectral_radius": [_numbers(layer) for layer in health.spectral_radius],
        "parameter_norms": dict(zip(norms, _numbers(norms.values()), strict=True)),
        "memory": _memory(health.memory, settings),
    }


def measure_network_memory(files: LoadedFiles, command: MeasureMemory) -> Message:
    """Carry out a command; raises as `measure_network_health`."""
    model, vocabulary = files.model(command.path, command.which, command.corpus_path, command.spec)
    settings = trainer_settings(command.spec)
    text = files.indices(command.corpus_path, vocabulary)
    ahead, state = text_ahead(model, text, settings, LAGS + 1 + losses_measured(model))
    return {"update": model.update} | _memory(measure_memory(model, ahead, state), settings)


def measure_update_ratios(files: LoadedFiles, command: MeasureUpdateRatios) -> Message:
    """Carry out a command.

    Raises
    ------
    DamagedArchiveError, OSError
        The checkpoint cannot be read.
    """
    if command.path is None:
        raise DamagedArchiveError("the run has no checkpoint")
    arrays, meta = read_archive(Path(command.path))
    try:
        # The compiled code would take half a second to load.
        meta["trainer"]["kernel"] = "numpy"
        vocabulary = Vocabulary(meta["vocabulary"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedArchiveError(f"the checkpoint's description is damaged: {error}") from error
    text = files.indices(command.corpus_path, vocabulary)
    trainer = new_trainer(text, vocabulary, command.spec)
    try:
        restore_trainer(trainer, vocabulary, arrays, meta)
    except StateError as error:
        raise DamagedArchiveError(str(error)) from error
    ratios = update_ratios(trainer)
    return {
        "update": trainer.updates,
        "ratios": dict(zip(ratios, _numbers(ratios.values()), strict=True)),
    }


def _memory(memory: Memory, settings: TrainerSettings) -> Message:
    half_life = memory.half_life(settings.sequence_length)
    known: float | Literal["infinite"] | None = half_life
    if half_life == math.inf:
        known = "infinite"
    return {
        "losses": memory.losses,
        "last": _numbers(memory.last),
        "typical": [
            {"layer": layer, "state": symbol, "norms": _numbers(norms)}
            for symbol, layers in memory.typical.items()
            for layer, norms in enumerate(layers)
        ],
        "half_life": known,
    }


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_finite(value) for value in values]


def _finite(value: float) -> float | None:
    """Return a number with six digits, which a chart cannot tell from the exact one."""
    return float(f"{value:.5e}") if math.isfinite(value) else None
