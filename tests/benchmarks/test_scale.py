"""The verdicts on halls and long histories find what is not as asked."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.server import long_history, viewers
from benchmarks.server.idle_viewers import Peak
from benchmarks.server.server_process import peak_bytes

GOOD = {
    "speeds": 1.0,
    "told": 12.0,
    "delays_s": {"p99": 0.1},
    "whole_delays_s": {"p99": 0.2},
    "memory_bytes": 100e6,
}


def audience(count, idle=0, missed=0, **figures):
    kept = {name: [value] * 3 for name, value in (GOOD | figures).items()}
    return viewers.Audience(count, idle, missed=missed, **kept)


def unmet(verdicts):
    return [verdict.name for verdict in verdicts if not verdict.met]


@pytest.mark.parametrize(
    ("figures", "name"),
    [
        ({"missed": 1}, "missed something"),
        ({"told": 4.3}, "messages a second"),
        ({"speeds": 0.5}, "training's speed"),
        ({"delays_s": {"p99": 0.5}}, "server to receipt"),
        ({"whole_delays_s": {"p99": 0.5}}, "worker to receipt"),
        ({"whole_delays_s": {"p99": float("nan")}}, "worker to receipt"),
    ],
)
def test_what_a_hall_does_not_get_is_said_of_each(figures, name):
    assert unmet(viewers._verdicts(audience(10), audience(500), audience(500, 50))) == []
    for place in range(3):
        halls = [audience(10), audience(500), audience(500, 50)]
        bad = halls[place]
        halls[place] = audience(bad.viewers, bad.idle, **figures)
        (found,) = unmet(viewers._verdicts(*halls))
        assert found.startswith(str(bad))
        assert name in found


def test_those_who_never_read_may_cost_little():
    greedy = audience(500, 50, memory_bytes=120e6)
    (found,) = unmet(viewers._verdicts(audience(10), audience(500), greedy))
    assert "memory" in found


RANGES = (
    "the store, CPU: any range",
    "GET loss: any range",
    "GET loss: any range, smoothed otherwise",
)


@pytest.mark.parametrize("slow", RANGES)
def test_every_kind_of_range_has_its_time(slow):
    memory = {"server, at its peak": 200e6, "worker, at its peak": 100e6}
    times = {name: [1.0] * 100 for name in RANGES}
    long = 10_000_000
    assert unmet(long_history._verdicts({long: (times, memory)})) == []
    times[slow] = [1.0] * 90 + [60.0] * 10
    found = {100: ({}, {}), long: (times, memory)}
    assert len(unmet(long_history._verdicts(found))) == 2
    assert all(slow in name for name in unmet(long_history._verdicts(found)))


@pytest.mark.process
def test_memory_that_was_held_for_a_moment_counts():
    watched, give_up_s = Peak(os.getpid()), time.monotonic() + 20
    with watched.watched():
        held = np.ones(30_000_000)
        while watched.bytes < held.nbytes and time.monotonic() < give_up_s:
            time.sleep(0.01)
    del held
    assert watched.bytes >= 240e6
    assert peak_bytes(os.getpid()) >= (240e6 if Path("/proc").exists() else 1)
