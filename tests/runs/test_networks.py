"""Every kind of network that a spec can describe, over HTTP."""

import re

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import new_trainer
from server.rnn.vocabulary import Vocabulary
from tests.serving import until
from tests.training import run_command

SPECS = {
    "gru": {"cell": "gru"},
    "lstm, two layers, dropout": {"cell": "lstm", "layers": 2, "dropout": 0.3},
    "batch": {"batch_size": 8, "optimizer": "adam", "clip_mode": "norm"},
    "held out": {"validation_fraction": 0.1, "optimizer": "rmsprop", "learning_rate_decay": 0.9},
    "all at once": {
        "cell": "lstm",
        "layers": 2,
        "dropout": 0.2,
        "batch_size": 5,
        "optimizer": "sgd",
        "validation_fraction": 0.2,
        "init_scale": None,
        "dtype": "float64",
    },
}
SMALL = {"hidden_size": 12, "sequence_length": 10, "sample_every": 50, "max_updates": 120}


@pytest.fixture(scope="module")
def text():
    return "The lamps of Saltmere were lit at dusk, and Orla counted every one of them. " * 40


@pytest.fixture(scope="module")
def corpus(server, text):
    answer = server.client.post("/api/corpora", files={"file": ("lamps.txt", text.encode())})
    assert answer.status_code == 201
    return answer.json()["id"]


@pytest.mark.parametrize("name", SPECS)
def test_a_run_equals_a_trainer_with_the_same_spec(server, corpus, text, name):
    run = server.create(corpus=corpus, **SMALL, **SPECS[name])
    run = server.until(run, lambda now: now["state"] == "finished")
    vocabulary = Vocabulary.from_text(text)
    trainer = new_trainer(vocabulary.encode(text), vocabulary, run["spec"])
    assert run["parameters"] == trainer.parameters.flat.size
    assert run["updates_per_epoch"] == trainer.updates_per_epoch

    csv = server.client.get(f"/api/runs/{run['id']}/losses.csv").text.splitlines()[1:]
    for line in csv:
        before = (trainer.epoch, trainer.position)
        loss = trainer.update()
        assert line == f"{trainer.updates},{before[0]},{before[1]},{loss!r},{trainer.smooth_loss!r}"
        if trainer.updates in {50, 100, 120} and trainer.settings.validation_fraction:
            trainer.validate()
    assert trainer.updates == 120
    assert run["best"] == {
        "update": trainer.best_update,
        "smooth_loss": trainer.best_smooth_loss,
    }
    assert run["validation_loss"] == trainer.validation_loss


@pytest.mark.parametrize("name", SPECS)
def test_every_kind_of_network_writes_passages_and_samples(server, corpus, name):
    run = server.create(corpus=corpus, **SMALL, **SPECS[name])
    for source in ("best", "latest"):
        passage = server.post(run, "passages", {"source": source, "length": 60, "seed": 1})
        assert len(passage["text"]) == 60
    server.until(run, lambda now: now["state"] == "finished")
    sizes = {len(sample["text"]) for sample in server.get(run, "samples")}
    assert sizes == {200}
    for which in ("best", "latest"):
        file = server.client.get(f"/api/runs/{run['id']}/checkpoints/{which}/file")
        assert file.status_code == 200
        assert file.content[:2] == b"PK"


def test_the_validation_loss_is_measured_at_each_sample(server, corpus):
    run = server.create(corpus=corpus, **SMALL, **SPECS["held out"])
    run = server.until(run, lambda now: now["state"] == "finished")
    samples = server.get(run, "samples")
    measured = [sample["validation_loss"] for sample in samples]
    assert all(np.isfinite(measured))
    curve = server.get(run, "loss")["validation"]
    assert curve["update"] == [sample["update"] for sample in samples]
    assert curve["loss"] == measured
    assert run["validation_loss"] == measured[-1]
    part = server.get(run, "loss", **{"from": 20, "to": 60})["validation"]
    assert part["update"] == [20, 50]
    passage = server.post(run, "passages", {"source": "best_validation", "length": 10})
    best = min(zip(measured, curve["update"], strict=True))[1]
    assert passage["source"]["kind"] == "best_validation"
    assert passage["source"]["update"] == best


def test_the_figures_of_a_run_that_was_stopped_are_those_of_its_last_update(server, corpus):
    spec = SMALL | {"sample_every": 10**6, "max_updates": None, "validation_fraction": 0.2}
    run = server.create(corpus=corpus, **spec, pace=50)
    server.until(run, lambda now: now["update"] > 10)
    stopped = server.post(run, "stop")
    last = server.get(run, "samples")[-1]
    assert last["update"] == stopped["update"]
    assert last["validation_loss"] == stopped["validation_loss"]
    validation = server.get(run, "loss")["validation"]
    assert (validation["update"][-1], validation["loss"][-1]) == (
        stopped["update"],
        stopped["validation_loss"],
    )


def test_the_command_and_the_page_agree_about_the_last_sample(server, corpus, text, tmp_path):
    spec = SMALL | {"sample_every": 50, "max_updates": 120, "validation_fraction": 0.2}
    run = server.create(corpus=corpus, **spec)
    server.until(run, lambda now: now["state"] == "finished")
    now = server.run(run)
    last = until(lambda: [each for each in server.get(run, "samples") if each["update"] == 120])[0]
    assert (now["validation_update"], now["validation_loss"]) == (120, last["validation_loss"])
    book = tmp_path / "book.txt"
    book.write_text(text, encoding="utf-8")
    options = {name: value for name, value in spec.items() if name != "max_updates"}
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    trained = run_command("train", book, "--updates=120", "--out", tmp_path / "out", *given)
    assert trained.returncode == 0, trained.stderr
    heading = (
        f"--- update 120, smooth loss {last['smooth_loss']:.2f},"
        f" validation loss {last['validation_loss']:.2f}\n"
    )
    written = (tmp_path / "out" / "samples.txt").read_text(encoding="utf-8")
    assert written.endswith(f"{heading}{last['text']}\n\n")


def test_without_a_validation_fraction_there_is_no_validation_loss(server, corpus):
    run = server.create(corpus=corpus, **SMALL)
    server.until(run, lambda now: now["state"] == "finished")
    assert server.get(run, "loss")["validation"] == {"update": [], "loss": []}
    answer = server.client.post(
        f"/api/runs/{run['id']}/passages", json={"source": "best_validation"}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "source"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"batch_size": 1_000}, "batch_size"),
        ({"validation_fraction": 0.001}, "validation_fraction"),
        ({"cell": "lstm", "hidden_size": 2_048, "layers": 4}, "hidden_size"),
        ({"hidden_size": 2_000, "sample_length": 20_000}, "sample_length"),
    ],
)
def test_an_impossible_size_is_refused_with_a_possible_one(server, corpus, spec, field):
    answer = server.client.post("/api/runs", json={"corpus": corpus, **spec})
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert re.search(r"at (least [\d.,]+ is needed|most [\d.,]+ is possible)", error["message"])
