"""Which code computes the vanilla recurrence and AdaGrad: NumPy's calls, or Numba's compiled loops.

The two agree to rounding, no further. A training therefore keeps the kernel it began with, which
its state names. Only where that one cannot be had does it go on with the other.
"""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Literal, TypeAlias

from server.rnn.cells import CELLS
from server.rnn.training.settings import TrainerSettings

KernelName: TypeAlias = Literal["numpy", "numba"]
KERNELS: tuple[KernelName, ...] = ("numpy", "numba")


@cache
def load_numba() -> ModuleType | None:
    """Return the compiled loops, or None if Numba cannot be imported.

    It takes a while, so it is left until it is needed.
    """
    try:
        return import_module("server.rnn.backend.numba_kernels")
    except (ImportError, OSError):  # OSError: no room to keep what was compiled
        return None


def fitting_kernel(settings: TrainerSettings) -> KernelName:
    """Return the fastest kernel that there is for a network: Numba's, for one float32 stream."""
    layer_class = CELLS[settings.cell].layer_class(0, settings.batch_size)
    fits = layer_class.COMPILED and settings.layers == 1 and settings.dtype == "float32"
    return "numba" if fits and load_numba() is not None else "numpy"
