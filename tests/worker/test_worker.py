"""A worker process, controlled over its pipes as the server does it."""

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
from collections import deque
from dataclasses import dataclass

import numpy as np
import pytest

from server.checkpoints.npz import read_archive, read_meta
from server.concurrency.child_process import ChildExitedError, ChildRefusedError, JsonChildProcess
from server.concurrency.typed_messages import Command, encode_command
from server.rnn.metrics import MEASURED_EVERY
from server.spec.run_spec import RunSpec
from server.worker.messages import (
    ApplyChange,
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
    decode_numbers,
)
from server.worker.reporter import MAX_BACKLOG_SAMPLES
from server.worker.worker import Worker
from tests.processes import is_alive
from tests.serving import NOVEL, PAGES, ROOT, until

SMALL = {"hidden_size": 10, "sample_length": 20, "corpus": "any", "max_updates": None}
FAST = SMALL | {"hidden_size": 4, "sequence_length": 4}


class Session:
    """A worker and all its reports."""

    def __init__(self, directory):
        self.directory = directory
        self.reports = []
        self.news = asyncio.Condition()
        self.end = asyncio.get_running_loop().create_future()

    async def add_report(self, report):
        async with self.news:
            self.reports.append(report)
            self.news.notify_all()

    async def ended(self, how):
        self.end.set_result(how)

    async def change(self, **changes):
        """Change the spec, as the server does once it has stored the change."""
        await self.child.request(Change(changes=changes))
        await self.child.request(ApplyChange(changes=changes))

    async def until(self, condition):
        async with self.news:
            await self.news.wait_for(lambda: self.reports and condition(self.reports[-1]))
        return self.reports[-1]

    @property
    def last(self):
        return self.reports[-1]

    @property
    def losses(self):
        return np.concatenate([decode_numbers(report["losses"]) for report in self.reports])

    @property
    def metrics(self):
        """The values of each metric."""
        names = {name for report in self.reports for name in report["metrics"]}
        return {
            name: np.concatenate(
                [decode_numbers(report["metrics"].get(name, "")) for report in self.reports]
            )
            for name in names
        }

    async def checkpoint(self, name):
        path = self.directory / name
        answer = await self.child.request(save_command(path))
        arrays, meta = read_archive(path)
        assert meta["trainer"]["updates"] == answer["update"]
        return answer["update"], arrays, meta


def save_command(path):
    about = {"id": path.stem, "note": None, "automatic": False}
    return SaveCheckpoint(path=str(path), about=about)


def start_command(directory, spec, *, training, checkpoint=None, text=PAGES):
    (directory / "text.txt").write_bytes(text.encode())
    return Start(
        spec=RunSpec(**spec, watch_words=[]).model_dump(mode="json"),
        directory=str(directory),
        corpus_path=str(directory / "text.txt"),
        checkpoint=None if checkpoint is None else str(checkpoint),
        training=training,
        fast_forward_to=0,
    )


@contextlib.asynccontextmanager
async def worker(directory, *, training=False, checkpoint=None, text=PAGES, commands=(), **spec):
    """Start a worker, and send `commands` before it can have replied to the start."""
    session = Session(directory)
    session.child = await JsonChildProcess.start("server.worker", session.add_report, session.ended)
    try:
        command = start_command(
            directory, SMALL | spec, training=training, checkpoint=checkpoint, text=text
        )
        requests = map(session.child.request, [command, *commands])
        session.replies = (await asyncio.gather(*requests))[1:]
        yield session
    finally:
        session.child.notify(Shutdown())
        await session.child.terminate()


def async_test(test):
    """Run a test on an event loop of its own."""

    def run(tmp_path):
        asyncio.run(test(tmp_path))

    run.__name__ = test.__name__
    return run


@async_test
async def test_the_first_report_has_the_state_and_the_first_sample(tmp_path):
    async with worker(tmp_path) as session:
        (report,) = session.reports
        assert (report["state"], report["update"], report["smooth_loss"]) == ("paused", 0, None)
        (sample,) = report["samples"]
        assert (sample["update"], len(sample["text"])) == (0, 20)


