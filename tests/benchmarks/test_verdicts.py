"""Missed targets are printed and give an exit status of 1."""

import math

import pytest
from rich.console import Console

from benchmarks.server.load_generator import ReceivedMessages, percentiles
from benchmarks.verdicts import Verdict, status


@pytest.mark.parametrize(
    ("value", "comparison", "met"),
    [
        (4, "under", True),
        (5, "under", False),
        (5, "at most", True),
        (6, "at most", False),
        (5, "at least", True),
        (4, "at least", False),
        (math.nan, "under", False),
        (math.nan, "at least", False),
    ],
)
def test_a_target_is_met_or_not(value, comparison, met, capsys):
    verdict = Verdict("the figure, MB", value, comparison, 5)
    assert verdict.met is met
    console = Console(width=124)
    assert status([verdict], console) == (0 if met else 1)
    assert capsys.readouterr().out.endswith(": met.\n" if met else ": NOT met.\n")


def test_one_missed_target_is_enough(capsys):
    good, bad = Verdict("good", 1, "at least", 0), Verdict("bad", 1, "at most", 0)
    assert status([good, bad, good], Console()) == 1
    assert status([good, good], Console()) == 0
    assert status([], Console()) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_delays_are_measured_from_the_worker_and_from_the_server(monkeypatch):
    monkeypatch.setattr("benchmarks.server.load_generator.time.time", lambda: 100.0)
    received = ReceivedMessages()
    late = b'{"type": "progress", "sent_at": 99.75, "happened_at": 99.25}'
    assert [received.add(late), received.add(late)] == [0, 0]
    assert received.add(b'{"type": "sample", "sent_at": 99.5}') == 1
    received.add(b'{"type": "snapshot", "sent_at": 1.0}')
    assert received.delays_s == [0.25, 0.25, 0.5]
    assert received.worker_delays_s == [0.75, 0.75]
    received.reset()
    assert received.delays_s == received.worker_delays_s == []


def test_percentiles_of_delays():
    found = percentiles([n / 100 for n in range(100, 0, -1)])
    assert (found["median"], found["p95"], found["p99"], found["max"]) == (0.51, 0.96, 1.0, 1.0)
    assert all(math.isnan(share) for share in percentiles([]).values())
