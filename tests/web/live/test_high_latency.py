"""Viewers from far away: what takes long to arrive is not read slowly."""

import json

from websockets.sync.client import connect

from tests.serving import LIMIT_S, PAGES, until
from tests.slow_proxy import SlowProxy

# A hang's limit where the wait is short.
SOON_S = 25.0


def read(viewer):
    return json.loads(viewer.recv(timeout=LIMIT_S))


def test_a_viewer_recovers_from_a_delay_on_a_distant_connection(server):
    corpus = server.upload(PAGES)["id"]
    often = {"hidden_size": 4, "sample_length": 20, "sample_every": 40, "pace": 200}
    run = server.create(corpus=corpus, max_updates=None, **often)
    with (
        SlowProxy(server.port, delay_s=0.15) as line,
        connect(f"ws://127.0.0.1:{line.port}/ws/runs/{run['id']}", max_size=None) as viewer,
    ):
        numbers = [read(viewer)["seq"] for _ in range(40)]
        line.delay_s = 0.8
        # Progress in one message: what the server knows of the hiccup.
        while numbers[-1] == numbers[-2] + 1:
            numbers.append(read(viewer)["seq"])
        line.delay_s = 0.15
        # And all of it again, one by one.
        until(lambda: in_a_row(numbers) >= 40 or numbers.append(read(viewer)["seq"]), SOON_S)
    server.client.delete(f"/api/runs/{run['id']}")


def in_a_row(numbers):
    """How many messages at the end follow each other, none passed over."""
    count = 1
    while count < len(numbers) and numbers[-count] == numbers[-count - 1] + 1:
        count += 1
    return count
