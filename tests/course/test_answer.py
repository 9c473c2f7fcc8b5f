"""What a student gets for a file: right and wrong gradients, other names and layouts, bad files."""

import io
import json

import numpy as np
import pytest

from server.analysis.course import Answer
from server.course.answer import check_answer, query_in, read_answer
from server.course.equations import LAYER
from server.course.problem import ProblemQuery, make_problem, problem_file
from server.course.recognition import AnswerError, recognise_gradients
from server.rnn.cells import CELLS
from tests.course.support import QUERIES, npz

DEFAULT = ProblemQuery()


def answer(query, arrays):
    found = check_answer(query, read_answer(npz(arrays)))
    Answer.model_validate(json.loads(json.dumps(found)))
    return found


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_problem_is_the_same_bytes_and_has_what_the_contract_says(query):
    content = problem_file(make_problem(query))
    assert content == problem_file(make_problem(query))
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = dict(archive)
    readme = arrays.pop("README.txt").decode()
    assert "my_gradients.npz" in readme
    assert f"  {LAYER[query.cell][0]}\n" in readme
    problem = make_problem(query)
    assert query_in(arrays) == {n: getattr(query, n) for n in query.__dataclass_fields__}
    assert arrays["loss"] == problem.loss
    assert arrays["x"].shape == arrays["y"].shape == (query.sequence_length,)
    assert (arrays["x"] != arrays["y"]).all()
    for name, values in problem.parameters.items():
        assert arrays[name].dtype == np.float64
        assert arrays[name].tobytes() == values.tobytes()
        assert values.all()
    states = {name for name in arrays if name[0] in "hc" and name[-1] == "0"}
    assert len(states) == query.layers * len(CELLS[query.cell].states)
    if query.layers == 1:
        assert states == ({"h0", "c0"} if query.cell == "lstm" else {"h0"})


def students_gradients(problem):
    """The course's loop, written without the reference: row vectors, lists, other names."""
    p, (h,) = problem.parameters, problem.state.values()
    Wxh, Whh, Why, bh, by = p["U"].T, p["W"].T, p["V"].T, p["b"], p["c"]
    hs, ps, loss = [h[None]], [], 0.0
    for x, y in zip(problem.x, problem.y, strict=True):
        hs.append(np.tanh(Wxh[x] + hs[-1] @ Whh + bh))
        e = np.exp(hs[-1] @ Why + by)
        ps.append(e / e.sum())
        loss -= float(np.log(ps[-1][0, y]))
    g = {
        n: np.zeros_like(a)
        for n, a in zip(
            ("dWxh", "dWhh", "dWhy", "dbh", "dby"), (Wxh, Whh, Why, bh, by), strict=True
        )
    }
    back = 0.0
    for t in range(len(ps) - 1, -1, -1):
        d = ps[t].copy()
        d[0, problem.y[t]] -= 1
        g["dWhy"] += hs[t + 1].T @ d
        g["dby"] += d[0]
        d = (d @ Why.T + back) * (1 - hs[t + 1] ** 2)
        g["dWxh"][problem.x[t]] += d[0]
        g["dWhh"] += hs[t].T @ d
        g["dbh"] += d[0]
        back = d @ Whh.T
    return g | {"loss": np.array(loss)}


def test_an_independent_loop_passes_in_its_own_names_and_layout():
    found = answer(DEFAULT, students_gradients(make_problem(DEFAULT)))
    assert found["passed"]
    assert found["precision"] == "float64"
    assert {p["name"]: (p["source"], p["transposed"]) for p in found["parameters"]} == {
        "U": ("dWxh", True),
        "W": ("dWhh", True),
        "V": ("dWhy", True),
        "b": ("dbh", False),
        "c": ("dby", False),
    }
    assert all(p["relative_error"] < 1e-9 for p in found["parameters"])
    assert "U, W and V are transposed." in found["remarks"]
    assert found["diagnosis"] == found["evidence"] == found["missing"] == []