@async_test
async def test_the_reports_of_a_worker_miss_nothing(tmp_path):
    async with worker(tmp_path, training=True, **FAST) as session:
        await session.until(lambda _: len(session.reports) > 30)
        await session.child.request(Pause())
        firsts = [report["first"] for report in session.reports]
        updates = [report["update"] for report in session.reports]
        assert firsts[1:] == [update + 1 for update in updates[:-1]]
        assert len(session.losses) == updates[-1]


@async_test
async def test_a_worker_reports_between_rare_updates(tmp_path):
    async with worker(tmp_path, training=True, pace=0.001) as session:
        await session.until(lambda _: len(session.reports) > 8)
        assert session.last["update"] == 1
        assert session.last["state"] == "running"
        assert len(session.losses) == 1


@async_test
async def test_the_reply_to_a_pause_has_the_update(tmp_path):
    async with worker(tmp_path, training=True) as session:
        await session.until(lambda report: report["update"] > 100)
        answer = await session.child.request(Pause())
        assert session.last["state"] == "paused"
        assert session.last["updates_per_second"] == 0
        assert session.last["update"] == answer["update"] == len(session.losses)
        update, _, _ = await session.checkpoint("a.npz")
        assert update == answer["update"]
        assert (await session.child.request(Pause()))["update"] == answer["update"]
        await session.child.request(Resume())
        await session.until(lambda report: report["update"] > answer["update"])


@async_test
async def test_a_pause_does_not_wait_for_a_slow_pace(tmp_path):
    async with worker(tmp_path, training=True, pace=0.001) as session:
        await session.until(lambda report: report["update"] == 1)
        assert (await session.child.request(Pause()))["update"] == 1


@async_test
async def test_steps_are_exact_and_one_at_a_time(tmp_path):
    async with worker(tmp_path) as session:
        for updates, after in [(1, 1), (10, 11)]:
            answer = await session.child.request(Step(updates=updates))
            assert (answer["update"], answer["left"]) == (after, 0)
            assert session.last["update"] == len(session.losses) == after
        long = asyncio.create_task(session.child.request(Step(updates=10**9)))
        await session.until(lambda report: report["update"] > 100)
        with pytest.raises(ChildRefusedError, match="already"):
            await session.child.request(Step(updates=1))
        paused = await session.child.request(Pause())
        answer = await long
        assert answer["update"] == paused["update"]
        assert answer["left"] == 10**9 + 11 - paused["update"]
        await session.child.request(Resume())
        with pytest.raises(ChildRefusedError, match="paused"):
            await session.child.request(Step(updates=1))


@async_test
async def test_a_finished_worker_continues_only_after_resume(tmp_path):
    async with worker(tmp_path, training=True, **SMALL | {"max_updates": 30}) as session:
        await session.until(lambda report: report["state"] == "finished")
        assert session.last["update"] == 30
        await session.change(max_updates=60)
        assert (session.last["state"], session.last["update"]) == ("paused", 30)
        with pytest.raises(ChildRefusedError, match="already been made"):
            await session.child.request(Change(changes={"max_updates": 29}))
        await session.child.request(Resume())
        await session.until(lambda report: report["state"] == "finished")
        assert session.last["update"] == 60


@async_test
async def test_an_unknown_command_is_refused_and_training_goes_on(tmp_path):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Dance(Command):
        pass

    async with worker(tmp_path) as session:
        session.child.notify(Dance())
        with pytest.raises(ChildRefusedError, match="there is no command 'Dance'"):
            await session.child.request(Dance())
        with pytest.raises(ChildRefusedError, match="started already"):
            await session.child.request(start_command(tmp_path, SMALL, training=True))
        assert (await session.child.request(Step(updates=2)))["update"] == 2


