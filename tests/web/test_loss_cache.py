"""Cached loss curves: computed once, and never older than a known update."""

import asyncio
import json

import numpy as np
import pytest

from server.history.run_history import Records
from server.spec.run_spec import RunSpec
from server.spec.schemas import Run, RunState
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor
from server.web.loss_cache import CACHE_S, LossCache

LOSSES = np.random.default_rng(5).gamma(20.0, 3.0, 9_000)


class Scene:
    """A run, a cache of its curves, and the reads that the cache made."""

    def __init__(self, path):
        self.now_s = 0.0
        self.store = StoreExecutor(path / "hurrah.db")
        self.read = []
        self.curves = LossCache(self._counted, lambda: self.now_s)
        self.run = Run(
            id="run",
            name="a run",
            state=RunState.RUNNING,
            spec=RunSpec(corpus="text"),
            corpus="text",
            corpus_name="A text",
            corpus_characters=1_000,
            parameters=5,
            updates_per_epoch=39,
            created_at="2026-11-24T00:00:00+00:00",
        )

    async def _counted(self, function, *arguments, **options):
        if function is queries.reduced_loss:
            self.read.append((*arguments, options))
        return await self.store(function, *arguments, **options)

    async def go_on_to(self, update):
        first, self.run.update = self.run.update + 1, update
        text = self.run.model_dump_json()
        records = Records(first, LOSSES[first - 1 : update])
        await self.store(Store.add_report, "run", text, records, [])

    async def look(self, first, last, *, points=100, smoothing=0.999):
        curve = await self.curves.get(self.run, first, last, points=points, smoothing=smoothing)
        return json.loads(curve)


@pytest.fixture
def within(tmp_path):
    def play(act):
        async def scene():
            there = Scene(tmp_path)
            await there.go_on_to(5_000)
            await act(there)
            await there.store.close()

        asyncio.run(scene())

    return play


@pytest.mark.parametrize("smoothing", [0.0, 0.9, 0.999])
def test_equal_requests_share_one_curve(within, smoothing):
    async def act(there):
        hall = [there.look(1_000, 4_000, smoothing=smoothing) for _ in range(500)]
        shown = await asyncio.gather(*hall)
        assert all(each == shown[0] for each in shown)
        assert (shown[0]["from"], shown[0]["to"]) == (1_000, 4_000)
        await there.go_on_to(6_000)
        assert await there.look(1_000, 4_000, smoothing=smoothing) == shown[0]
        assert len(there.read) == 1
        there.now_s += CACHE_S
        assert await there.look(1_000, 4_000, smoothing=smoothing) == shown[0]
        assert len(there.read) == 2

    within(act)


def test_different_requests_get_different_curves(within):
    async def act(there):
        await there.look(1_000, 4_000)
        for first, last, points, smoothing in [
            (1_001, 4_000, 100, 0.999),
            (1_000, 4_001, 100, 0.999),
            (1_000, 4_000, 101, 0.999),
            (1_000, 4_000, 100, 0.99),
        ]:
            before = len(there.read)
            shown = await there.look(first, last, points=points, smoothing=smoothing)
            assert (shown["from"], shown["to"]) == (first, last)
            assert len(there.read) == before + 1

    within(act)


@pytest.mark.parametrize("last", [None, 9_999])
def test_a_curve_never_ends_before_a_known_update(within, last):
    async def act(there):
        for update in (5_000, 5_001, 5_100):
            await there.go_on_to(update)
            assert (await there.look(1, last))["to"] == update

    within(act)
