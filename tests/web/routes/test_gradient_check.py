"""Gradient checks over the wire."""

import pytest

from server.rnn.cells import CELLS


def ask(server, **request):
    answer = server.client.post("/api/gradient-check", json=request)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_gradients_are_right(server):
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


@pytest.mark.parametrize("cell", CELLS)
def test_whatever_the_network_is_made_of(server, cell):
    proof = ask(server, cell=cell, hidden_size=5, layers=2, batch_size=3, sequence_length=4, seed=1)
    assert proof["passed"]
    assert len(proof["parameters"]) == (10 if cell == "gru" else 8)


def test_every_entry_where_asked(server):
    text = "abcabcabd" * 4
    proof = ask(server, hidden_size=6, sequence_length=5, batch_size=2, text=text, details=True)
    [u, *_] = proof["parameters"]
    assert u["shape"] == [6, 4]
    for method in ("complex_step", "central_difference"):
        rows = u["errors"][method]
        assert [len(row) for row in rows] == [4] * 6
        assert max(map(max, rows)) == pytest.approx(u[method], rel=0.01)


@pytest.mark.parametrize("mistake", ["clipping", "float32", "state"])
def test_a_mistake_makes_right_gradients_look_wrong(server, mistake):
    proof = ask(server, hidden_size=8, mistake=mistake)
    assert not proof["passed"]
    assert proof["dtype"] == ("float32" if mistake == "float32" else "float64")
    assert max(parameter["central_difference"] for parameter in proof["parameters"]) > 1e-4


def test_a_step_that_is_too_large_or_too_small(server):
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
def test_what_is_wrong_is_named(server, request_, field):
    answer = server.client.post("/api/gradient-check", json=request_)
    errors = server.problem(answer, 422)["errors"]
    assert [error["field"] for error in errors] == [field]
