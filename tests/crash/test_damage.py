"""A checkpoint that is not what was written is named, and the one before it used."""

import os
import signal

import pytest

from tests.crash.undisturbed import Undisturbed
from tests.serving import PAGES

SMALL = {"hidden_size": 12, "sequence_length": 8, "sample_every": 100, "sample_length": 30}


def files(server, run):
    return server.data_dir / "runs" / run["id"] / "checkpoints"


def damage(path):
    """Overwrite a part in the middle, as a failing disk does."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 512] = bytes(512)
    path.write_bytes(data)


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


def test_it_is_named_and_the_one_before_it_used(server, corpus):
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    made = {}
    for update in (100, 200):
        server.post(run, "step", {"updates": 100})
        made[update] = server.post(run, "checkpoints", {"note": f"at {update}"})
    server.post(run, "stop")
    damage(files(server, run) / f"{made[200]['id']}.npz")
    before = server.client.get("/api/runs").json()
    for path, body in [
        (f"checkpoints/{made[200]['id']}/file", None),
        ("fork", {"checkpoint": made[200]["id"]}),
        ("passages", {"source": made[200]["id"]}),
    ]:
        method = "GET" if body is None else "POST"
        answer = server.client.request(method, f"/api/runs/{run['id']}/{path}", json=body)
        assert "update 200 is damaged" in server.problem(answer, 409)["detail"], path
    assert server.client.get("/api/runs").json() == before
    listed = {each["update"]: each["damaged"] for each in server.get(run, "checkpoints")}
    assert listed == {100: False, 200: True}
    # Once is enough.
    said = [mark for mark in server.get(run, "milestones") if "damaged" in mark["text"]]
    assert [(mark["update"], mark["kind"]) for mark in said] == [(200, "note")]

    server.post(run, "resume")
    assert server.until_ended(run)["update"] == 300
    answer = server.client.delete(f"/api/runs/{run['id']}/checkpoints/{made[200]['id']}")
    assert answer.status_code == 204
    undisturbed = Undisturbed(PAGES, run["spec"])
    undisturbed.agrees_with(*server.checkpoint_file(run, "latest"))
    assert server.losses_csv(run).count(b"\n") == 301


def test_the_page_is_told_which_is_used_instead(server, corpus):
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    for _ in range(2):
        server.post(run, "step", {"updates": 50})
        made = server.post(run, "checkpoints")
    server.post(run, "stop")
    damage(files(server, run) / f"{made['id']}.npz")
    server.post(run, "resume")
    server.until_ended(run)
    [mark] = [mark for mark in server.get(run, "milestones") if mark["kind"] == "rollback"]
    assert mark["update"] == 50
    assert "update 100 is damaged" in mark["text"]
    assert "The one of update 50 is used instead." in mark["text"]


def test_where_all_are_damaged_nothing_is_destroyed(server, corpus):
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    server.post(run, "step", {"updates": 100})
    server.post(run, "checkpoints")
    server.post(run, "stop")
    whole = server.losses_csv(run), server.get(run, "samples")
    for path in files(server, run).glob("*.npz"):
        damage(path)
    for action in ("resume", "passages", "checkpoints"):
        answer = server.client.post(f"/api/runs/{run['id']}/{action}")
        assert "only checkpoint is damaged" in server.problem(answer, 409)["detail"], action
    assert (server.losses_csv(run), server.get(run, "samples")) == whole
    assert server.run(run)["update"] == 100


def test_a_server_starts_with_a_run_whose_checkpoints_are_all_damaged(serve):
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, max_updates=300, **SMALL)
    server.post(run, "step", {"updates": 100})
    server.post(run, "checkpoints")
    whole = server.losses_csv(run)
    [worker] = server.worker_pids()
    os.kill(worker, signal.SIGKILL)
    server.kill()
    for path in files(server, run).glob("*.npz"):
        damage(path)
    again = serve("--no-demo")
    found = again.run(run)
    assert found["state"] == "failed"
    assert "only checkpoint is damaged" in found["error"]
    again.problem(again.client.post(f"/api/runs/{run['id']}/resume"), 409)
    assert again.losses_csv(run) == whole
