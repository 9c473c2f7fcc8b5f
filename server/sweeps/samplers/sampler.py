"""The interface of the samplers, and the choice of one."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
from collections.abc import Sequence
from typing import Protocol

from server.installation import install_command
from server.spec.run_spec import SpecError
from server.sweeps.samplers.grid import GridSampler
from server.sweeps.samplers.random import RandomSampler
from server.sweeps.schemas import SweepSpec
from server.sweeps.space import Configuration, SearchSpace
from server.sweeps.trials import Trial

__all__ = ["Sampler", "can_import_optuna", "has_optuna", "make_sampler"]

log = logging.getLogger(__name__)


class Sampler(Protocol):
    """Chooses configurations, never the same one twice.

    What it chooses depends on its seed and on the trials alone, so that a server that is started
    again chooses as the one before.
    """

    def draw(self, trials: Sequence[Trial]) -> Configuration | None:
        """Return the next configuration after these trials; None if there are no more."""


def has_optuna() -> bool:
    """Whether Optuna is installed."""
    return importlib.util.find_spec("optuna") is not None


@functools.cache
def can_import_optuna() -> bool:
    """Whether Optuna, which is installed, works; the log says why not."""
    try:
        importlib.import_module("server.sweeps.samplers.optuna_study")
    except Exception as error:  # noqa: BLE001 - such as of an extension for another NumPy
        log.warning("Optuna cannot be imported: %s: %s", type(error).__name__, error)
        return False
    return True


def make_sampler(sweep: SweepSpec, space: SearchSpace) -> Sampler:
    """Return the sampler of a sweep.

    Raises
    ------
    SpecError
        Optuna is not installed or does not work, or the grid has too many configurations.
    """
    if sweep.sampler == "grid":
        return GridSampler(space, sweep.seed)
    if sweep.sampler == "random":
        return RandomSampler(space, sweep.seed)
    if not has_optuna():
        raise SpecError(
            "sampler",
            "cannot be tpe without Optuna: install it with"
            f" `{install_command('sweep-install', 'optuna')}`",
        )
    if not can_import_optuna():
        raise SpecError(
            "sampler",
            "cannot be tpe, because Optuna is installed but cannot be imported: install it again,"
            " or choose random",
        )
    from server.sweeps.samplers.tpe import TpeSampler  # noqa: PLC0415 - it imports Optuna

    return TpeSampler(space, sweep.seed)
