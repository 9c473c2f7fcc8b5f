"""The model for a reading is searched for in the runs that a run was forked from."""

import asyncio
from types import SimpleNamespace

from server.analysis.surprisal import SurprisalService

FORKS = 3_000


def test_a_chain_of_any_number_of_forks_is_followed(tmp_path):
    """More forks than Python permits nested calls."""
    store_in = SimpleNamespace(directory=tmp_path / "checkpoints")

    def find(number):
        origin = SimpleNamespace(run=int(number) - 1) if int(number) else None
        run = SimpleNamespace(id=number, forked_from=origin)
        return SimpleNamespace(run=run, checkpoint_store=store_in)

    async def no_checkpoints(_query, _run):
        return []

    async def scene():
        service = SurprisalService(no_checkpoints, find, 1)
        return await service._source(find(FORKS), 0, set())

    source, path = asyncio.run(scene())
    assert (source.kind, source.update, path) == ("beginning", 0, None)
