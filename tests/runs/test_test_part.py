"""The loss on the test part: measured once, on request, and kept with the run."""

import math

import pytest

from server.checkpoints.checkpoint_format import load_model
from server.inference.test_part import loss_on_test_part
from server.spec.schemas import Run
from tests.serving import PAGES

SMALL = {"hidden_size": 8, "sequence_length": 10, "sample_length": 20, "sample_every": 50}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


def test_the_best_model_is_measured_once_and_again_only_when_asked(server, corpus, tmp_path):
    spec = {**SMALL, "validation_fraction": 0.2, "test_fraction": 0.1, "max_updates": 200}
    run = server.create(corpus=corpus, paused=True, **spec)
    path = f"/api/runs/{run['id']}/test"
    assert run["test"] is None
    early = server.client.post(path)
    assert early.status_code == 409
    assert "no update has been made" in early.json()["detail"]
    server.post(run, "resume")
    server.until_ended(run)
    losses = server.losses_csv(run)

    answer = server.client.post(path, json={})
    assert answer.status_code == 200, answer.text
    first = answer.json()["test"]
    file = tmp_path / "best.npz"
    file.write_bytes(
        server.client.get(f"/api/runs/{run['id']}/checkpoints/best_validation/file").content
    )
    model, vocabulary = load_model(file, "latest")
    expected = loss_on_test_part(model, vocabulary, PAGES, server.run(run)["spec"])
    assert first["nats"] == pytest.approx(expected.nats, rel=1e-12)
    assert first["bits"] == pytest.approx(first["nats"] / math.log(2))
    assert first["characters"] == expected.characters == (len(PAGES) // 10 - 1) // 25 * 25
    assert (first["update"], first["by"], first["times"]) == (model.update, "validation", 1)

    refused = server.client.post(path)
    assert refused.status_code == 409
    assert "A test part is for one measurement" in refused.json()["detail"]
    assert server.run(run)["test"] == first
    for body in ({"again": "yes"}, {"once": True}, [1]):
        assert server.client.post(path, json=body).status_code == 422
    second = server.client.post(path, json={"again": True}).json()["test"]
    assert second == first | {"times": 2, "measured_at": second["measured_at"]}
    # Looking never changes learning, and a copy of the run keeps the result.
    assert server.losses_csv(run) == losses
    archive = server.client.get(f"/api/runs/{run['id']}/export").content
    imported = server.client.post("/api/runs/import", files={"file": ("a.hurrah", archive)})
    assert imported.status_code == 201, imported.text
    assert imported.json()["test"] == second
    report = server.client.get(f"/api/runs/{run['id']}/report", params={"format": "html"}).text
    assert f"{second['nats']:.4f} nats ({second['bits']:.4f} bits) per character" in report
    assert "It has been measured 2 times" in report
    # A fork has learned from the same text, but has its own count.
    checkpoint = server.get(run, "checkpoints")[-1]["id"]
    changes = {"paused": True, "max_updates": 300}
    fork = server.post(run, "fork", {"checkpoint": checkpoint, "spec": changes})
    assert fork["test"] is None
    assert fork["spec"]["test_fraction"] == 0.1


def test_a_run_without_a_test_part_has_nothing_to_measure(server, corpus):
    run = server.create(corpus=corpus, max_updates=5, **SMALL)
    server.until_ended(run)
    answer = server.client.post(f"/api/runs/{run['id']}/test")
    assert answer.status_code == 409
    assert "test_fraction is 0" in answer.json()["detail"]
    assert server.client.post("/api/runs/none/test").status_code == 404
    # A run of an earlier version has neither the field nor the setting.
    old = server.run(run)
    del old["test"], old["spec"]["test_fraction"], old["spec"]["order"]
    assert Run.model_validate(old) == Run.model_validate(server.run(run))
    wrong = server.client.post("/api/runs", json={"corpus": corpus, "test_fraction": 0.001})
    assert wrong.status_code == 422
    (error,) = wrong.json()["errors"]
    assert error["field"] == "test_fraction"
    assert "is needed" in error["message"]
