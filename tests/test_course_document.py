"""docs/course.md: its code is run, and its figures are computed again."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from server.__main__ import app
from server.checkpoints.checkpoint_format import checkpoint_contents, load_model, new_trainer
from server.checkpoints.npz import write_archive
from server.course.problem import ProblemQuery, make_problem, problem_file
from server.course.training import Learner, initial_parameters, right_reference
from server.rnn.cells import CELLS
from server.rnn.sampling.inference import Stepper
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec
from tests.serving import NOVEL, PAGES

PAGE = (Path(__file__).parents[1] / "docs" / "course.md").read_text(encoding="utf-8")
UNITS, *LOADERS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_units_of_the_loss():
    names = {}
    exec(UNITS, names)
    assert names["loss"] == pytest.approx(108.3, abs=0.05)
    assert names["bits_per_character"] == pytest.approx(np.log2(76))
    assert names["K"] == len(set(NOVEL))


@pytest.mark.parametrize(("cell", "loader"), [*zip(CELLS, LOADERS, strict=True)])
def test_a_loader_reads_a_checkpoint_as_the_server_does(tmp_path, monkeypatch, cell, loader):
    vocabulary = Vocabulary.from_text(PAGES)
    spec = RunSpec(cell=cell, hidden_size=7, batch_size=2, init_scale=0.5).model_dump(mode="json")
    trainer = new_trainer(vocabulary.encode(PAGES), vocabulary, spec)
    for _ in range(20):
        trainer.update()
    path = tmp_path / "checkpoint.npz"
    write_archive(path, *checkpoint_contents(trainer, vocabulary, spec), durable=False)
    monkeypatch.chdir(tmp_path)
    # The probabilities after each character of its text are those of the server's model.
    found = []
    choose = np.random.default_rng(0)

    def choice(n, p):
        found.append(p)
        return int(choose.choice(n, p=p))

    monkeypatch.setattr(np.random, "choice", choice)
    names = {}
    exec(loader, names)
    assert len(names["text"]) == 200
    model, _ = load_model(path, "latest")
    stepper, x = Stepper(model), model.next_index
    for p, character in zip(found, names["text"], strict=True):
        logits = stepper.step(x)[0].astype(float)
        expected = np.exp(logits - logits.max())
        np.testing.assert_allclose(p, expected / expected.sum(), atol=1e-5)
        x = vocabulary.characters.index(character)
    assert len(loader.split("\n\n", 1)[1].strip().splitlines()) <= 14


def test_the_commands_of_the_exercises_accept_right_gradients_of_this_seed_alone(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (commands,) = re.findall(r"```\n(python -m server problem .*?)```", PAGE, re.DOTALL)
    written, checked = (line.split()[3:] for line in commands.strip().splitlines())
    # The link to the page names the same problem.
    assert "/course?cell=gru&seed=7`" in PAGE
    assert CliRunner().invoke(app, written).exit_code == 0
    with np.load("problem.npz") as problem:
        assert {"x", "y", "h0", "loss"} <= set(problem.files)
    for seed, exit_code in ((7, 0), (8, 1)):
        right = make_problem(ProblemQuery(cell="gru", seed=seed)).gradients
        np.savez("my_gradients.npz", **right)
        assert CliRunner().invoke(app, checked).exit_code == exit_code
    two = make_problem(ProblemQuery(cell="lstm", layers=2))
    with np.load(io.BytesIO(problem_file(two))) as problem:
        assert {"h1_0", "h2_0", "c1_0", "c2_0"} <= set(problem.files)


def test_early_training_is_chaotic():
    vocabulary = Vocabulary.from_text(NOVEL)
    text = vocabulary.encode(NOVEL)
    start = initial_parameters(
        cell="rnn", layers=1, hidden_size=50, vocabulary_size=len(vocabulary), seed=0
    )
    one = Learner(right_reference("rnn"), start, text, 25)
    start["W"][0, 0] += 1e-12
    other = Learner(right_reference("rnn"), start, text, 25)
    apart = []
    for _ in range(100):
        one.train()
        other.train()
        apart.append(abs(one.loss - other.loss))
    assert apart[0] < 1e-9
    assert max(apart) > 5.0
    # The updates in the text are those of one machine.
    first = next(update for update, gap in enumerate(apart, start=1) if gap > 0.1)
    assert first == pytest.approx(15, abs=10)