@async_test
async def test_a_change_is_in_force_when_it_is_answered(tmp_path):
    async with worker(tmp_path) as session:
        await session.child.request(Step(updates=5))
        await session.change(learning_rate=0.02, sample_every=3)
        await session.child.request(Step(updates=4))
        _, _, meta = await session.checkpoint("a.npz")
        assert meta["trainer"]["learning_rate"] == meta["spec"]["learning_rate"] == 0.02
        samples = [sample["update"] for report in session.reports for sample in report["samples"]]
        assert samples == [0, 1, 2, 5, 6, 9]


@async_test
async def test_read_only_commands_cause_no_report_and_change_nothing(tmp_path):
    async with worker(tmp_path) as session:
        await session.child.request(Step(updates=20))
        _, before, _ = await session.checkpoint("before.npz")
        reports = len(session.reports)
        for number in range(5):
            for which in ("best", "latest"):
                path = str(tmp_path / f"{which}{number}.npz")
                await session.child.request(ExportModel(path=path, which=which))
            await session.child.request(
                ExportCheckpoint(path=str(tmp_path / f"export{number}.npz"))
            )
        assert len(session.reports) == reports
        _, after, _ = await session.checkpoint("after.npz")
        assert {name: array.tobytes() for name, array in before.items()} == {
            name: array.tobytes() for name, array in after.items()
        }


@async_test
async def test_an_export_that_can_not_be_written_is_refused(tmp_path):
    async with worker(tmp_path) as session:
        with pytest.raises(ChildRefusedError):
            await session.child.request(ExportCheckpoint(path=str(tmp_path / "nowhere" / "a.npz")))
        assert (await session.child.request(Step(updates=1)))["update"] == 1


@async_test
async def test_resuming_from_a_checkpoint_is_exact(tmp_path):
    spec = {"sample_every": 50}
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    async with worker(tmp_path / "whole", **spec) as session:
        await session.child.request(Step(updates=400))
        _, whole, whole_meta = await session.checkpoint("end.npz")
        whole_losses, whole_metrics = session.losses, session.metrics
        written = [sample for report in session.reports for sample in report["samples"]]
    async with worker(tmp_path / "parts", **spec) as session:
        await session.child.request(Step(updates=170))
        await session.checkpoint("middle.npz")
        await session.child.request(Step(updates=30))
    middle = tmp_path / "parts" / "middle.npz"
    async with worker(tmp_path / "parts", checkpoint=middle, **spec) as session:
        assert session.last["update"] == 170
        await session.child.request(Step(updates=230))
        _, parts, parts_meta = await session.checkpoint("end.npz")
        assert session.losses.tobytes() == whole_losses[170:].tobytes()
        assert session.metrics.keys() == whole_metrics.keys() >= {"gradient_norm"}
        for metric, values in whole_metrics.items():
            measured_before = 170 // MEASURED_EVERY
            assert len(values) == 400 // MEASURED_EVERY
            assert session.metrics[metric].tobytes() == values[measured_before:].tobytes()
        later = [sample for report in session.reports for sample in report["samples"]]
        assert later == [sample for sample in written if sample["update"] > 170]
    assert whole_meta["trainer"] == parts_meta["trainer"]
    for name in whole:
        if not name.startswith("unflushed."):
            assert whole[name].tobytes() == parts[name].tobytes(), name


@async_test
async def test_training_stops_when_a_snapshot_can_not_be_written_and_writes_it_later(tmp_path):
    directory = tmp_path / "run" / "checkpoints"
    directory.mkdir(parents=True)
    snapshots = directory.parent / "snapshots"
    async with worker(directory, sample_every=10) as session:
        await session.child.request(Step(updates=5))
        aside = snapshots.rename(tmp_path / "aside")
        snapshots.write_text("no directory")
        answer = await session.child.request(Step(updates=20))
        assert (answer["update"], answer["left"]) == (10, 15)
        assert "Not a directory" in session.last["storage_error"]
        for command in (Resume(), Step(updates=1)):
            with pytest.raises(ChildRefusedError):
                await session.child.request(command)
        assert session.last["update"] == 10
        snapshots.unlink()
        aside.rename(snapshots)
        assert (await session.child.request(Step(updates=15)))["update"] == 25
        assert session.last["storage_error"] is None
        kept = sorted(int(path.stem) for path in snapshots.glob("*.npz"))
        assert kept == [0, 1, 2, 5, 10, 20]


