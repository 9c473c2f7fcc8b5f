"""Milestones over HTTP: notes are sent to all viewers, and survive a crash."""

import json
import os
import signal
import sqlite3

import pytest

from tests.serving import PAGES, RunningServer
from tests.web.live.test_websocket import Viewer

SMALL = {"hidden_size": 10, "sample_length": 20, "watch_words": []}


def small_run(server, **spec):
    corpus = server.upload(PAGES)["id"]
    run = server.create(**SMALL, corpus=corpus, max_updates=400, paused=True, **spec)
    server.post(run, "step", {"updates": 100})
    return run


@pytest.fixture(scope="module")
def run(server):
    return small_run(server)


def notes(server, run):
    return [milestone for milestone in server.get(run, "milestones") if milestone["kind"] == "note"]


def test_a_note_is_added_changed_and_deleted(server, run):
    path = f"/api/runs/{run['id']}/milestones"
    answer = server.client.post(
        path, json={"update": 40, "text": "  it\x1b writes\u202e\n“the” – 😀 "}
    )
    assert answer.status_code == 201
    note = answer.json()
    assert note == {
        "id": note["id"],
        "update": 40,
        "kind": "note",
        "text": "it  writes \n“the” – 😀",
    }
    assert notes(server, run) == [note]
    changed = server.client.patch(f"{path}/{note['id']}", json={"text": "more words"})
    assert changed.json() == note | {"text": "more words"}
    assert server.client.delete(f"{path}/{note['id']}").status_code == 204
    assert notes(server, run) == []
    server.problem(server.client.delete(f"{path}/{note['id']}"), 404)


@pytest.mark.parametrize(
    "body",
    [
        {"update": 101, "text": "not made yet"},
        {"update": -1, "text": "before all"},
        {"update": 1.5, "text": "between"},
        {"update": 10**30, "text": "far"},
        {"update": 5, "text": ""},
        {"update": 5, "text": " \n "},
        {"update": 5, "text": "\u202e\u2066"},
        {"update": 5, "text": "x" * 501},
        {"update": 5, "text": "half \ud800"},
        {"update": 5},
        {"text": "where?"},
        {"update": 5, "text": "a", "kind": "hurrah"},
    ],
)
def test_an_invalid_note_is_refused(server, run, body):
    headers = {"Content-Type": "application/json"}
    path = f"/api/runs/{run['id']}/milestones"
    answer = server.client.post(path, content=json.dumps(body), headers=headers)
    server.problem(answer, 422)
    assert notes(server, run) == []


def test_only_notes_can_be_changed_or_deleted(server, run):
    server.post(run, "checkpoints", {"note": "here"})
    (milestone,) = [each for each in server.get(run, "milestones") if each["kind"] == "checkpoint"]
    path = f"/api/runs/{run['id']}/milestones/{milestone['id']}"
    server.problem(server.client.patch(path, json={"text": "x"}), 409)
    server.problem(server.client.delete(path), 409)
    for nothing in ("999999999", "x", "1e3", "9" * 40):
        answer = server.client.delete(f"/api/runs/{run['id']}/milestones/{nothing}")
        server.problem(answer, 404)
    # A milestone of another run is not found.
    other = small_run(server)
    answer = server.client.delete(f"/api/runs/{other['id']}/milestones/{milestone['id']}")
    server.problem(answer, 404)
    assert milestone in server.get(run, "milestones")


def of(kind):
    return lambda message: message["type"] == kind


def test_all_viewers_get_a_note(server, run):
    with Viewer(server, run) as viewer:
        viewer.read_until(of("snapshot"))
        note = server.post(run, "milestones", {"update": 7, "text": "hello"})
        assert viewer.read_until(of("milestone"))["milestone"] == note
        path = f"/api/runs/{run['id']}/milestones/{note['id']}"
        server.client.patch(path, json={"text": "goodbye"})
        assert viewer.read_until(of("milestone"))["milestone"] == note | {"text": "goodbye"}
        server.client.delete(path)
        assert viewer.read_until(of("milestone_removed"))["milestone_id"] == note["id"]


def test_a_fork_has_the_notes_before_its_checkpoint(server, run):
    early = server.post(run, "milestones", {"update": 50, "text": "early"})
    made = server.post(run, "checkpoints")
    server.post(run, "step", {"updates": 10})
    server.post(run, "milestones", {"update": 105, "text": "late"})
    branch = server.post(run, "fork", {"checkpoint": made["id"], "spec": {"paused": True}})
    (note,) = notes(server, branch)
    assert (note["update"], note["text"]) == (50, "early")
    assert note["id"] != early["id"]


def test_a_note_survives_a_crash_that_loses_its_update(tmp_path):
    with RunningServer(tmp_path, "--no-demo") as server:
        run = small_run(server)
        server.post(run, "checkpoints")
        server.post(run, "step", {"updates": 50})
        note = server.post(run, "milestones", {"update": 140, "text": "what was that?"})
        for pid in server.worker_pids():
            os.kill(pid, signal.SIGKILL)
        server.kill()
    with sqlite3.connect(tmp_path / "hurrah.db") as database:
        # As stored by a version without ids.
        (kept,) = database.execute(
            "SELECT milestone FROM milestones WHERE number = ?", (note["id"],)
        ).fetchone()
        assert json.loads(kept) == {"update": 140, "kind": "note", "text": "what was that?"}
    with RunningServer(tmp_path, "--no-demo") as server:
        server.post(run, "resume")
        server.until_ended(run)
        assert notes(server, run) == [note]
