"""A worker, spoken to over its pipes as the server does."""

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest

from server.checkpoints.npz import read_archive, read_meta
from server.concurrency.child_process import ChildExitedError, ChildRefusedError, JsonChildProcess
from server.concurrency.typed_messages import Command, encode_command
from server.spec.run_spec import RunSpec
from server.worker.messages import (
    Change,
    ExportCheckpoint,
    ExportModel,
    HistoryFlushed,
    Pause,
    Resume,
    SamplesMeasured,
    SaveCheckpoint,
    Shutdown,
    Start,
    Step,
)
from server.worker.reporter import MAX_BACKLOG_SAMPLES
from tests.serving import PAGES, ROOT, is_alive, until

SMALL = {"hidden_size": 10, "sample_length": 20, "corpus": "any", "max_updates": None}
FAST = SMALL | {"hidden_size": 4, "sequence_length": 4}


class Talk:
    """A worker and all that it reported."""

    def __init__(self, folder):
        self.folder = folder
        self.reports = []
        self.heard_s = []
        self.news = asyncio.Condition()
        self.end = asyncio.get_running_loop().create_future()

    async def hear(self, report):
        async with self.news:
            self.reports.append(report)
            self.heard_s.append(time.monotonic())
            self.news.notify_all()

    async def ended(self, how):
        self.end.set_result(how)

    async def until(self, condition):
        async with self.news:
            await self.news.wait_for(lambda: self.reports and condition(self.reports[-1]))
        return self.reports[-1]

    @property
    def last(self):
        return self.reports[-1]

    @property
    def losses(self):
        parts = [np.frombuffer(base64.b64decode(report["losses"])) for report in self.reports]
        return np.concatenate(parts)

    async def checkpoint(self, name):
        path = self.folder / name
        about = {"id": path.stem, "note": None, "automatic": False}
        answer = await self.child.request(SaveCheckpoint(path=str(path), about=about))
        arrays, meta = read_archive(path)
        assert meta["trainer"]["updates"] == answer["update"]
        return answer["update"], arrays, meta


def start_command(folder, spec, *, training, checkpoint=None):
    (folder / "text.txt").write_bytes(PAGES.encode())
    return Start(
        spec=RunSpec(**spec, watch_words=[]).model_dump(mode="json"),
        folder=str(folder),
        corpus_path=str(folder / "text.txt"),
        checkpoint=None if checkpoint is None else str(checkpoint),
        training=training,
        fast_forward_to=0,
    )


@contextlib.asynccontextmanager
async def worker(folder, *, training=False, checkpoint=None, **spec):
    talk = Talk(folder)
    talk.child = await JsonChildProcess.start("server.worker", talk.hear, talk.ended)
    try:
        command = start_command(folder, SMALL | spec, training=training, checkpoint=checkpoint)
        await talk.child.request(command)
        yield talk
    finally:
        talk.child.notify(Shutdown())
        await talk.child.terminate()


def conversation(test):
    """Run a test on an event loop of its own."""

    def run(tmp_path):
        asyncio.run(test(tmp_path))

    run.__name__ = test.__name__
    return run


@conversation
async def test_it_begins_with_where_it_stands_and_what_it_writes_there(tmp_path):
    async with worker(tmp_path) as talk:
        (report,) = talk.reports
        assert (report["state"], report["update"], report["smooth_loss"]) == ("paused", 0, None)
        (sample,) = report["samples"]
        assert (sample["update"], len(sample["text"])) == (0, 20)


@conversation
async def test_at_full_speed_it_reports_at_most_twenty_times_a_second(tmp_path):
    async with worker(tmp_path, training=True, **FAST) as talk:
        await talk.until(lambda _: len(talk.reports) > 30)
        # Their times are those at which they came: a few may have waited for each other.
        took_s = talk.heard_s[30] - talk.heard_s[5]
        assert took_s > 0.8 * 25 / 20
        await talk.child.request(Pause())
        firsts = [report["first"] for report in talk.reports]
        updates = [report["update"] for report in talk.reports]
        assert firsts[1:] == [update + 1 for update in updates[:-1]]
        assert len(talk.losses) == updates[-1]