@async_test
async def test_a_worker_saves_a_checkpoint_when_the_server_is_gone(tmp_path):
    session = Session(tmp_path)
    child = await JsonChildProcess.start("server.worker", session.add_report, session.ended)
    await child.request(start_command(tmp_path, SMALL, training=True))
    await session.until(lambda report: report["update"] > 50)
    child.notify(HistoryFlushed(update=20))
    # A server that died leaves the end of standard input without a command.
    await child.terminate()
    assert await session.end == "its process ended with status 0"
    (path,) = tmp_path.glob("[!.]*.npz")
    arrays, meta = read_archive(path)
    assert meta["about"]["note"]
    update = meta["trainer"]["updates"]
    assert update >= session.last["update"] > 50
    # It contains the history that the server may not have stored.
    first = meta["unflushed"]["first"]
    assert first <= session.last["update"]
    assert len(arrays["unflushed.losses"]) == update - first + 1
    with pytest.raises(ChildExitedError):
        await child.request(Pause())


@async_test
async def test_a_worker_that_is_shut_down_saves_no_checkpoint(tmp_path):
    async with worker(tmp_path) as session:
        await session.child.request(Step(updates=5))
    assert list(tmp_path.glob("*.npz")) == []
    assert not is_alive(session.child.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only there ps counts a process's threads")
def test_a_worker_computes_in_one_thread(tmp_path):
    async def threads():
        async with worker(tmp_path, training=True) as session:
            await session.until(lambda report: report["update"] > 100)
            command = ["ps", "-o", "nlwp=", "-p", str(session.child.pid)]
            listed = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, check=True
            )
            return int(listed.stdout)

    # One thread trains, one reads, and one writes.
    assert asyncio.run(threads()) == 3


# -- a server that does not read ----------------------------------------------------------------


class UnreadWorker:
    """A worker whose output is not read."""

    def __init__(self, directory, spec):
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.send(start_command(directory, spec, training=True))
        self.exports = 0

    def send(self, command):
        line = json.dumps(encode_command(command, 0)) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()

    def update(self):
        """Return the worker's update, read from a checkpoint that it exports."""
        self.exports += 1
        path = self.directory / f"{self.exports}.npz"
        # An export, because a checkpoint would cause a report and so add to the backlog.
        self.send(ExportCheckpoint(path=str(path)))
        until(path.exists)
        return read_meta(path)["trainer"]["updates"]

    def read_reports(self):
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


