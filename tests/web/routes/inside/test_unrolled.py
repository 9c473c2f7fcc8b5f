"""The next update of a run over HTTP, against a trainer that makes it."""

import base64

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import new_trainer
from server.rnn.inspection.update import make_update
from server.rnn.vocabulary import Vocabulary
from tests.serving import PAGES

LSTM = {"cell": "lstm", "layers": 2, "dropout": 0.3, "batch_size": 2, "order": "shuffled"}
SMALL = {"hidden_size": 7, "sample_length": 20, "sequence_length": 9}


def plain_trainer(run, updates):
    vocabulary = Vocabulary.from_text(PAGES)
    trainer = new_trainer(vocabulary.encode(PAGES), vocabulary, run["spec"])
    for _ in range(updates):
        trainer.update()
    return trainer, vocabulary


def rows(matrix):
    values = np.frombuffer(base64.b64decode(matrix["int8"]), np.int8)
    return values.reshape(matrix["shape"]) / 127 * matrix["max"]


def test_a_paused_run_shows_the_update_that_a_step_then_makes(server):
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL, **LSTM)
    server.post(run, "step", {"updates": 3})
    found = server.get(run, "unrolled")
    trainer, vocabulary = plain_trainer(run, 3)
    position = trainer.position
    details = make_update(trainer, 50)
    assert found["model"] == {"kind": "latest", "update": 3}
    assert (found["update"], found["epoch"], found["position"]) == (4, 1, position)
    assert (found["sequence_length"], found["streams"], found["dropout"]) == (9, 2, 0.3)
    assert "".join(found["inputs"]) == PAGES[position : position + 9]
    assert "".join(found["targets"]) == PAGES[position + 1 : position + 10]
    p = details.unrolled.probabilities
    y = vocabulary.encode("".join(found["targets"]))
    assert found["target_probability"] == pytest.approx(p[np.arange(9), y], rel=1e-4)
    assert found["loss"] == pytest.approx(details.unrolled.losses[:9], rel=1e-4)
    assert [top[0][1] for top in found["top"]] == pytest.approx(p.max(axis=1), rel=1e-4)
    for layer, of_layer in enumerate(found["layers"]):
        h, d_h = details.unrolled.hidden[layer], details.unrolled.hidden_gradients[layer]
        assert np.abs(rows(of_layer["hidden"]) - h).max() <= 0.5 / 127 + 1e-6
        assert np.abs(rows(of_layer["gradients"]) - d_h).max() <= 0.6 / 127 * np.abs(d_h).max()
        assert of_layer["together"] == pytest.approx(np.linalg.norm(d_h, axis=1), rel=1e-3)
        assert set(of_layer["from_later"]) == {"h", "c"}
        # The gradient starts at the last step.
        assert of_layer["from_later"]["h"][-1] == 0.0
    assert [each["name"] for each in found["parameters"]] == list(trainer.parameters)
    for name in ("gradient", "clipped", "step", "value"):
        assert found["total"][name] == pytest.approx(getattr(details.total, name), rel=1e-4)
    assert found["total"]["loss_after"] == pytest.approx(details.loss_after, rel=1e-4)

    # The run makes exactly this update, and was not changed by the request.
    after = server.post(run, "step", {"updates": 1})
    assert after["update"] == 4
    assert after["loss"] == pytest.approx(found["total"]["loss"], rel=1e-5)
    assert after["loss"] == trainer.loss
    following = server.get(run, "unrolled")
    assert following["update"] == 5
    server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 0.01})
    slower = server.get(run, "unrolled")
    assert slower["learning_rate"] == 0.01
    assert slower["total"]["step"] < 0.5 * following["total"]["step"]


def test_it_is_shown_in_every_state_and_bounded(server):
    corpus = server.upload(PAGES)["id"]
    new = server.create(corpus=corpus, paused=True, **SMALL | {"sequence_length": 60})
    found = server.get(new, "unrolled")
    assert found["update"] == 1
    assert found["zero_state"]
    assert found["sequence_length"] == 60
    assert len(found["inputs"]) == len(found["loss"]) == 50
    assert found["layers"][0]["hidden"]["shape"] == [51, 7]

    ended = server.until_ended(server.create(corpus=corpus, max_updates=5, **SMALL))
    assert server.get(ended, "unrolled")["update"] == 6
    trains = server.create(corpus=corpus, max_updates=None, pace=20, **SMALL)
    server.until(trains, lambda run: run["update"] > 0)
    assert server.get(trains, "unrolled")["update"] >= 1
    directory = server.data_dir / "runs" / trains["id"] / "checkpoints"
    assert not list(directory.glob(".*.npz"))
    assert server.client.get("/api/runs/none/unrolled").status_code == 404
