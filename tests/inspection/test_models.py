"""The file of a live model, which all readers share."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from server.inspection import models as inspected
from server.inspection.models import InspectedModels
from server.spec.schemas import RunState


class FakeRun:
    """A run controller whose worker writes a file after a while and counts how often."""

    def __init__(self, directory, export_s=0.0):
        self.run = SimpleNamespace(
            id="run", update=1, state=RunState.RUNNING, spec=SimpleNamespace(validation_fraction=0)
        )
        self.checkpoint_store = SimpleNamespace(directory=directory)
        self.has_worker = True
        self.exports = 0
        self._export_s = export_s

    async def export_model(self, path, _which):
        await asyncio.sleep(self._export_s)
        self.exports += 1
        path.write_text(str(self.run.update))
        return True


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(inspected.time, "monotonic", lambda: now.s)
    return now


async def read(models, run, source="latest"):
    async with models.locate(run, source) as found:
        return found.located.path.read_text(), found.key


def test_readers_share_a_file_until_the_run_has_moved_on(tmp_path, clock):
    async def check():
        run, models = FakeRun(tmp_path), InspectedModels(None)
        assert len(set(await asyncio.gather(*(read(models, run) for _ in range(50))))) == 1
        assert run.exports == 1
        clock.s += 10
        first = await read(models, run)
        assert run.exports == 1
        run.run.update = 2
        second = await read(models, run)
        assert run.exports == 2
        assert (first[0], second[0]) == ("1", "2")
        assert first[1] != second[1]
        # Not more than five times a second.
        for _ in range(9):
            run.run.update += 1
            clock.s += 0.02
            await read(models, run)
        assert run.exports == 2
        clock.s += 0.021
        assert (await read(models, run))[0] == "11"
        # A run that stands still is read as it is.
        run.run.update, run.run.state = 12, RunState.PAUSED
        assert (await read(models, run))[0] == "12"

    asyncio.run(check())


def test_an_export_that_takes_long_is_made_less_often(tmp_path, clock):
    async def check():
        run, models = FakeRun(tmp_path), InspectedModels(None)

        async def slow(path, which):
            clock.s += 0.5
            return await FakeRun.export_model(run, path, which)

        run.export_model = slow
        await read(models, run)
        run.run.update = 2
        clock.s += 4.4
        assert (await read(models, run))[0] == "1"
        clock.s += 0.2
        assert (await read(models, run))[0] == "2"

    asyncio.run(check())


def test_a_file_is_deleted_after_its_last_reader(tmp_path, monkeypatch):
    monkeypatch.setattr(inspected, "IDLE_S", 0.01)

    async def check():
        run, models = FakeRun(tmp_path, export_s=0.001), InspectedModels(None)
        async with models.locate(run, "latest") as old:
            run.run.update, run.run.state = 2, RunState.PAUSED
            new, _ = await read(models, run)
            # Replaced, but still read.
            assert (old.located.path.read_text(), new) == ("1", "2")
        assert not old.located.path.exists()
        reading = asyncio.create_task(read(models, run, "best"))
        await asyncio.sleep(0)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        while list(tmp_path.iterdir()):  # noqa: ASYNC110 - nothing tells of a deleted file
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(check(), 30))


def test_a_file_that_was_deleted_meanwhile_is_written_again(tmp_path):
    async def check():
        run, models = FakeRun(tmp_path), InspectedModels(None)
        await read(models, run)
        for path in tmp_path.iterdir():
            path.unlink()
        assert (await read(models, run))[0] == "1"

    asyncio.run(check())