def test_a_server_that_never_reads_does_not_block_training_and_misses_nothing(tmp_path):
    with UnreadWorker(tmp_path, FAST) as unread:
        # Three times the capacity of the pipe.
        until(lambda: unread.update() > 3 * (65_536 * 3 // 4 // 8))
        reports = unread.read_reports()
    known = 0
    for report in reports:
        losses = np.frombuffer(base64.b64decode(report["losses"]))
        assert (report["first"], report["update"]) == (known + 1, known + len(losses))
        known = report["update"]
    # The rest is in the checkpoint that the worker saved when the server was gone.
    (left,) = (path for path in tmp_path.glob("[!.]*.npz") if len(path.stem) == 12)
    arrays, meta = read_archive(left)
    carried = meta["unflushed"]
    assert carried["first"] == 1
    assert len(arrays["unflushed.losses"]) == carried["last"] >= known


def test_training_waits_when_too_many_samples_are_not_measured(tmp_path):
    with UnreadWorker(tmp_path, FAST | {"sample_every": 1, "sample_length": 200}) as unread:
        # The sample before the first update is pending, too.
        until(lambda: unread.update() == MAX_BACKLOG_SAMPLES)
        assert {unread.update() for _ in range(40)} == {MAX_BACKLOG_SAMPLES}
        unread.send(SamplesMeasured(update=6))
        until(lambda: unread.update() == MAX_BACKLOG_SAMPLES + 7)
        assert {unread.update() for _ in range(40)} == {MAX_BACKLOG_SAMPLES + 7}
        reports = unread.read_reports()
    samples = [sample["update"] for report in reports for sample in report["samples"]]
    assert samples == list(range(len(samples)))


@async_test
async def test_a_run_ends_with_a_sample_of_its_last_update(tmp_path):
    spec = {"max_updates": 33, "sample_every": 20, "validation_fraction": 0.2}
    directory = tmp_path / "checkpoints"
    directory.mkdir()
    async with worker(directory, training=True, **spec) as session:
        await session.until(lambda report: report["state"] == "finished")
        samples = [each for report in session.reports for each in report["samples"]]
        assert [each["update"] for each in samples] == [0, 1, 2, 5, 10, 20, 33]
        assert samples[-1]["validation_loss"] == session.last["validation_loss"]
        assert session.last["validation_update"] == 33
        assert samples[-1]["validation_loss"] != samples[-2]["validation_loss"]
        assert (tmp_path / "snapshots" / "33.npz").exists()


@async_test
async def test_a_run_that_is_stopped_ends_with_a_sample_but_one_that_is_paused_does_not(tmp_path):
    async with worker(tmp_path, sample_every=20, validation_fraction=0.2) as session:
        await session.child.request(Step(updates=23))
        await session.child.request(Pause())
        written = [each["update"] for report in session.reports for each in report["samples"]]
        assert written == [0, 1, 2, 5, 10, 20]
        for _ in range(2):
            await session.child.request(Pause(last=True))
            written = [each["update"] for report in session.reports for each in report["samples"]]
            assert written == [0, 1, 2, 5, 10, 20, 23]
        await session.change(max_updates=23)
        assert session.last["state"] == "finished"


@async_test
async def test_commands_are_carried_out_during_a_long_validation(tmp_path):
    """A checkpoint from within it continues with the same sample and the same bytes."""
    spec = {
        "cell": "lstm",
        "hidden_size": 300,
        "sequence_length": 10,
        "batch_size": 2,
        "validation_fraction": 0.5,
        "sample_every": 10,
        "max_updates": 1,
    }
    text = NOVEL[:60_000]
    (tmp_path / "other").mkdir()
    within = [tmp_path / "other" / "first.npz", tmp_path / "other" / "second.npz"]
    # They arrive before the measurement begins that is made before the first update.
    commands = [save_command(within[0]), Pause(), save_command(within[1])]
    async with worker(tmp_path, text=text, commands=commands, **spec) as session:
        assert [reply["update"] for reply in session.replies] == [0, 0, 0]
        for path in within:
            assert not read_meta(path)["sampled"]
        await session.child.request(Resume())
        await session.until(lambda report: report["state"] == "finished")
        samples = [each for report in session.reports for each in report["samples"]]
        _, arrays, meta = await session.checkpoint("end.npz")
        assert meta["sampled"]
    async with worker(
        tmp_path / "other", text=text, checkpoint=within[1], training=True, **spec
    ) as session:
        await session.until(lambda report: report["state"] == "finished")
        again = [each for report in session.reports for each in report["samples"]]
        _, arrays_again, meta_again = await session.checkpoint("again.npz")
    assert again == samples
    assert [each["update"] for each in samples] == [0, 1]
    assert meta_again["trainer"] == meta["trainer"]
    for name, array in arrays.items():
        if not name.startswith("unflushed."):
            assert arrays_again[name].tobytes() == array.tobytes(), name


@async_test
async def test_a_finished_run_that_goes_on_equals_one_that_never_stopped(tmp_path):
    """Only the sample of its first end is additional, and stays."""
    spec = {"sample_every": 20, "validation_fraction": 0.2}
    sessions = []
    for name, end in (("extended", 33), ("whole", 50)):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        async with worker(
            tmp_path / name / "checkpoints", training=True, max_updates=end, **spec
        ) as session:
            await session.until(lambda report: report["state"] == "finished")
            if end < 50:
                await session.change(max_updates=50)
                await session.child.request(Resume())
                await session.until(lambda report: report["update"] == 50)
                await session.until(lambda report: report["state"] == "finished")
            _, arrays, meta = await session.checkpoint("end.npz")
            samples = [each for report in session.reports for each in report["samples"]]
            sessions.append((arrays, meta["trainer"], samples, session.losses))
    (arrays, trainer, samples, losses), (whole, whole_trainer, whole_samples, all_losses) = sessions
    assert np.array_equal(losses, all_losses)
    for array in whole:
        if not array.startswith("best_validation."):
            assert arrays[array].tobytes() == whole[array].tobytes(), array
    assert {name for name in trainer if trainer[name] != whole_trainer[name]} <= {
        name for name in trainer if name.startswith("best_validation_")
    }
    assert [each["update"] for each in samples] == [0, 1, 2, 5, 10, 20, 33, 40, 50]
    assert [each for each in samples if each["update"] != 33] == whole_samples


class CuttingChannel:
    """A channel to a worker in this process, which asks for a checkpoint within the last sample.

    A request from another process might arrive after the sample.
    """

    idle = True
    server_gone = False

    def __init__(self, path):
        self.path = path
        self.samples = []
        self._asked = False
        self._inbox = deque()

    @property
    def inbox(self):
        if self.worker.trainer.updates == 3 and self.worker.sampling is not None:
            if not self._asked:
                self._inbox.append(encode_command(save_command(self.path), 1))
            self._asked = True
        elif self.worker.state == "finished":
            self._inbox.append(encode_command(Shutdown()))
        return self._inbox

    def send(self, report):
        self.samples += report["samples"]

    def send_reply(self, number, content):
        assert content == {"update": 3}


@async_test
async def test_the_last_sample_that_was_cut_off_is_written_when_the_run_is_opened_again(tmp_path):
    spec = {"cell": "lstm", "hidden_size": 300, "validation_fraction": 0.5, "sample_every": 100}
    text = NOVEL[:80_000]
    directories = [tmp_path / name for name in ("first", "second")]
    for directory in directories:
        directory.mkdir()
    channel = CuttingChannel(directories[0] / "cut.npz")
    command = start_command(
        directories[0], SMALL | spec | {"max_updates": 3}, training=True, text=text
    )
    channel.worker = Worker(channel, command)
    channel.worker.run()
    assert not read_meta(channel.path)["sampled"]
    (last,) = [each for each in channel.samples if each["update"] == 3]
    async with worker(
        directories[1], text=text, checkpoint=channel.path, max_updates=3, **spec
    ) as session:
        await session.until(lambda report: report["state"] == "finished")
        (again,) = [each for report in session.reports for each in report["samples"]]
        assert again == last


DIVERGING = {"optimizer": "sgd", "learning_rate": 1e4, "clip": 5.0, "sequence_length": 5}


@async_test
async def test_a_divergence_is_reported_once_and_survives_a_checkpoint(tmp_path):
    """A worker that continues from within the first high losses reports the same."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()

    def said(session):
        return [each for report in session.reports for each in report["notices"]]

    async with worker(first, **DIVERGING) as session:
        await session.child.request(Step(updates=60))
        await session.checkpoint("within.npz")
        assert not said(session)
        assert session.last["diverged_since"] is None
        assert session.last["high_losses_since"] is not None
        await session.child.request(Step(updates=200))
        (notice,) = said(session)
        since = session.last["diverged_since"]
    assert since == session.last["high_losses_since"]
    assert f"diverged at update {since:,}" in notice["text"]
    async with worker(second, checkpoint=first / "within.npz", **DIVERGING) as session:
        await session.child.request(Step(updates=200))
        assert said(session) == [notice]
        assert session.last["diverged_since"] == since
