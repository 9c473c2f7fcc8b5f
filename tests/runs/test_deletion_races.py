"""Requests beside the deletion of their run: each is in time, or gets 404 or 409."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.store.schema import RUN_TABLES
from tests.hostile.conftest import faultless
from tests.serving import PAGES

SMALL = {"hidden_size": 6, "sample_length": 20, "sample_every": 50, "max_updates": None}
ROUNDS = 3


def beside_a_deletion(server, run):
    """Send every kind of request beside four deletions; return what they did and the statuses."""
    path, client = f"/api/runs/{run['id']}", server.client
    requests = [
        ("PATCH", path, {"learning_rate": 0.05}),
        ("POST", f"{path}/fork", {"checkpoint": "latest", "spec": {"paused": True}}),
        ("GET", f"{path}/checkpoints/latest/file", None),
        ("DELETE", path, None),
        ("GET", f"{path}/checkpoints/best/file", None),
        ("POST", f"{path}/passages", {"length": 20}),
        ("POST", f"{path}/passages", {"length": 20, "source": {"update": 0}}),
        ("DELETE", path, None),
        ("POST", f"{path}/milestones", {"update": 0, "text": "a note"}),
        ("POST", f"{path}/checkpoints", {"note": "a checkpoint"}),
        ("POST", f"{path}/pause", None),
        ("DELETE", path, None),
        ("POST", f"{path}/resume", None),
        ("POST", f"{path}/step", {"updates": 3}),
        ("POST", f"{path}/stop", None),
        ("DELETE", path, None),
        ("GET", f"{path}/loss", None),
        ("GET", f"{path}/samples", None),
        ("GET", f"{path}/surprisal?update=1", None),
    ]
    with ThreadPoolExecutor(len(requests)) as pool:
        answers = pool.map(
            lambda each: client.request(each[0], each[1], json=each[2], timeout=60), requests
        )
        return [
            (method, where, answer)
            for (method, where, _), answer in zip(requests, answers, strict=True)
        ]


@pytest.mark.parametrize("paused", [False, True])
def test_requests_beside_a_deletion_are_in_time_or_refused(tmp_path, paused):
    # Nothing that was in progress leaves an error in the log.
    with faultless(tmp_path, HURRAH_MAX_TRAINING_RUNS="8") as server:
        corpus = server.upload(PAGES)["id"]
        for _ in range(ROUNDS):
            run = server.create(corpus=corpus, paused=paused, **SMALL)
            if paused:
                server.post(run, "step", {"updates": 60})
            else:
                server.until(run, lambda now: now["update"] > 60)
            answered = beside_a_deletion(server, run)
            for method, where, answer in answered:
                said = (method, where, answer.text[:200])
                assert answer.status_code in {200, 201, 204, 404, 409, 422}, said
            deletions = [answer.status_code for method, _, answer in answered if method == "DELETE"]
            assert sorted(deletions) == [204, 404, 404, 404]
            server.problem(server.client.get(f"/api/runs/{run['id']}"), 404)
        left = {each["id"] for each in server.client.get("/api/runs").json()}
        assert {path.name for path in (server.data_dir / "runs").iterdir()} == left
    database = sqlite3.connect(server.data_dir / "hurrah.db")
    for table in RUN_TABLES:
        assert {row[0] for row in database.execute(f"SELECT run FROM {table}")} <= left, table
    database.close()