@conversation
async def test_it_shows_that_it_goes_on_when_updates_are_rare(tmp_path):
    async with worker(tmp_path, training=True, pace=0.001) as talk:
        await talk.until(lambda _: len(talk.reports) > 8)
        assert talk.last["update"] == 1
        assert talk.last["state"] == "running"
        assert len(talk.losses) == 1


@conversation
async def test_a_pause_is_answered_with_where_it_stands(tmp_path):
    async with worker(tmp_path, training=True) as talk:
        await talk.until(lambda report: report["update"] > 100)
        answer = await talk.child.request(Pause())
        assert talk.last["state"] == "paused"
        assert talk.last["updates_per_second"] == 0
        assert talk.last["update"] == answer["update"] == len(talk.losses)
        update, _, _ = await talk.checkpoint("a.npz")
        assert update == answer["update"]
        assert (await talk.child.request(Pause()))["update"] == answer["update"]
        await talk.child.request(Resume())
        await talk.until(lambda report: report["update"] > answer["update"])


@conversation
async def test_a_pause_does_not_wait_for_a_slow_pace(tmp_path):
    async with worker(tmp_path, training=True, pace=0.001) as talk:
        await talk.until(lambda report: report["update"] == 1)
        assert (await talk.child.request(Pause()))["update"] == 1


@conversation
async def test_steps_are_exact_and_one_at_a_time(tmp_path):
    async with worker(tmp_path) as talk:
        for updates, after in [(1, 1), (10, 11)]:
            answer = await talk.child.request(Step(updates=updates))
            assert (answer["update"], answer["left"]) == (after, 0)
            assert talk.last["update"] == len(talk.losses) == after
        long = asyncio.create_task(talk.child.request(Step(updates=10**9)))
        await talk.until(lambda report: report["update"] > 100)
        with pytest.raises(ChildRefusedError, match="already"):
            await talk.child.request(Step(updates=1))
        paused = await talk.child.request(Pause())
        answer = await long
        assert answer["update"] == paused["update"]
        assert answer["left"] == 10**9 + 11 - paused["update"]
        await talk.child.request(Resume())
        with pytest.raises(ChildRefusedError, match="paused"):
            await talk.child.request(Step(updates=1))


@conversation
async def test_it_ends_by_itself_and_goes_on_only_when_told_to(tmp_path):
    async with worker(tmp_path, training=True, **SMALL | {"max_updates": 30}) as talk:
        await talk.until(lambda report: report["state"] == "finished")
        assert talk.last["update"] == 30
        await talk.child.request(Change(changes={"max_updates": 60}))
        assert (talk.last["state"], talk.last["update"]) == ("paused", 30)
        with pytest.raises(ChildRefusedError, match="made already"):
            await talk.child.request(Change(changes={"max_updates": 29}))
        await talk.child.request(Resume())
        await talk.until(lambda report: report["state"] == "finished")
        assert talk.last["update"] == 60


@conversation
async def test_an_unknown_command_is_refused_and_training_goes_on(tmp_path):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Dance(Command):
        pass

    async with worker(tmp_path) as talk:
        talk.child.notify(Dance())
        with pytest.raises(ChildRefusedError, match="there is no command 'Dance'"):
            await talk.child.request(Dance())
        with pytest.raises(ChildRefusedError, match="started already"):
            await talk.child.request(start_command(tmp_path, SMALL, training=True))
        assert (await talk.child.request(Step(updates=2)))["update"] == 2


@conversation
async def test_changes_are_in_force_when_they_are_answered(tmp_path):
    async with worker(tmp_path) as talk:
        await talk.child.request(Step(updates=5))
        await talk.child.request(Change(changes={"learning_rate": 0.02, "sample_every": 3}))
        await talk.child.request(Step(updates=4))
        _, _, meta = await talk.checkpoint("a.npz")
        assert meta["trainer"]["learning_rate"] == meta["spec"]["learning_rate"] == 0.02
        samples = [sample["update"] for report in talk.reports for sample in report["samples"]]
        assert samples == [0, 1, 2, 5, 6, 9]


