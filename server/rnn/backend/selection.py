"""The kernel of the vanilla recurrence and of AdaGrad: NumPy, or loops compiled by Numba.

Their results differ by rounding. A run therefore keeps the kernel that it started with, which its
state names, and uses the other one only if that kernel is not available.
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

    The import takes half a second, so call this only when a kernel is needed.
    """
    try:
        return import_module("server.rnn.backend.numba_kernels")
    except (ImportError, OSError):  # OSError: no disk space for the compiled code
        return None


def fitting_kernel(settings: TrainerSettings) -> KernelName:
    """Return the fastest available kernel: Numba's for one layer and one stream of float32."""
    layer_class = CELLS[settings.cell].layer_class(0, settings.batch_size)
    fits = layer_class.COMPILED and settings.layers == 1 and settings.dtype == "float32"
    return "numba" if fits and load_numba() is not None else "numpy"
