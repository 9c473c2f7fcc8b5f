"""The verdicts on viewers and long histories report every missed target."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.server import long_history, viewers
from benchmarks.server.idle_viewers import PeakMemory
from benchmarks.server.server_process import peak_bytes

GOOD = {
    "speeds": 1.0,
    "received": 12.0,
    "delays_s": {"p99": 0.1},
    "worker_delays_s": {"p99": 0.2},
    "memory_bytes": 100e6,
}


def group(count, idle=0, missed=0, **figures):
    stored = {name: [value] * 3 for name, value in (GOOD | figures).items()}
    return viewers.ViewerGroup(count, idle, missed=missed, **stored)


def unmet(verdicts):
    return [verdict.name for verdict in verdicts if not verdict.met]


@pytest.mark.parametrize(
    ("figures", "name"),
    [
        ({"missed": 1}, "missed something"),
        ({"received": 4.3}, "messages a second"),
        ({"speeds": 0.5}, "training's speed"),
        ({"delays_s": {"p99": 0.5}}, "server to receipt"),
        ({"worker_delays_s": {"p99": 0.5}}, "worker to receipt"),
        ({"worker_delays_s": {"p99": float("nan")}}, "worker to receipt"),
    ],
)
def test_every_missed_target_of_every_group_is_reported(figures, name):
    assert unmet(viewers._verdicts(group(10), group(500), group(500, 50))) == []
    for place in range(3):
        groups = [group(10), group(500), group(500, 50)]
        bad = groups[place]
        groups[place] = group(bad.viewers, bad.idle, **figures)
        (found,) = unmet(viewers._verdicts(*groups))
        assert found.startswith(str(bad))
        assert name in found


def test_memory_for_idle_viewers_has_a_limit():
    expensive = group(500, 50, memory_bytes=120e6)
    (found,) = unmet(viewers._verdicts(group(10), group(500), expensive))
    assert "memory" in found


RANGES = (
    "the store, CPU: any range",
    "the store, CPU: any range of all metrics",
    "GET loss: any range",
    "GET loss: any range, smoothed otherwise",
    "GET metrics: any range",
)


@pytest.mark.parametrize("slow", RANGES)
def test_every_kind_of_range_has_a_limit(slow):
    memory = {"server, at its peak": 200e6, "worker, at its peak": 100e6}
    times = {name: [1.0] * 100 for name in RANGES}
    long = 10_000_000
    assert unmet(long_history._verdicts({long: (times, memory)})) == []
    times[slow] = [1.0] * 90 + [60.0] * 10
    found = {100: ({}, {}), long: (times, memory)}
    assert len(unmet(long_history._verdicts(found))) == 2
    assert all(slow in name for name in unmet(long_history._verdicts(found)))


@pytest.mark.process
def test_peak_memory_includes_short_allocations():
    peak, give_up_s = PeakMemory(os.getpid()), time.monotonic() + 20
    with peak.measure():
        held = np.ones(30_000_000)
        while peak.bytes < held.nbytes and time.monotonic() < give_up_s:
            time.sleep(0.01)
    del held
    assert peak.bytes >= 240e6
    assert peak_bytes(os.getpid()) >= (240e6 if Path("/proc").exists() else 1)