@conversation
async def test_looking_is_not_reported_and_changes_nothing(tmp_path):
    async with worker(tmp_path) as talk:
        await talk.child.request(Step(updates=20))
        _, before, _ = await talk.checkpoint("before.npz")
        reports = len(talk.reports)
        for number in range(5):
            for which in ("best", "latest"):
                path = str(tmp_path / f"{which}{number}.npz")
                await talk.child.request(ExportModel(path=path, which=which))
            await talk.child.request(ExportCheckpoint(path=str(tmp_path / f"export{number}.npz")))
        assert len(talk.reports) == reports
        _, after, _ = await talk.checkpoint("after.npz")
        assert {name: array.tobytes() for name, array in before.items()} == {
            name: array.tobytes() for name, array in after.items()
        }


@conversation
async def test_what_cannot_be_written_is_refused(tmp_path):
    async with worker(tmp_path) as talk:
        with pytest.raises(ChildRefusedError):
            await talk.child.request(ExportCheckpoint(path=str(tmp_path / "nowhere" / "a.npz")))
        assert (await talk.child.request(Step(updates=1)))["update"] == 1


@conversation
async def test_going_on_from_a_checkpoint_is_exact(tmp_path):
    spec = {"sample_every": 50}
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    async with worker(tmp_path / "whole", **spec) as talk:
        await talk.child.request(Step(updates=400))
        _, whole, whole_meta = await talk.checkpoint("end.npz")
        whole_losses = talk.losses
        written = [sample for report in talk.reports for sample in report["samples"]]
    async with worker(tmp_path / "parts", **spec) as talk:
        await talk.child.request(Step(updates=170))
        await talk.checkpoint("middle.npz")
        await talk.child.request(Step(updates=30))
    middle = tmp_path / "parts" / "middle.npz"
    async with worker(tmp_path / "parts", checkpoint=middle, **spec) as talk:
        assert talk.last["update"] == 170
        await talk.child.request(Step(updates=230))
        _, parts, parts_meta = await talk.checkpoint("end.npz")
        assert talk.losses.tobytes() == whole_losses[170:].tobytes()
        later = [sample for report in talk.reports for sample in report["samples"]]
        assert later == [sample for sample in written if sample["update"] > 170]
    assert whole_meta["trainer"] == parts_meta["trainer"]
    for name in set(whole) - {"unflushed.losses"}:
        assert whole[name].tobytes() == parts[name].tobytes(), name


