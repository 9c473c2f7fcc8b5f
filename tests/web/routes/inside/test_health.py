"""Health and memory over HTTP: the figures of the network itself."""

import math

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import load_model, new_trainer
from server.rnn.inspection.health import measure_health, next_gradients, update_ratios
from server.rnn.vocabulary import Vocabulary
from tests.serving import PAGES, until

SMALL = {"hidden_size": 12, "layers": 2, "sample_length": 20, "sample_every": 50}
UPDATES = 60


@pytest.fixture(scope="module")
def run(server):
    """A finished run with snapshots and a checkpoint."""
    corpus = server.upload(PAGES)["id"]
    run = server.until_ended(server.create(corpus=corpus, max_updates=UPDATES, **SMALL))
    until(lambda: server.get(run, "checkpoints"))
    return run


@pytest.fixture(scope="module")
def trainer(run):
    """The same training."""
    vocabulary = Vocabulary.from_text(PAGES)
    trainer = new_trainer(vocabulary.encode(PAGES), vocabulary, run["spec"])
    for _ in range(UPDATES):
        trainer.update()
    return trainer


def test_health_is_that_of_the_network(server, run, trainer):
    found = server.get(run, "health")
    text = Vocabulary.from_text(PAGES).encode(PAGES)
    expected = measure_health(trainer.current_model(), text, trainer.settings)
    assert found["model"] == {"kind": "latest", "update": UPDATES}
    assert found["update"] == UPDATES
    assert found["gradient_norm"] == pytest.approx(expected.gradient_norm, rel=1e-4)
    gradient = next_gradients(trainer.current_model(), text, trainer.settings).flat
    assert found["gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
    for name in ("saturated_share", "dead_share", "clipped_share"):
        assert found[name] == pytest.approx(getattr(expected, name), abs=0.01)
    assert found["spectral_radius"] == pytest.approx([max(r) for r in expected.spectral_radius])
    assert found["parameter_norms"] == pytest.approx(expected.parameter_norms, rel=1e-4)
    assert found["gradient_by_lag"][:10] == pytest.approx(expected.memory.last[:10], rel=1e-2)
    assert [figure["name"] for figure in found["figures"]] == [
        *("gradient_norm", "clipped_share", "half_life", "saturated_share", "dead_share"),
        *("spectral_radius", "update_ratio", "parameter_norms"),
    ]


def test_update_ratios_are_those_of_the_step_after_the_checkpoint(server, run, trainer):
    found = server.get(run, "health")
    assert found["update_ratio_update"] == UPDATES + 1
    (copy := new_trainer(Vocabulary.from_text(PAGES).encode(PAGES), *_of(run))).restore(
        *trainer.state()
    )
    assert found["update_ratio"] == pytest.approx(update_ratios(copy), rel=1e-3)


def _of(run):
    return Vocabulary.from_text(PAGES), run["spec"]


def test_memory_is_that_of_the_last_losses(server, run):
    found = server.get(run, "memory")
    assert (found["cell"], found["sequence_length"]) == ("rnn", 25)
    assert [(each["layer"], each["state"]) for each in found["typical"]] == [(0, "h"), (1, "h")]
    assert len(found["gradient_by_lag"]) == len(found["typical"][0]["norms"]) == 129
    assert found["gradient_by_lag"] == server.get(run, "health")["gradient_by_lag"]
    assert found["typical"][1]["norms"][0] > found["typical"][1]["norms"][20]
    assert found["half_life"] > 0
    assert "gradient" in found["sentence"]


def test_a_snapshot_is_measured(server, run, tmp_path):
    found = server.get(run, "health", update=20)
    assert found["model"] == {"kind": "snapshot", "update": 20}
    path = server.data_dir / "runs" / run["id"] / "snapshots" / "20.npz"
    model, vocabulary = load_model(path, "latest")
    V = model.parameters["V"].astype(float)
    assert found["parameter_norms"]["V"] == pytest.approx(np.linalg.norm(V), rel=1e-4)
    assert server.get(run, "memory", update=20)["model"]["update"] == 20
    assert vocabulary == Vocabulary.from_text(PAGES)


def test_a_run_before_its_first_update_has_no_update_ratio(server):
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, cell="lstm", **SMALL)
    found = server.get(run, "health")
    assert found["update"] == 0
    assert found["update_ratio"] == {}
    assert found["update_ratio_update"] is None
    figures = {figure["name"]: figure for figure in found["figures"]}
    assert "first checkpoint" in figures["update_ratio"]["meaning"]
    assert figures["update_ratio"]["status"] is None
    names = [value["name"] for value in figures["spectral_radius"]["values"]]
    assert names[:2] == ["layer 1 candidate", "layer 1 input gate"]
    assert len(names) == 8
    server.post(run, "step", {"updates": 2})
    assert server.get(run, "health")["update"] == 2
    assert {each["state"] for each in server.get(run, "memory")["typical"]} == {"h", "c"}
    assert math.isfinite(server.get(run, "health")["gradient_norm"])


@pytest.mark.parametrize("path", ["health", "memory"])
@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("update=-1", "update", "greater than or equal to 0"),
        ("update=x", "update", "must be a whole number"),
        ("update=1&source=best", "update", "cannot be combined with source"),
        ("source=", "source", "at least 1 character"),
        ("source=best_validation", "source", "no validation set"),
    ],
)
def test_bad_requests_name_the_field(server, run, path, query, field, message):
    answer = server.client.get(f"/api/runs/{run['id']}/{path}?{query}")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"].endswith(field)
    assert message in error["message"]


def test_an_unknown_checkpoint_is_not_found(server, run):
    answer = server.client.get(f"/api/runs/{run['id']}/memory?source=nothing")
    assert answer.status_code == 404
