"""A cell that is not shipped works everywhere once it is in the registry."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import (
    checkpoint_contents,
    new_trainer,
    restore_trainer,
)
from server.checkpoints.npz import read_archive, write_archive
from server.rnn.cells import CELLS
from server.rnn.gradient_check.check import check_gradients
from server.rnn.model import ModelError
from server.rnn.sampling.sampling import generate
from server.rnn.training.trainer import SettingsError, Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec
from tests.rnn.cells.mgu import MGU, MGULayer
from tests.rnn.support import bytes_of, make_trainer
from tests.serving import PAGES, ROOT

WITH_MGU = Path(__file__).with_name("with_mgu")


@pytest.fixture
def mgu(monkeypatch):
    monkeypatch.setitem(CELLS, MGU.name, MGU)
    return MGU.name


def test_an_unregistered_cell_is_refused():
    *others, last = map(repr, CELLS)
    with pytest.raises(SettingsError, match=f"cell must be {', '.join(others)} or {last}\\."):
        TrainerSettings(cell=MGU.name)
    with pytest.raises(ModelError, match="'mgu'"):
        dataclasses.replace(make_trainer().current_model(), cell=MGU.name)


def test_the_error_names_all_registered_cells(mgu):
    with pytest.raises(SettingsError, match=r"cell must be 'rnn', .* or 'mgu'\."):
        TrainerSettings(cell="tree")


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("layers", [1, 2])
def test_its_gradients_agree_with_both_numerical_derivatives(mgu, layers, batch_size, dropout):
    check = check_gradients(
        cell=mgu, layers=layers, batch_size=batch_size, dropout=dropout, hidden_size=8
    )
    assert check.passed
    shapes = {parameter.name: parameter.shape for parameter in check.parameters}
    assert shapes["W" if layers == 1 else "W1"] == (16, 8)
    for parameter in check.parameters:
        assert np.abs(parameter.analytic).max() > 1e-3


def test_a_wrong_layer_fails_the_check(mgu, monkeypatch):
    """The check compares the layer with this cell's own reference."""
    forward = MGULayer.forward

    def carry_less(layer):
        layer.hidden[0, :, :-1] *= 0.9
        forward(layer)

    monkeypatch.setattr(MGULayer, "forward", carry_less)
    assert not check_gradients(cell=mgu, hidden_size=8).passed


def test_it_starts_with_its_initial_biases(mgu):
    trainer = make_trainer(cell=mgu, layers=2)
    for name in ("b1", "b2"):
        assert trainer.parameters[name].tolist() == [1.0] * 6 + [0.0] * 6


def test_it_learns_and_generates(mgu):
    text = np.array([0, 1, 2, 3, 1, 2, 4, 1, 2, 5, 0, 0, 3, 1, 2, 0, 4, 4, 1, 5] * 40)
    trainer = Trainer(text, 6, TrainerSettings(cell=mgu, hidden_size=32))
    first = trainer.update()
    for _ in range(600):
        trainer.update()
    assert trainer.kernel == "numpy"
    assert trainer.loss < 0.2 * first
    written = generate(trainer.current_model(), 40, temperature=0, seed=0)
    assert (written == 1).sum() > 2


@pytest.mark.parametrize("optimizer", ["adagrad", "adam"])
def test_it_resumes_from_a_file_byte_for_byte(mgu, monkeypatch, tmp_path, optimizer):
    vocabulary = Vocabulary.from_text(PAGES[:900])
    indices = vocabulary.encode(PAGES[:900])
    small = {"corpus": "any", "hidden_size": 5, "sequence_length": 6, "batch_size": 2}
    spec = RunSpec(cell=mgu, layers=2, dropout=0.4, optimizer=optimizer, **small)
    wanted = spec.model_dump(mode="json")
    whole = new_trainer(indices, vocabulary, wanted)
    for _ in range(100):
        whole.update()
    path = tmp_path / "checkpoint.npz"
    write_archive(path, *checkpoint_contents(whole, vocabulary, wanted), durable=False)

    resumed = new_trainer(indices, vocabulary, wanted)
    restore_trainer(resumed, vocabulary, *read_archive(path))
    assert bytes_of(resumed) == bytes_of(whole)
    assert [whole.update() for _ in range(100)] == [resumed.update() for _ in range(100)]
    assert bytes_of(resumed) == bytes_of(whole)
    assert whole.sample(50).tolist() == resumed.sample(50).tolist()


def test_it_trains_over_http(mgu, serve):
    """The server, its worker and its inference processes are processes of their own."""
    paths = (str(WITH_MGU), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")]))
    server = serve("--no-demo", PYTHONPATH=os.pathsep.join(paths), OPENBLAS_NUM_THREADS="1")
    corpus = server.upload(PAGES)["id"]
    run = server.create(
        corpus=corpus, cell=mgu, hidden_size=12, sequence_length=10, max_updates=120
    )
    run = server.until(run, lambda now: now["state"] == "finished")
    assert run["spec"]["cell"] == mgu

    vocabulary = Vocabulary.from_text(PAGES)
    trainer = new_trainer(vocabulary.encode(PAGES), vocabulary, run["spec"])
    losses = [trainer.update() for _ in range(120)]
    assert run["parameters"] == trainer.parameters.flat.size
    lines = server.losses_csv(run).decode().splitlines()[1:]
    assert [float(line.split(",")[3]) for line in lines] == losses
    passage = server.post(run, "passages", {"source": "best", "length": 60, "seed": 1})
    assert len(passage["text"]) == 60

    arrays, meta = server.checkpoint_file(run, "latest")
    for name, view in trainer.parameters.items():
        assert arrays[f"parameters.{name}"].tobytes() == np.array(view, order="C").tobytes()
    assert meta["trainer"]["cell"] == mgu

    check = server.client.post("/api/gradient-check", json={"cell": mgu, "hidden_size": 6})
    assert check.status_code == 200, check.text
    assert check.json()["passed"]
