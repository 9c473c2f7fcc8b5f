"""The sentences on how mistakes show, and the figures that they are made of."""

import json
import re
import statistics

import pytest

from server.course.symptoms import FILE, Figures, Symptom, figures, symptom_of, symptoms
from server.course.training import training_mistakes
from server.rnn.cells import CELLS

CONTENT = json.loads(FILE.read_text(encoding="utf-8"))
RIGHT = Figures("rnn", 1, 50, 25, 10_000, 1_000, 6, 108.0, 48.0, 1.0)
GRADIENTS = {"U": 0.5, "W": 0.861, "b": 0.0}


def symptom(loss, errors=GRADIENTS, not_finite_at=None):
    return Symptom("some_mistake", RIGHT, 2, loss, not_finite_at, errors)


@pytest.mark.parametrize(
    ("loss", "verdict", "sentence"),
    [
        (50.9, "hidden", "The loss curve does not show it: 50.9 against 48.0 at update 10,000."),
        (45.1, "hidden", "The loss curve does not show it: 45.1 against 48.0 at update 10,000."),
        (51.1, "beside", "The loss curve looks right until the right one is beside it"),
        (44.9, "beside", "The loss curve looks even better than the right one"),
        (59.9, "beside", "The loss curve looks right until"),
        (60.1, "visible", "The loss curve shows it, because it falls too little"),
        (35.0, "visible", "The loss curve shows it, because it is too low to be true"),
        (109.0, "visible", "The loss curve shows it, because it rises"),
    ],
)
def test_the_verdict_follows_from_the_rule(loss, verdict, sentence):
    found = symptom(loss)
    assert found.verdict == verdict
    assert found.sentence.startswith(sentence)
    assert found.sentence.endswith("the relative error of W is 0.86.")
    alone = symptom(loss, {"U": 1e-12, "W": 0.0})
    assert alone.verdict == verdict
    if verdict == "hidden":
        assert alone.sentence.startswith("Neither the loss curve nor a gradient check shows it")
    else:
        assert alone.sentence.endswith("A gradient check does not show it.")


def test_a_loss_that_is_not_finite_shows():
    found = symptom(None, not_finite_at=1_735)
    assert found.verdict == "visible"
    assert "from update 1,735 on, the loss is not finite" in found.sentence


def test_every_mistake_was_measured():
    for cell in CELLS:
        for mistake in training_mistakes(cell, layers=2):
            assert symptom_of(cell, mistake.name) is not None, (cell, mistake.name)
    known = {each.name for cell in CELLS for each in training_mistakes(cell, layers=2)}
    assert {name for _, name in symptoms()} <= known
    for right in figures():
        assert right.seeds >= 3
    assert min(each.seeds for each in symptoms().values()) >= 2


def test_the_sentences_are_made_of_the_figures_in_the_file():
    """The figures are computed again, from the file alone."""
    checked = 0
    for network in CONTENT["networks"]:
        losses = [each["smooth_loss"] for each in network["right"]]
        mean, deviation = statistics.mean(losses), statistics.stdev(losses)
        for name, trained in network["mistakes"].items():
            found = symptoms()[network["cell"], name]
            numbers = [float(n.replace(",", "")) for n in re.findall(r"[\d,.]*\d", found.sentence)]
            if any(each["smooth_loss"] is None for each in trained):
                assert min(e["not_finite_at"] for e in trained if "not_finite_at" in e) in numbers
                assert found.verdict == "visible"
                continue
            wrong = statistics.mean(each["smooth_loss"] for each in trained)
            assert numbers[:3] == [round(wrong, 1), round(mean, 1), network["updates"]]
            assert (found.verdict == "hidden") == (abs(wrong - mean) <= 3 * deviation)
            errors = [
                statistics.mean(
                    each["gradient_errors"][name][parameter]
                    for each in network["right"]
                    if each["gradient_errors"]
                )
                for parameter in found.gradient_errors
            ]
            if max(errors) < 1e-6:
                assert len(numbers) == 3
            else:
                assert numbers[-1] == pytest.approx(max(errors), abs=0.006)
            checked += 1
    assert checked > 30


def test_what_the_course_is_about():
    """The commonest mistake does not show in the curve; the checks do what the text says."""
    assert symptom_of("rnn", "no_recurrent_gradient").verdict == "hidden"
    # docs/views.md says that more than half of the mistakes look right in the loss curve.
    look_right = [each for each in symptoms().values() if each.verdict != "visible"]
    assert len(look_right) > len(symptoms()) / 2
    for name in ("state_not_carried", "not_clipped"):
        assert symptom_of("rnn", name).worst_gradient is None
    assert symptom_of("lstm", "sign_flipped").right.cell == "rnn"
