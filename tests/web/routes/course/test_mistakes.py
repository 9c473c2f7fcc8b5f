"""Training with a mistake over HTTP: the stream, bad requests, and clients that leave."""

import json
import re

import pytest

from server.analysis.mistakes import MAX_SECONDS, MistakeTraining, described_mistakes
from server.course.symptoms import symptom_of
from server.rnn.architecture import MAX_LAYERS
from server.rnn.cells import CELLS
from tests.serving import PAGES

PATH = "/api/course/mistakes"
SMALL = {"hidden_size": 5, "sequence_length": 6, "updates": 20}


def lines(server, **request):
    answer = server.client.post(PATH, json=SMALL | request)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_both_networks_are_streamed(server):
    found = lines(server, layers=2, cell="gru", mistake="reset_before_product")
    assert found[-1].keys() == {"updates", "seconds"}
    assert found[-1]["updates"] == 20
    curves = {
        side: [loss for line in found if side in line for loss in line[side]]
        for side in ("right", "wrong")
    }
    assert [len(curve) for curve in curves.values()] == [20, 20]
    assert curves["right"] != curves["wrong"]
    samples = [line["sample"] for line in found if "sample" in line]
    assert samples[-1]["update"] == 20
    assert len(samples[-1]["right"]) == len(samples[-1]["wrong"]) == 200
    assert list(samples[-1]["gradient_errors"]) == [
        *(f"{name}{layer}" for layer in (1, 2) for name in "UWbd"),
        *"Vc",
    ]
    # The same request gives the same figures; those of an uploaded text are others.
    again = lines(server, layers=2, cell="gru", mistake="reset_before_product")
    assert [line["sample"] for line in again if "sample" in line] == samples
    corpus = server.upload(PAGES)["id"]
    other = lines(server, layers=2, cell="gru", mistake="reset_before_product", corpus=corpus)
    assert [line["sample"] for line in other if "sample" in line] != samples


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("mistake", {"mistake": "no_such_mistake"}),
        ("mistake", {"mistake": "no_cell_state_gradient"}),
        ("mistake", {"mistake": "no_gradient_to_lower_layer"}),
        ("mistake", {"mistake": "clipped"}),
        ("cell", {"cell": "transformer"}),
        ("hidden_size", {"hidden_size": 301}),
        ("hidden_size", {"hidden_size": "5"}),
        ("updates", {"updates": 0}),
        ("updates", {"cell": "lstm", "hidden_size": 300, "layers": 4, "updates": 20_000}),
        ("more", {"more": 1}),
    ],
)
def test_bad_requests_are_refused(server, field, request_):
    body = server.problem(server.client.post(PATH, json=SMALL | request_), 422)
    assert [error["field"] for error in body["errors"]] == [field]


def test_a_text_that_cannot_be_used_is_refused(server):
    server.problem(server.client.post(PATH, json=SMALL | {"corpus": "0" * 8}), 404)
    many = server.upload("".join(map(chr, range(0x4E00, 0x4E00 + 1_200))))["id"]
    body = server.problem(server.client.post(PATH, json=SMALL | {"corpus": many}), 422)
    assert body["errors"][0]["field"] == "corpus"


def test_a_training_whose_client_has_left_is_cancelled(server):
    """It would take minutes, and one training at a time is made."""
    long = {"hidden_size": 200, "sequence_length": 100, "updates": 3_000}
    assert 0.5 * MAX_SECONDS < MistakeTraining(**long).seconds(76) < MAX_SECONDS
    with server.client.stream("POST", PATH, json=long) as answer:
        first = json.loads(next(answer.iter_lines()))
    assert first["update"] < 3_000
    assert lines(server)[-1]["updates"] == 20


def test_the_page_describes_every_mistake(server):
    page = server.client.get("/course/mistakes")
    assert page.status_code == 200
    found = re.search(r'id="mistakes-described">(.*?)</script>', page.text, re.DOTALL)
    described = json.loads(found[1])
    assert described == described_mistakes()
    assert set(described) == set(CELLS)
    for cell, mistakes in described.items():
        for mistake in mistakes:
            assert mistake["lines"]
            assert mistake["min_layers"] <= MAX_LAYERS
            assert mistake["sentence"] == symptom_of(cell, mistake["name"]).sentence
