"""The kernel of a network: NumPy alone, with whole products or in tiles, or with Numba's loops.

Their results differ by rounding. A run therefore keeps the kernel that it started with, which its
state names, and uses the other one only if that kernel is not available.
"""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, TypeAlias

import numpy as np

from server.rnn.cells import CELLS
from server.rnn.training.settings import TrainerSettings

KernelName: TypeAlias = Literal["numpy", "numpy tiles", "numba", "numba 2"]
KERNELS: tuple[KernelName, ...] = ("numpy", "numpy tiles", "numba", "numba 2")

NUMBA: KernelName = "numba 2"
"""The compiled loops. The states of an earlier version name its loops, which rounded differently:
"numba". These continue such a training."""

TILES: KernelName = "numpy tiles"
"""NumPy, with the recurrent products of several streams in tiles: see `cells.gates.tile_width`."""


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
    """Return the fastest available kernel.

    It is `NUMBA` for one layer and one stream of float32, and `TILES` for several
    streams, where NumPy's linear algebra is fast at small products.
    """
    layer_class = CELLS[settings.cell].layer_class(0, settings.batch_size)
    fits = layer_class.COMPILED and settings.layers == 1 and settings.dtype == "float32"
    if fits and load_numba() is not None:
        return NUMBA
    return TILES if settings.batch_size > 1 and _small_products_are_fast() else "numpy"


@cache
def _small_products_are_fast() -> bool:
    """Whether NumPy has an OpenBLAS with kernels for small products: those for AVX-512."""
    config: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
    blas = config.get("Build Dependencies", {}).get("blas", {}).get("name", "")
    return "openblas" in blas and any(
        name.startswith("AVX512") or name == "X86_V4"
        for name in config.get("SIMD Extensions", {}).get("found", ())
    )
