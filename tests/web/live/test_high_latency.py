"""Viewers with a high round-trip time are not treated as slow."""

import json
import time

from websockets.sync.client import connect

from tests.serving import LIMIT_S, PAGES
from tests.slow_proxy import SlowProxy


def read(viewer):
    return json.loads(viewer.recv(timeout=LIMIT_S))


def test_a_viewer_recovers_from_a_delay_on_a_distant_connection(server):
    corpus = server.upload(PAGES)["id"]
    often = {"hidden_size": 4, "sample_length": 20, "sample_every": 20, "pace": 200}
    run = server.create(corpus=corpus, max_updates=None, **often)
    with (
        SlowProxy(server.port, delay_s=0.15) as line,
        connect(f"ws://127.0.0.1:{line.port}/ws/runs/{run['id']}", max_size=None) as viewer,
    ):
        numbers = [read(viewer)["seq"] for _ in range(25)]
        line.delay_s = 0.8
        # A skipped number: the server has noticed the delay, and coalesces progress.
        while numbers[-1] == numbers[-2] + 1:
            numbers.append(read(viewer)["seq"])
        line.delay_s = 0.15
        # Messages are no longer coalesced. A pause between two would make the viewer a slow one.
        give_up = time.monotonic() + LIMIT_S
        while in_a_row(numbers) < 25:
            assert time.monotonic() < give_up
            numbers.append(read(viewer)["seq"])
    server.client.delete(f"/api/runs/{run['id']}")


def in_a_row(numbers):
    """Return how many numbers at the end are consecutive."""
    count = 1
    while count < len(numbers) and numbers[-count] == numbers[-count - 1] + 1:
        count += 1
    return count
