"""Gradient checks over HTTP."""

import re

import pytest

from server.rnn.cells import CELLS, DEFAULT_CELL


def ask(server, **request):
    answer = server.client.post("/api/gradient-check", json=request)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_gradients_are_correct(server):
    proof = ask(server)
    assert proof["passed"] is True
    assert (proof["threshold"], proof["dtype"]) == (1e-6, "float64")
    shapes = {parameter["name"]: parameter["shape"] for parameter in proof["parameters"]}
    assert shapes == {"U": [20, 30], "W": [20, 20], "b": [20], "V": [30, 20], "c": [30]}
    for parameter in proof["parameters"]:
        assert parameter["complex_step"] < 1e-10
        assert parameter["central_difference"] < 1e-6
        assert parameter["errors"] is None
    assert server.client.post("/api/gradient-check").json() == proof


def test_the_form_has_the_defaults_and_the_ranges_of_the_request(server):
    schemas = server.client.get("/openapi.json").json()["components"]["schemas"]
    described = schemas["GradientCheckRequest"]["properties"]
    page = server.client.get("/gradients").text
    inputs = [
        dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        for tag in re.findall(r'<input id="check-[a-z_]+" [^>]*type="number"[^>]*>', page)
    ]
    assert [each["name"] for each in inputs] == [
        name for name, schema in described.items() if schema.get("type") == "integer"
    ]
    for each in inputs:
        schema = described[each["name"]]
        assert int(each["value"]) == schema["default"]
        assert int(each["min"]) == schema["minimum"]
        # JavaScript represents integers exactly up to here.
        assert int(each["max"]) == min(schema["maximum"], 2**53 - 1)
        assert f'<label for="check-{each["name"]}">{schema["title"]}</label>' in page
    assert re.findall(r'name="cell" value="([a-z]+)" checked', page) == [DEFAULT_CELL]
    assert described["cell"]["default"] == DEFAULT_CELL


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradients_of_every_kind_of_network_are_correct(server, cell):
    proof = ask(server, cell=cell, hidden_size=5, layers=2, batch_size=3, sequence_length=4, seed=1)
    assert proof["passed"]
    assert len(proof["parameters"]) == (10 if cell == "gru" else 8)


def test_the_errors_of_every_entry_on_request(server):
    text = "abcabcabd" * 4
    proof = ask(server, hidden_size=6, sequence_length=5, batch_size=2, text=text, details=True)
    [u, *_] = proof["parameters"]
    assert u["shape"] == [6, 4]
    for method in ("complex_step", "central_difference"):
        rows = u["errors"][method]
        assert [len(row) for row in rows] == [4] * 6
        assert max(map(max, rows)) == pytest.approx(u[method], rel=0.01)


@pytest.mark.parametrize("mistake", ["clipping", "float32", "state"])
def test_a_deliberate_mistake_fails_the_check(server, mistake):
    proof = ask(server, hidden_size=8, mistake=mistake)
    assert not proof["passed"]
    assert proof["dtype"] == ("float32" if mistake == "float32" else "float64")
    assert max(parameter["central_difference"] for parameter in proof["parameters"]) > 1e-4


def test_an_unsuitable_step_size_increases_the_error(server):
    for step in (0.5, 1e-14):
        assert not ask(server, hidden_size=8, step=step)["passed"]
    curve = server.client.post("/api/gradient-check/steps", json={"cell": "gru"}).json()
    assert len(set(map(len, curve.values()))) == 1
    best = min(curve["central_difference"])
    assert best < 1e-6 < max(curve["central_difference"])
    assert curve["complex_step"][-1] < 1e-10


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"hidden_size": 128, "cell": "lstm"}, "hidden_size"),
        ({"cell": "cnn"}, "cell"),
        ({"mistake": "none"}, "mistake"),
        ({"text": "short"}, "text"),
        ({"text": ""}, "text"),
        ({"batch_size": 50, "sequence_length": 100}, "sequence_length"),
        ({"colour": 1}, "colour"),
    ],
)
def test_an_invalid_field_is_named(server, request_, field):
    answer = server.client.post("/api/gradient-check", json=request_)
    errors = server.problem(answer, 422)["errors"]
    assert [error["field"] for error in errors] == [field]
