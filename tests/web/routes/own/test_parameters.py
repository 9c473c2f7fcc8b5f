"""Runs that start from weights of one's own, over HTTP."""

import io
import json

import numpy as np
import pytest

from server.rnn.vocabulary import Vocabulary
from tests.serving import PAGES

SMALL = {"sample_length": 20, "max_updates": 60, "sample_every": 1000}
M = 10


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES, "A tale")


def weights(distinct, m=M, seed=1):
    rng = np.random.default_rng(seed)
    return {
        "Wxh": 0.1 * rng.standard_normal((m, distinct)),
        "Whh": 0.1 * rng.standard_normal((m, m)),
        "bh": np.zeros((m, 1)),
        "Why": 0.1 * rng.standard_normal((distinct, m)),
        "by": np.zeros((distinct, 1)),
    }


def as_npz(arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def send(server, path, data, name="mine.npz", **fields):
    files = {"file": (name, data, "application/octet-stream")}
    return server.client.post(path, files=files, data=fields)


def create(server, data, **spec):
    return send(server, "/api/runs/from-parameters", data, spec=json.dumps(spec))


def parameters_at(server, run, checkpoint):
    arrays, _ = server.checkpoint_file(run, checkpoint)
    return {name: array for name, array in arrays.items() if name.startswith("parameters.")}


def test_a_run_starts_from_the_weights_and_says_so_wherever_it_goes(server, corpus):
    own = weights(corpus["distinct"])
    data = as_npz(own)
    runs = len(server.client.get("/api/runs").json())
    found = send(server, "/api/parameters", data, corpus=corpus["id"])
    assert found.status_code == 200, found.text
    found = found.json()
    assert (found["cell"], found["hidden_size"], found["layers"]) == ("rnn", M, 1)
    assert found["parameters"][0] == {
        "name": "U",
        "source": "Wxh",
        "shape": [M, corpus["distinct"]],
        "transposed": False,
    }
    assert len(server.client.get("/api/runs").json()) == runs

    spec = {"corpus": corpus["id"], "paused": True, "dtype": "float64", **SMALL}
    answer = create(server, data, **spec)
    assert answer.status_code == 201, answer.text
    run = answer.json()
    assert (run["spec"]["hidden_size"], run["state"], run["update"]) == (M, "paused", 0)
    about = {"file": "mine.npz", "remarks": found["remarks"]}
    assert run["given_weights"] == about
    (start,) = server.client.get(f"/api/runs/{run['id']}/checkpoints").json()
    assert (start["update"], start["automatic"]) == (0, False)
    kept = parameters_at(server, run, start["id"])
    assert np.array_equal(kept["parameters.U"], own["Wxh"])
    assert np.array_equal(kept["parameters.c"], own["by"].ravel())
    (mark,) = server.client.get(f"/api/runs/{run['id']}/milestones").json()
    assert (mark["update"], mark["text"]) == (0, "started from the weights of mine.npz")

    # It trains from there, and one that is stopped in between does the same.
    again = create(server, data, **spec).json()
    server.post(again, "step", {"updates": 3})
    server.post(again, "stop")
    random = server.create(corpus=corpus["id"], hidden_size=M, dtype="float64", **SMALL)
    for each in (run, again):
        server.post(each, "resume")
        server.until_ended(each)
    losses = server.losses_csv(run)
    assert losses.count(b"\n") == 61
    assert losses == server.losses_csv(again)
    server.until_ended(random)
    assert losses != server.losses_csv(random)
    # The schedule's sample at update 0 is there.
    assert server.client.get(f"/api/runs/{run['id']}/samples").json()[0]["update"] == 0

    fork = server.post(run, "fork", {"checkpoint": start["id"], "spec": {"paused": True}})
    assert (fork["update"], fork["given_weights"]) == (0, about)
    server.post(fork, "resume")
    server.until_ended(fork)
    assert server.losses_csv(fork) == losses
    archive = server.client.get(f"/api/runs/{run['id']}/export").content
    imported = server.client.post("/api/runs/import", files={"file": ("r.hurrah", archive)})
    assert imported.status_code == 201, imported.text
    assert imported.json()["given_weights"] == about
    report = server.client.get(f"/api/runs/{run['id']}/report").text
    assert "given: mine.npz." in report
    assert "--parameters mine.npz" in report
    server.delete_runs()


def test_the_file_decides_the_sizes_and_a_file_that_does_not_fit_creates_nothing(server, corpus):
    distinct = corpus["distinct"]
    good = as_npz(weights(distinct))
    large = {name: array.astype("f4") for name, array in weights(distinct, m=2049).items()}
    refused = [
        (good, {"hidden_size": 20}, 422, "must be 10, as in the file"),
        (good, {"cell": "lstm"}, 422, "must be rnn, as in the file"),
        (as_npz(weights(distinct + 1)), {}, 422, f"for {distinct + 1} distinct characters"),
        (as_npz(large), {}, 422, "2048"),
        (b"no weights", {}, 422, "neither .npz nor safetensors"),
        (good[:-40], {}, 422, "damaged|cannot be used"),
        (good, {"no_such_field": 1}, 422, "no_such_field"),
        (good, {"corpus": "no-such"}, 422, "does not exist"),
    ]
    for data, spec, status, sentence in refused:
        answer = create(server, data, **{"corpus": corpus["id"]} | spec)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert any(each in answer.text for each in sentence.split("|")), answer.text
    too_large = send(server, "/api/parameters", bytes(21_000_000))
    assert too_large.status_code == 413
    assert send(server, "/api/parameters", good, corpus="no-such").status_code == 404
    assert server.client.post("/api/parameters", json={}).status_code == 415
    answer = send(server, "/api/runs/from-parameters", good, spec="no JSON")
    assert answer.status_code in {400, 422}, answer.text
    assert server.client.get("/api/runs").json() == []


def test_the_characters_of_the_file_decide_the_order_of_its_rows(server, corpus):
    characters = Vocabulary.from_text(PAGES).characters
    own = weights(len(characters))
    order = np.random.default_rng(0).permutation(len(characters))
    shuffled = own | {
        "Wxh": own["Wxh"][:, order],
        "Why": own["Why"][order],
        "by": own["by"][order],
        "characters": np.array([characters[index] for index in order]),
    }
    run = create(
        server, as_npz(shuffled), corpus=corpus["id"], paused=True, dtype="float64", **SMALL
    ).json()
    (start,) = server.client.get(f"/api/runs/{run['id']}/checkpoints").json()
    kept = parameters_at(server, run, start["id"])
    assert np.array_equal(kept["parameters.U"], own["Wxh"])
    assert np.array_equal(kept["parameters.V"], own["Why"])
    server.delete_runs()