def test_a_mistake_in_another_layout_is_named():
    gradients = students_gradients(make_problem(DEFAULT))
    gradients["dWhh"] = gradients["dWhh"].T
    found = answer(DEFAULT, gradients)
    assert not found["passed"]
    (named,) = found["diagnosis"]
    assert named["mistakes"] == ["recurrent_gradient_transposed"]
    assert "Your loss is right" in " ".join(found["evidence"])
    gradients = {n: np.clip(g, -0.5, 0.5) for n, g in gradients.items() if n != "loss"}
    gradients["dWhh"] = gradients["dWhh"].T
    assert answer(DEFAULT, gradients)["diagnosis"][0]["mistakes"] == ["clipped"]


def test_the_answer_shows_the_lines_and_the_place_of_each_error():
    problem = make_problem(DEFAULT)
    gradients = problem.gradients | {"W": problem.gradients["W"] * 0}
    gradients["W"][:] = problem.gradients["W"]
    gradients["W"][3, 4] += 1.0
    found = answer(DEFAULT, gradients)
    W = next(p for p in found["parameters"] if p["name"] == "W")
    assert np.unravel_index(np.argmax(W["errors"]), (20, 20)) == (3, 4)
    assert np.count_nonzero(W["errors"]) == 1
    assert found["diagnosis"] == []
    assert found["evidence"][0] == "U, b, V and c are right; W is not."
    assert "h_{t-1}" in found["evidence"][1]


def test_large_maps_are_reduced_to_the_greatest_error_of_each_block():
    query = ProblemQuery(hidden_size=50)
    problem = make_problem(query)
    gradients = {n: g.copy() for n, g in problem.gradients.items()}
    gradients["W"][49, 0] += 1.0
    W = next(p for p in answer(query, gradients)["parameters"] if p["name"] == "W")
    assert np.shape(W["errors"]) == (32, 32)
    assert W["errors"][31][0] == W["relative_error"]


def test_some_of_the_gradients_are_judged_and_the_others_are_missing():
    gradients = make_problem(DEFAULT).gradients
    found = answer(DEFAULT, {"dV": gradients["V"], "c": gradients["c"][:, None]})
    assert [p["passed"] for p in found["parameters"]] == [True, True]
    assert found["missing"] == ["U", "W", "b"]
    assert not found["passed"]


@pytest.mark.parametrize("layers", [1, 2])
def test_right_gradients_pass_in_any_layout_even_if_all_are_square(layers):
    query = ProblemQuery(hidden_size=13, layers=layers)
    gradients = make_problem(query).gradients
    rows = {name: gradient.T for name, gradient in gradients.items()}
    found = answer(query, rows)
    assert found["passed"]
    assert {p["name"] for p in found["parameters"] if p["transposed"]} == {
        name for name in gradients if name[0] in "UWV"
    }
    # One of them alone is a mistake.
    first = "W" if layers == 1 else "W1"
    assert not answer(query, gradients | {first: gradients[first].T})["passed"]
    # Some programs have only U transposed, to look its rows up.
    query = ProblemQuery(hidden_size=8, layers=layers)
    gradients = make_problem(query).gradients
    mixed = {n: g.T if n in {"U", "U1"} else g for n, g in gradients.items()}
    found = answer(query, mixed)
    assert found["passed"]
    assert any(remark in {"U is transposed.", "U1 is transposed."} for remark in found["remarks"])


def test_right_gradients_that_were_rounded_are_right():
    for cell in CELLS:
        query = ProblemQuery(cell=cell, hidden_size=8)
        gradients = make_problem(query).gradients
        found = answer(query, {n: np.round(g, 6) for n, g in gradients.items()})
        assert found["passed"]
        assert "rounded" in found["remarks"][-1]
        found = answer(query, {n: g * (1 + 3e-4) + 3e-4 for n, g in gradients.items()})
        assert not found["passed"]
        assert found["diagnosis"] == []


