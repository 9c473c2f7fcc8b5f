"""Invalid requests about runs: every invalid field is named, and nothing changes."""

import json

import pytest

JSON = {"Content-Type": "application/json"}
SMALL = {"hidden_size": 10, "sample_length": 20}


@pytest.fixture(autouse=True)
def _no_runs_left(server):
    yield
    server.delete_runs()


WRONG = {
    "corpus": ["no-such", 3, ""],
    "name": ["", 5, "x" * 500, "\ud800"],
    "hidden_size": [0, -1, 1.5, "100", True, 10**9, None],
    "sequence_length": [0, 100_000, "25", 25.5],
    "learning_rate": [0, -0.1, "fast", None, True, float("nan"), float("inf")],
    "learning_rate_decay": [0, 1.5, -1],
    "clip": [0, -5, "5"],
    "clip_mode": ["both", 1],
    "init_scale": [0, -1],
    "seed": [-1, 1.5, 2**64],
    "dtype": ["float16", 32],
    "threads": [0, 65, 1.5, "2", None],
    "max_updates": [0, -1, 10**15, "many", 2.5],
    "sample_every": [0, -1, None],
    "sample_length": [0, 10**6],
    "checkpoint_every_s": [0, -1],
    "pace": ["warp", 0, -5, True, [], 10**9],
    "watch_words": ["the", [""], [5], ["x"] * 500],
    "paused": [1, "yes", None],
    "cell": ["perceptron", 1],
    "layers": [0, "2"],
    "dropout": [-1, 1],
    "batch_size": [0, "2"],
    "optimizer": ["none", 1],
    "order": ["random", 1, None],
    "test_fraction": [-0.1, 1],
    "validation_fraction": [-0.1, 1],
    "hiden_size": [100],
}


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_field_is_named_and_no_run_is_created(server, field):
    for value in WRONG[field]:
        # Some clients send NaN, Infinity or half a surrogate pair.
        content = json.dumps({field: value})
        answer = server.client.post("/api/runs", content=content, headers=JSON)
        wrong = server.problem(answer, 422)
        assert [error["field"] for error in wrong["errors"]] == [field], value
        assert field in wrong["detail"] or wrong["detail"].startswith("The ")
    assert server.client.get("/api/runs").json() == []


def test_every_wrong_field_is_named_at_once(server):
    body = {"hidden_size": -1, "cell": "x", "learning_rate": "x", "nonsense": 1, "seed": 5}
    wrong = server.problem(server.client.post("/api/runs", json=body), 422)
    fields = {error["field"]: error["message"] for error in wrong["errors"]}
    assert set(fields) == {"hidden_size", "cell", "learning_rate", "nonsense"}
    assert all(fields.values())
    assert server.client.get("/api/runs").json() == []


def test_a_sequence_longer_than_the_text_is_refused(server):
    corpus = server.upload("abcdefghij" * 20)["id"]
    body = {"corpus": corpus, "sequence_length": 200}
    wrong = server.problem(server.client.post("/api/runs", json=body), 422)
    assert [error["field"] for error in wrong["errors"]] == ["sequence_length"]
    run = server.create(corpus=corpus, sequence_length=199, max_updates=3, **SMALL)
    assert server.until_ended(run)["epoch"] == 4


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_bodies_other_than_json_objects_are_refused(server, method):
    run = server.create(paused=True, **SMALL)
    address = "/api/runs" if method == "POST" else f"/api/runs/{run['id']}"

    def send(content, headers=JSON):
        return server.client.request(method, address, content=content, headers=headers)

    for content in [b"{", b"{'a': 1}", b"\xff\xfe", b"[" * 100_000]:
        server.problem(send(content), 400)
    for content in [b"[]", b"null", b'"x"', b"3", b""]:
        server.problem(send(content), 422)
    for other in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; a=b"]:
        server.problem(send(b"{}", {"Content-Type": other}), 415)
    server.problem(send(b"{}", {}), 415)
    server.problem(send(b'{"name": "' + b"x" * 2_000_000 + b'"}'), 413)
    assert server.client.get("/api/runs").json() == [run]


def test_an_unknown_run_is_not_found(server):
    for method, what in [
        *[("GET", what) for what in ("", "/samples", "/milestones", "/loss", "/losses.csv")],
        *[("POST", what) for what in ("/pause", "/resume", "/stop", "/passages")],
        *[("POST", "/checkpoints"), ("GET", "/checkpoints"), ("DELETE", "")],
        *[("GET", "/checkpoints/best/file"), ("GET", "/checkpoints/x/file")],
    ]:
        answer = server.client.request(method, f"/api/runs/nobody{what}")
        server.problem(answer, 404)
    server.problem(server.client.patch("/api/runs/nobody", json={"name": "x"}), 404)
    server.problem(server.client.post("/api/runs/nobody/step", json={"updates": 1}), 404)


def test_wrong_changes_are_refused_and_change_nothing(server):
    run = server.create(paused=True, **SMALL)
    address = f"/api/runs/{run['id']}"
    for body, field in [
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": None}, "learning_rate"),
        ({"pace": "warp"}, "pace"),
        ({"max_updates": 0}, "max_updates"),
        ({"sample_every": 0}, "sample_every"),
        ({"watch_words": "the"}, "watch_words"),
        ({"name": ""}, "name"),
        ({"hidden_size": 20}, "hidden_size"),
        ({"name": "fine", "seed": 3}, "seed"),
    ]:
        wrong = server.problem(server.client.patch(address, json=body), 422)
        assert [error["field"] for error in wrong["errors"]] == [field]
    server.problem(server.client.patch(address, json={}), 422)
    assert server.run(run) == run
    assert server.get(run, "milestones") == []