@conversation
async def test_it_stands_still_where_a_snapshot_can_not_be_written_and_takes_it_later(tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    snapshots = folder.parent / "snapshots"
    async with worker(folder, sample_every=10) as talk:
        await talk.child.request(Step(updates=5))
        aside = snapshots.rename(tmp_path / "aside")
        snapshots.write_text("no folder")
        answer = await talk.child.request(Step(updates=20))
        assert (answer["update"], answer["left"]) == (10, 15)
        assert "Not a directory" in talk.last["storage_error"]
        for command in (Resume(), Step(updates=1)):
            with pytest.raises(ChildRefusedError):
                await talk.child.request(command)
        assert talk.last["update"] == 10
        snapshots.unlink()
        aside.rename(snapshots)
        assert (await talk.child.request(Step(updates=15)))["update"] == 25
        assert talk.last["storage_error"] is None
        kept = sorted(int(path.stem) for path in snapshots.glob("*.npz"))
        assert kept == [0, 1, 2, 5, 10, 20]


@conversation
async def test_a_server_that_is_gone_is_left_a_checkpoint(tmp_path):
    talk = Talk(tmp_path)
    child = await JsonChildProcess.start("server.worker", talk.hear, talk.ended)
    await child.request(start_command(tmp_path, SMALL, training=True))
    await talk.until(lambda report: report["update"] > 50)
    child.notify(HistoryFlushed(update=20))
    # The end of standard input without a word is what a server that died leaves.
    await child.terminate()
    assert await talk.end == "its process ended with status 0"
    (path,) = tmp_path.glob("[!.]*.npz")
    arrays, meta = read_archive(path)
    assert meta["about"]["note"]
    update = meta["trainer"]["updates"]
    assert update >= talk.last["update"] > 50
    # What the server may not have stored comes with it.
    first = meta["unflushed"]["first"]
    assert first <= talk.last["update"]
    assert len(arrays["unflushed.losses"]) == update - first + 1
    with pytest.raises(ChildExitedError):
        await child.request(Pause())


@conversation
async def test_a_worker_that_leaves_as_it_is_told_leaves_nothing_behind(tmp_path):
    async with worker(tmp_path) as talk:
        await talk.child.request(Step(updates=5))
    assert list(tmp_path.glob("*.npz")) == []
    assert not is_alive(talk.child.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only there ps counts a process's threads")
def test_it_computes_in_one_thread(tmp_path):
    async def threads():
        async with worker(tmp_path, training=True) as talk:
            await talk.until(lambda report: report["update"] > 100)
            command = ["ps", "-o", "nlwp=", "-p", str(talk.child.pid)]
            listed = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, check=True
            )
            return int(listed.stdout)

    # One that trains, one that listens, one that speaks.
    assert asyncio.run(threads()) == 3


# -- a server that does not read ----------------------------------------------------------------


class Deaf:
    """A worker whose words nobody reads."""

    def __init__(self, folder, spec):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.send(start_command(folder, spec, training=True))
        self.asked = 0

    def send(self, command):
        line = json.dumps(encode_command(command, 0)) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()

    def update(self):
        """Where it stands, by a file: that it writes, whether anybody listens or not."""
        self.asked += 1
        path = self.folder / f"{self.asked}.npz"
        # Not a checkpoint: what comes before its answer would add to what waits.
        self.send(ExportCheckpoint(path=str(path)))
        until(path.exists)
        return read_meta(path)["trainer"]["updates"]

    def listen(self):
        self.process.stdin.close()
        reports = [json.loads(line) for line in self.process.stdout]
        return [report for report in reports if "event" in report]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def test_a_server_that_never_reads_does_not_stop_it_and_misses_nothing(tmp_path):
    with Deaf(tmp_path, FAST) as deaf:
        # Three times what the pipe between holds.
        until(lambda: deaf.update() > 3 * (65_536 * 3 // 4 // 8))
        reports = deaf.listen()
    known = 0
    for report in reports:
        losses = np.frombuffer(base64.b64decode(report["losses"]))
        assert (report["first"], report["update"]) == (known + 1, known + len(losses))
        known = report["update"]
    # The rest is in what it left behind when it found nobody there any more.
    (left,) = (path for path in tmp_path.glob("[!.]*.npz") if len(path.stem) == 12)
    arrays, meta = read_archive(left)
    carried = meta["unflushed"]
    assert carried["first"] == 1
    assert len(arrays["unflushed.losses"]) == carried["last"] >= known


def test_it_waits_when_too_many_samples_are_not_measured(tmp_path):
    with Deaf(tmp_path, FAST | {"sample_every": 1, "sample_length": 200}) as deaf:
        # Besides these there is the one before the first update.
        until(lambda: deaf.update() == MAX_BACKLOG_SAMPLES)
        assert {deaf.update() for _ in range(40)} == {MAX_BACKLOG_SAMPLES}
        deaf.send(SamplesMeasured(update=6))
        until(lambda: deaf.update() == MAX_BACKLOG_SAMPLES + 7)
        assert {deaf.update() for _ in range(40)} == {MAX_BACKLOG_SAMPLES + 7}
        reports = deaf.listen()
    samples = [sample["update"] for report in reports for sample in report["samples"]]
    assert samples == list(range(len(samples)))