def test_evidence_does_not_contradict_itself_and_names_multiples():
    problem = make_problem(DEFAULT)
    gradients, loss = problem.gradients, np.array(problem.loss)
    found = answer(DEFAULT, gradients | {"c": gradients["c"] / 10, "loss": loss})
    said = " ".join(found["evidence"])
    assert "Only c is wrong" in said
    assert "c, times 0.1." in said
    assert "in the forward pass" not in said
    said = " ".join(answer(DEFAULT, gradients | {"b": 0 * gradients["b"]})["evidence"])
    assert "b is all zeros" in said
    rng = np.random.default_rng(0)
    noise = {n: g if n == "c" else g + rng.standard_normal(g.shape) for n, g in gradients.items()}
    assert "target and the state h of its own step" in " ".join(answer(DEFAULT, noise)["evidence"])


def test_evidence_names_the_gate():
    query = ProblemQuery(cell="lstm")
    gradients = {n: g.copy() for n, g in make_problem(query).gradients.items()}
    for name in "UWb":
        gradients[name][40:60] *= 1.5
    evidence = " ".join(answer(query, gradients)["evidence"])
    assert "V and c are right; U, W and b are not." in evidence
    assert "only the rows of f" in evidence


@pytest.mark.parametrize(
    "name", ["dU", "gradU", "grad_U", "U_grad", "U.grad", "dL_dU", "dWxh", "W_xh", "grads.U", "gU"]
)
def test_names_are_recognised(name):
    problem = make_problem(DEFAULT)
    found = recognise_gradients({name: problem.gradients["U"]}, problem)
    assert found.sources == {"U": name}


def test_gradients_are_preferred_to_parameters_and_names_of_layers_are_read():
    query = ProblemQuery(cell="gru", layers=2)
    problem = make_problem(query)
    arrays = problem.parameters | {f"d{n}": g for n, g in problem.gradients.items()}
    found = answer(query, arrays)
    assert found["passed"]
    assert {p["source"] for p in found["parameters"]} == {f"d{n}" for n in problem.parameters}


def test_an_unknown_name_is_read_by_its_shape():
    problem = make_problem(DEFAULT)
    arrays = {"mine": problem.gradients["U"].T, "dV": problem.gradients["V"]}
    found = recognise_gradients(arrays, problem)
    assert found.sources == {"U": "mine", "V": "dV"}
    assert found.transposed == {"U"}
    # Its shape may be that of V, too.
    with pytest.raises(AnswerError, match="its arrays are: mine"):
        recognise_gradients({"mine": problem.gradients["U"]}, problem)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"q": np.zeros(3)}, "no gradient of U, W, b, V and c"),
        ({"dU": np.zeros((3, 4))}, "dU has the shape 3 x 4; the gradient of U has 20 x 13"),
        ({"dU": np.full((20, 13), np.nan)}, "260 numbers that are not finite"),
        ({"dU": np.full((20, 13), "a")}, "has the type <U1"),
        ({"dU": np.zeros((20, 13), complex)}, "complex"),
    ],
)
def test_bad_arrays_get_one_sentence(arrays, message):
    with pytest.raises(AnswerError, match=message):
        check_answer(DEFAULT, read_answer(npz(arrays)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b"PK\3\4 not an archive", "cannot be used"),
        (problem_file(make_problem(DEFAULT)), "the problem, not your gradients"),
        (npz({"dU": np.zeros((2000, 2000))}, np.savez_compressed), "savez_compressed"),
        (npz({"dU": np.array([{}], dtype=object)}), "only numbers"),
    ],
    ids=["empty", "damaged", "problem", "compressed", "pickled"],
)
def test_bad_files_get_one_sentence(content, message):
    with pytest.raises(AnswerError, match=message):
        read_answer(content)
