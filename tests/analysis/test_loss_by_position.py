"""The mean loss by position, read in pieces."""

import asyncio

import numpy as np
import pytest

from server.analysis.loss_by_position import loss_by_position
from server.history.run_history import Records
from server.rnn.training.batches import BatchLayout
from server.store.database import Store
from server.store.executor import StoreExecutor


@pytest.fixture
def losses():
    return np.random.default_rng(3).gamma(20.0, 3.0, 9_000)


@pytest.mark.parametrize("order", ["sequential", "shuffled"])
@pytest.mark.parametrize("piece", [1, 999, 5_000, 1 << 20])
@pytest.mark.parametrize("per_epoch", [3, 700, 4_000, 20_000])
def test_means_do_not_depend_on_the_size_of_the_pieces(
    tmp_path, monkeypatch, losses, piece, per_epoch, order
):
    layout = BatchLayout(25 * per_epoch + 1, 1, 25, order)
    monkeypatch.setattr(
        "server.analysis.loss_by_position.PIECE_UPDATES", max(piece, per_epoch // 50)
    )

    async def read():
        store = StoreExecutor(tmp_path / "hurrah.db")
        await store(Store.add_report, "run", "{}", Records(1, losses), [])
        found = await loss_by_position(store, "run", layout=layout, epochs=[1, 2, 3, 9_999])
        await store.close()
        return found

    found = asyncio.run(read())
    bins = min(500, per_epoch)
    starts = [place * per_epoch // bins for place in range(bins + 1)]
    assert found.positions == [start * 25 for start in starts[:-1]]
    begun = [epoch for epoch in (1, 2, 3, 9_999) if (epoch - 1) * per_epoch < len(losses)]
    assert [epoch for epoch, _ in found.epochs] == begun
    for epoch, means in found.epochs:
        inside = losses[(epoch - 1) * per_epoch : epoch * per_epoch]
        if order == "shuffled":
            read = layout.sequence_order(epoch)[: len(inside)]
            by_place = np.full(per_epoch, np.nan)
            by_place[read] = inside
            inside = by_place
        for start, end, mean in zip(starts, starts[1:], means, strict=False):
            part = inside[start:end]
            part = part[np.isfinite(part)]
            assert mean == (pytest.approx(part.mean()) if len(part) else None)
