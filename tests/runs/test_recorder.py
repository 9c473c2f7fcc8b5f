"""What happens to a run is recorded once, even if it is reported twice."""

import asyncio
import contextlib
from dataclasses import replace

import numpy as np
import pytest

from server.checkpoints.snapshots import Snapshots
from server.checkpoints.unflushed import HistoryDelta
from server.inference.client import InferenceClient
from server.runs.recorder import Recorder
from server.spec.run_spec import RunSpec
from server.spec.schemas import Run, RunState
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor
from tests.concurrency.test_typed_messages import REPORT


class Listener:
    """A publisher that keeps the messages."""

    def __init__(self):
        self.heard = []

    def publish(self, run, message):
        self.heard.append(message)

    def is_watched(self, run):
        return True

    def restart(self, run):
        self.heard.append({"type": "restart"})

    def close(self, run):
        self.heard.append({"type": "close"})


def a_run(corpus):
    spec = RunSpec(corpus=corpus, watch_words=["Orla"])
    return Run(
        id="run",
        name="run",
        state=RunState.INTERRUPTED,
        spec=spec,
        corpus=corpus,
        corpus_name=corpus,
        corpus_characters=100,
        updates_per_epoch=4,
        parameters=1,
        created_at="2026-01-01T00:00:00+00:00",
    )


@contextlib.asynccontextmanager
async def recording(tmp_path):
    """Provide the recorder of a run, its database, and a listener to its messages."""
    book = tmp_path / "book.txt"
    book.write_text("Orla rowed to Farside. " * 20)
    store, reader, listener = StoreExecutor(tmp_path / "db"), InferenceClient(), Listener()
    run = a_run("book")
    await store(Store.add_run, run.id, run.model_dump_json())
    recorder = Recorder(
        run, book, store, listener, reader, snapshots=Snapshots(tmp_path / "snapshots")
    )
    yield recorder, store, listener
    await recorder.close()
    await reader.terminate()
    await store.close()


def test_a_sample_in_two_checkpoints_is_recorded_once(tmp_path):
    sample = {"update": 2, "epoch": 1, "smooth_loss": 1.0, "text": "said Orla."}
    news = HistoryDelta(1, 2, np.array([2.0, 1.0]), samples=[sample])
    progress = {
        "updates": 2,
        "epoch": 1,
        "position": 50,
        "loss": 1.0,
        "smooth_loss": 1.0,
        "best_update": 2,
        "best_smooth_loss": 1.0,
    }

    async def tell():
        async with recording(tmp_path) as (recorder, store, listener):
            # The second report comes while the first sample is still being measured.
            await recorder.restore_to(news, progress)
            await recorder.restore_to(news, progress)
            await recorder.drain()
            kept = (
                await store(queries.list_samples, recorder.run.id),
                await store(queries.list_milestones, recorder.run.id),
            )
        return kept, listener.heard

    (samples, milestones), heard = asyncio.run(tell())
    assert [kept.hurrahs for kept in samples] == [["Orla"]]
    assert [milestone.text for milestone in milestones] == ["hurrah - Orla"]
    assert [message["type"] for message in heard].count("sample") == 1


def test_a_sample_that_is_written_again_is_confirmed_but_not_recorded_again(tmp_path):
    """A worker that repeats updates writes their samples and notices again."""
    sample = {"update": 1, "epoch": 1, "smooth_loss": 1.0, "text": "said Orla."}
    notice = {"update": 1, "text": "The training diverged at update 1."}
    report = replace(REPORT, samples=[sample], notices=[notice])

    async def tell():
        async with recording(tmp_path) as (recorder, store, listener):
            measured = []
            recorder.on_sample_measured = measured.append
            for _ in range(2):
                await recorder.apply_report(report)
                await recorder.drain()
            samples = await store(queries.list_samples, recorder.run.id)
            milestones = await store(queries.list_milestones, recorder.run.id)
        return samples, milestones, measured, listener.heard

    samples, milestones, measured, heard = asyncio.run(tell())
    assert [each.text for each in milestones] == [notice["text"], "hurrah - Orla"]
    assert [each.hurrahs for each in samples] == [["Orla"]]
    assert measured == [1, 1]
    assert [message["type"] for message in heard].count("sample") == 1


def test_the_report_after_one_that_could_not_be_stored_fails(tmp_path):
    async def tell():
        async with recording(tmp_path) as (recorder, store, _):
            recorder.run.state = RunState.RUNNING
            losses = np.ones(REPORT.update).tobytes()
            report = replace(REPORT, state="running", first=1, losses=losses)
            await recorder.apply_report(report)
            assert await store(Store.history_end, recorder.run.id) == report.update
            last = report.update + 3
            await recorder.apply_report(replace(report, first=last, update=last))
            assert await store(Store.history_end, recorder.run.id) == report.update
            with pytest.raises(ValueError, match="the history ends at"):
                await recorder.apply_report(replace(report, first=last + 1, update=last + 1))

    asyncio.run(tell())


def test_the_update_of_a_validation_loss_is_known_after_a_checkpoint_without_it(tmp_path):
    """Checkpoints of earlier versions do not contain it; the samples do."""
    losses = {0: 90.0, 10: 80.0, 20: 70.0}
    samples = [
        {"update": update, "epoch": 1, "smooth_loss": 1.0, "text": "A.", "validation_loss": loss}
        for update, loss in losses.items()
    ]
    progress = {"epoch": 1, "position": 50, "loss": 1.0, "smooth_loss": 1.0}
    progress |= {"best_update": 2, "best_smooth_loss": 1.0}

    async def tell():
        async with recording(tmp_path) as (recorder, _, _):
            await recorder.add_missing_samples(samples)
            await recorder.drain()
            found = []
            for update, loss in ((25, 70.0), (15, 80.0), (5, None)):
                delta = HistoryDelta(1, update, np.ones(update))
                scalars = progress | {"updates": update, "validation_loss": loss}
                await recorder.restore_to(delta, scalars)
                found.append(recorder.run.validation_update)
            # The worker knows the loss from its checkpoint, but not the update.
            for loss, validated in ((80.0, None), (75.0, 17)):
                await recorder.restore_to(
                    HistoryDelta(1, 15, np.ones(15)),
                    progress | {"updates": 15, "validation_loss": 80.0},
                )
                await recorder.apply_report(
                    replace(REPORT, validation_loss=loss, validation_update=validated)
                )
                found.append(recorder.run.validation_update)
        return found

    assert asyncio.run(tell()) == [20, 10, None, 10, 17]
