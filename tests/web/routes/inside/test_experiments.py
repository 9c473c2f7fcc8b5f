"""Experiments with units over HTTP."""

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import load_model
from server.rnn.inspection.activations import read_activations
from tests.serving import PAGES

HIDDEN = 12
SMALL = {"hidden_size": HIDDEN, "sample_length": 20, "sample_every": 50}
START = 500
TEXT = PAGES[START : START + 80]


@pytest.fixture(scope="module")
def run(server):
    """A finished run of two layers."""
    corpus = server.upload(PAGES)["id"]
    return server.until_ended(server.create(corpus=corpus, max_updates=150, layers=2, **SMALL))


def find_spans(server, run, **request):
    whole = {"text": TEXT, "from": 10, "to": 12, "threshold": 0.2, **request}
    return server.post(run, "units/spans", whole)


@pytest.fixture(scope="module")
def activations(server, run, tmp_path_factory):
    """The activations (n, m) of a layer while the latest network reads a text."""
    path = tmp_path_factory.mktemp("model") / "model.npz"
    path.write_bytes(server.client.get(f"/api/runs/{run['id']}/checkpoints/latest/file").content)
    model, vocabulary = load_model(path, "latest")

    def read(text, layer):
        return read_activations(model, vocabulary.encode(text)[None]).hidden[layer, 0]

    return read


@pytest.mark.parametrize("layer", [0, 1])
def test_spans_have_the_units_of_the_stretch(server, run, activations, layer):
    found = find_spans(server, run, layer=layer)
    assert found["model"] == {"kind": "latest", "update": 150}
    assert found["layer"] == layer
    h = activations(TEXT, layer)[10:12]
    active = {
        unit for unit in range(HIDDEN) if (h[:, unit] > 0.2).all() or (h[:, unit] < -0.2).all()
    }
    assert {each["unit"] for each in found["units"]} == active
    for each in found["units"]:
        assert each["activation"] == pytest.approx(h[:, each["unit"]].mean(), abs=1e-3)
        assert each["sign"] == np.sign(each["activation"])

    assert found["spans"]
    searched = found["searched"]
    taken = np.zeros(len(PAGES), dtype=int)
    # Read from further back than the server does, which must not matter.
    whole = activations(PAGES, layer)
    signs = {each["unit"]: each["sign"] for each in found["units"]}
    agreeing = total = 0
    for span in found["spans"]:
        start, end = span["from"], span["to"]
        assert searched["from"] <= start < end <= searched["to"]
        taken[start:end] += 1
        assert PAGES[start:end].startswith(span["text"])
        assert PAGES[:start].endswith(span["before"])
        assert PAGES[end:].startswith(span["after"])
        assert set(span["units"]) <= active
        assert 2 * len(span["units"]) >= len(active)
        for unit in span["units"]:
            agreeing += int((signs[unit] * whole[start:end, unit] > 0.2).sum())
            total += end - start
    assert taken.max() == 1
    assert agreeing > 0.99 * total
    order = [
        (-len(span["units"]), span["from"] - span["to"], span["from"]) for span in found["spans"]
    ]
    assert order == sorted(order)


def test_with_edges_fewer_units_are_taken(server, run):
    every, few = (find_spans(server, run, edges=edges)["units"] for edges in (False, True))
    assert {each["unit"] for each in few} < {each["unit"] for each in every}


def test_only_one_unit_is_taken(server, run):
    every = find_spans(server, run)["units"]
    few = find_spans(server, run, unit=every[0]["unit"])
    assert few["units"] == every[:1]
    assert all(span["units"] == [every[0]["unit"]] for span in few["spans"])


def test_a_threshold_that_no_unit_exceeds_finds_nothing(server, run):
    found = find_spans(server, run, threshold=0.9999)
    assert found["units"] == found["spans"] == []


def test_unknown_characters_do_not_move_the_stretch(server, run):
    shifted = "\u0416" + TEXT[:11] + "\u0416" + TEXT[11:]
    moved = find_spans(server, run, text=shifted, **{"from": 11, "to": 14})
    assert moved == find_spans(server, run)


def intervene(server, run, **request):
    return server.post(run, "intervention", {"unit": 3, "value": 0.9, "seed": 4, **request})


def test_only_the_held_text_differs_from_a_passage(server, run):
    ordinary = {"source": "latest", "seed": 4, "length": 400, "temperature": 0.7, "prime": "the "}
    passage = server.post(run, "passages", ordinary)["text"]
    found = intervene(server, run, length=400, temperature=0.7, prime="th\u0416e ", layer=1)
    assert found["without"] == passage
    assert len(found["with"]) == 400
    at = found["first_difference"]
    assert found["with"][:at] == passage[:at]
    assert found["with"][at] != passage[at]
    assert found["unknown_characters"] == ["\u0416"]
    assert (found["layer"], found["unit"], found["value"], found["seed"]) == (1, 3, 0.9, 4)
    assert found["model"] == {"kind": "latest", "update": 150}
    lower = intervene(server, run, length=400, temperature=0.7, prime="the ", layer=0)
    assert lower["with"] != found["with"]


def test_a_drawn_seed_is_named_and_gives_the_same_texts(server, run):
    first = intervene(server, run, seed=None, source={"update": 100})
    assert first["model"] == {"kind": "snapshot", "update": 100}
    assert len(first["without"]) == 300
    again = intervene(server, run, seed=first["seed"], source={"update": 100})
    assert again == first


BAD_SPANS = [
    ({"from": 80, "to": 81}, "to", "at most 80"),
    ({"from": 12}, "from", "less than to"),
    ({"from": -1}, "from", "greater than or equal to 0"),
    ({"threshold": 1}, "threshold", "less than 1"),
    ({"layer": 2}, "layer", "less than 2"),
    ({"unit": HIDDEN}, "unit", "less than 12"),
    ({"text": "\u0416" * 20}, "from", "knows no character"),
    ({"text": ""}, "text", "at least 1 character"),
    ({"edges": "yes"}, "edges", "true or false"),
    ({"source": "best_validation"}, "source", "no validation set"),
]
BAD_INTERVENTIONS = [
    ({"unit": HIDDEN}, "unit", "less than 12"),
    ({"unit": None}, "unit", "whole number"),
    ({"layer": 2}, "layer", "less than 2"),
    ({"value": 1.5}, "value", "less than or equal to 1"),
    ({"length": 1001}, "length", "less than or equal to 1000"),
    ({"length": 0}, "length", "greater than or equal to 1"),
    ({"temperature": -0.1}, "temperature", "greater than or equal to 0"),
    ({"seed": 2**53}, "seed", "less than"),
    ({"prime": "a" * 10_001}, "prime", "at most 10000"),
]


@pytest.mark.parametrize(
    ("path", "request_", "field", "message"),
    [("units/spans", *bad) for bad in BAD_SPANS]
    + [("intervention", *bad) for bad in BAD_INTERVENTIONS],
)
def test_bad_requests_name_the_field(server, run, path, request_, field, message):
    good = {
        "units/spans": {"text": TEXT, "from": 10, "to": 12},
        "intervention": {"unit": 3, "value": 0.9},
    }
    answer = server.client.post(f"/api/runs/{run['id']}/{path}", json={**good[path], **request_})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert message in error["message"]
