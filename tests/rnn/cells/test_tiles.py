"""Recurrent products in tiles, the kernel of several streams on processors with AVX-512."""

import numpy as np
import pytest

from server.rnn.backend import selection
from server.rnn.backend.selection import TILES, fitting_kernel
from server.rnn.cells import CELLS, gates
from server.rnn.cells.gates import tile_width
from server.rnn.training.settings import TrainerSettings
from tests.rnn.support import bytes_of, make_trainer


@pytest.mark.parametrize(
    ("streams", "m", "width"),
    [
        *((25, 512, 64), (50, 512, 32), (25, 300, 60), (25, 1024, 32)),
        # Small products, products without small tiles, and a single stream.
        *((25, 100, 100), (200, 512, 512), (25, 509, 509), (1, 2048, 2048)),
    ],
)
def test_tiles_are_as_wide_as_a_small_product_may_be(streams, m, width):
    assert tile_width(streams, m) == width


@pytest.fixture
def _small_tiles(monkeypatch):
    """Tiles of 2 of 6 columns for 3 streams, of 3 for 2 streams."""
    monkeypatch.setattr(gates, "SMALL_PRODUCT", 42)
    monkeypatch.setattr(gates, "MIN_TILE", 2)


def trainer_with(kernel, **changes):
    trainer = make_trainer(**changes)
    arrays, scalars = trainer.state()
    trainer.restore(arrays, scalars | {"kernel": kernel})
    return trainer


@pytest.mark.usefixtures("_small_tiles")
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("batch_size", "threads"), [(2, 1), (3, 1), (5, 2)])
@pytest.mark.parametrize("cell", CELLS)
def test_products_in_tiles_equal_whole_products(cell, batch_size, threads, layers):
    changes = {"cell": cell, "batch_size": batch_size, "threads": threads, "layers": layers}
    changes |= {"dtype": "float64", "init_scale": 0.2}
    whole, tiled = (trainer_with(kernel, **changes) for kernel in ("numpy", TILES))
    for _ in range(10):
        assert tiled.update() == pytest.approx(whole.update(), rel=1e-9)
    arrays, _ = tiled.state()
    for name, array in whole.state()[0].items():
        assert arrays[name] == pytest.approx(array, rel=1e-7, abs=1e-9), name


@pytest.mark.usefixtures("_small_tiles")
@pytest.mark.parametrize("kernel", ["numpy", TILES])
def test_a_training_keeps_its_products(kernel, monkeypatch):
    monkeypatch.setattr(selection, "_small_products_are_fast", lambda: kernel != TILES)
    changes = {"batch_size": 3, "cell": "lstm"}
    undisturbed, resumed = trainer_with(kernel, **changes), make_trainer(**changes)
    for _ in range(5):
        undisturbed.update()
    resumed.restore(*undisturbed.state())
    for _ in range(5):
        assert resumed.update() == undisturbed.update()
    assert resumed.kernel == kernel
    assert bytes_of(resumed) == bytes_of(undisturbed)


def test_tiles_are_chosen_for_several_streams_where_small_products_are_fast(monkeypatch):
    fast = True
    monkeypatch.setattr(selection, "_small_products_are_fast", lambda: fast)
    several = TrainerSettings(batch_size=2)
    assert fitting_kernel(several) == TILES
    assert fitting_kernel(TrainerSettings(dtype="float64")) == "numpy"
    fast = False
    assert fitting_kernel(several) == "numpy"


@pytest.mark.parametrize(
    ("blas", "found", "fast"),
    [
        ("scipy-openblas", ["X86_V3", "X86_V4", "AVX512_ICL"], True),
        ("scipy-openblas", ["AVX2", "AVX512F", "AVX512_SKX"], True),
        ("scipy-openblas", ["X86_V3"], False),
        ("accelerate", ["ASIMD"], False),
        ("mkl", ["X86_V4"], False),
    ],
)
def test_small_products_are_fast_with_openblas_and_avx_512(monkeypatch, blas, found, fast):
    config = {"Build Dependencies": {"blas": {"name": blas}}, "SIMD Extensions": {"found": found}}
    monkeypatch.setattr(np, "show_config", lambda mode: config)
    assert selection._small_products_are_fast.__wrapped__() == fast
