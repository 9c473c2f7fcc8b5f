"""How often a worker reports, on a clock that the test sets."""

from collections import deque
from itertools import pairwise
from types import SimpleNamespace

import pytest

from server.concurrency.typed_messages import encode_command
from server.spec.run_spec import RunSpec
from server.worker import reporter, worker
from server.worker.messages import ExportModel, Shutdown, Start
from server.worker.pacer import Pacer
from server.worker.reporter import REPORT_AT_LEAST_EVERY_S, REPORT_EVERY_S
from server.worker.worker import Worker
from tests.serving import PAGES

BEGAN_S = 1_000.0
LOOK_S = 0.001
NETWORK = {"hidden_size": 4, "sequence_length": 4, "sample_length": 5, "max_updates": None}


class Channel:
    """A channel to a server that reads at once, and a clock.

    Time goes on while the worker waits, and a little whenever it looks at the clock.

    Parameters
    ----------
    runs_s : float
        After so long the server shuts the worker down.
    commands : sequence of Command
        What the server asks meanwhile, in equal intervals.
    """

    idle = True
    server_gone = False

    def __init__(self, runs_s, commands=()):
        self.now_s = BEGAN_S
        self.reports, self.reported_s, self.answers = [], [], []
        interval_s = runs_s / (len(commands) + 1)
        due = [BEGAN_S + interval_s * (number + 1) for number in range(len(commands) + 1)]
        self._due = deque(zip(due, [*commands, Shutdown()], strict=True))
        self._inbox = deque()

    def look(self):
        self.now_s += LOOK_S
        return self.now_s

    def wait(self, timeout_s):
        self.now_s += timeout_s

    @property
    def inbox(self):
        if self._due and self._due[0][0] <= self.now_s:
            self._inbox.append(encode_command(self._due.popleft()[1], len(self._due)))
        return self._inbox

    def send(self, message):
        self.reports.append(message)
        self.reported_s.append(self.now_s)

    def send_reply(self, number, content):
        self.answers.append(content)


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Return a function that trains for some seconds of the clock, and returns the channel."""

    def run(pace, runs_s, commands=()):
        channel = Channel(runs_s, commands)
        clock = SimpleNamespace(monotonic=channel.look, time=channel.look)
        monkeypatch.setattr(reporter, "time", clock)
        monkeypatch.setattr(worker, "time", clock)
        monkeypatch.setattr(worker, "Pacer", lambda pace: Pacer(pace, channel.look))
        (tmp_path / "text.txt").write_bytes(PAGES.encode())
        directory = tmp_path / "run" / "checkpoints"
        directory.mkdir(parents=True)
        spec = RunSpec(corpus="any", pace=pace, watch_words=[], **NETWORK)
        start = Start(
            spec=spec.model_dump(mode="json"),
            directory=str(directory),
            corpus_path=str(tmp_path / "text.txt"),
            checkpoint=None,
            training=True,
            fast_forward_to=0,
        )
        Worker(channel, start).run()
        return channel

    return run


def intervals_s(channel):
    return [later - earlier for earlier, later in pairwise(channel.reported_s)]


@pytest.mark.parametrize("pace", ["max", 30])
def test_reports_come_at_most_twenty_times_a_second_and_miss_nothing(train, pace):
    channel = train(pace, 5.0)
    # A worker looks at the clock a few times in each update.
    assert min(intervals_s(channel)) >= REPORT_EVERY_S
    assert max(intervals_s(channel)) <= REPORT_EVERY_S + 1 / 30 + 10 * LOOK_S
    known = 0
    for report in channel.reports:
        assert report["first"] == known + 1
        known = report["update"]
    assert known > 100


def test_between_rare_updates_reports_come_less_often(train):
    channel = train(0.1, 5.0)
    assert [report["update"] for report in channel.reports] == [1] * len(channel.reports)
    assert min(intervals_s(channel)) >= REPORT_EVERY_S
    assert max(intervals_s(channel)) <= REPORT_AT_LEAST_EVERY_S + REPORT_EVERY_S + 10 * LOOK_S


def test_exports_of_models_do_not_increase_the_rate_of_reports(train, tmp_path):
    export = ExportModel(path=str(tmp_path / "model.npz"), which="latest")
    channel = train(200, 5.0, [export] * 200)
    assert len(channel.answers) == 200
    assert min(intervals_s(channel)) >= REPORT_EVERY_S
