"""Every mistake and every pair of mistakes is made, and the diagnosis is asked for its name."""

from itertools import combinations

import numpy as np
import pytest

from server.course import diagnosis
from server.course.answer import check_answer
from server.course.comparison import SINGLE, agreement, precision_of, relative_errors
from server.course.diagnosis import changed_lines, diagnose
from server.course.mistakes import (
    MISTAKES,
    ConflictingMistakesError,
    load_mistake,
    mistakes_of,
    patched,
)
from server.course.problem import ProblemQuery, make_problem
from server.rnn.cells import CELLS
from server.rnn.reference import network
from tests.course.support import QUERIES, in_another_order, in_float32, made, named

# Pairs are many: of each problem one in so many is made. `python -m benchmarks course` makes all.
EVERY = 29


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_single_mistakes_are_named(query):
    problem = make_problem(query)
    right = asked = 0
    for mistake in mistakes_of(query.cell):
        for variant in mistake.variants_for(query.cell):
            sent = made(problem, [mistake], [variant])
            if sent is None:
                continue
            asked += 1
            names = named(problem, sent)
            # Named first, or as one of those that cannot be told apart here.
            right += (mistake.name,) in names
    assert asked >= 25
    assert right >= 0.95 * asked


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_pairs_of_mistakes_are_named(query):
    problem = make_problem(query)
    alone = {}
    for mistake in mistakes_of(query.cell):
        alone[mistake.name] = made(problem, [mistake], [mistake.variants_for(query.cell)[0]])
    right = asked = 0
    visible = [MISTAKES[name] for name, sent in alone.items() if sent is not None]
    for pair in list(combinations(visible, 2))[query.seed :: EVERY]:
        variants = [mistake.variants_for(query.cell)[0] for mistake in pair]
        sent = made(problem, pair, variants)
        # One of them hides the other: then it is the answer.
        if sent is None or any(agreement(sent, alone[m.name]) < 1e-9 for m in pair):
            continue
        asked += 1
        right += tuple(m.name for m in pair) in named(problem, sent)
    assert asked >= 10
    assert right >= 0.8 * asked


@pytest.mark.parametrize("cell", CELLS)
def test_every_replacement_is_of_one_line_that_is_there(cell):
    for mistake in mistakes_of(cell):
        for variant in mistake.variants_for(cell):
            lines = changed_lines(variant, cell)
            assert bool(lines) != (variant.transform is not None)
            assert all(right != wrong for _, right, wrong in lines)
            patched(cell, [variant])
    for mistake in MISTAKES.values():
        assert mistake.label
        assert mistake.look_at.endswith(".")
        assert any(mistake.variants_for(each) for each in CELLS)


def test_the_names_of_the_protocol_are_known():
    assert {
        *("no_recurrent_gradient", "no_activation_derivative", "recurrent_not_transposed"),
        *("current_state_in_recurrent_gradient", "initial_state_ignored", "targets_not_shifted"),
        *("mean_instead_of_sum", "clipped", "softmax_over_time", "first_step_dropped"),
        *("last_step_dropped", "output_bias_missing", "sign_flipped", "gate_order"),
        *("biases_doubled", "state_not_carried"),
    } <= set(MISTAKES)


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_right_gradients_are_right_in_any_order_of_summation_and_in_float32(query):
    for seed in range(20):
        problem = make_problem(ProblemQuery(**{**_values(query), "seed": seed}))
        for sent in (in_another_order(problem), in_float32(problem)):
            precision = precision_of(sent)
            assert (precision is SINGLE) == (sent["c"].dtype == np.float32)
            for name, gradient in sent.items():
                errors = relative_errors(gradient, problem.gradients[name], precision)
                assert errors.max() < 0.2 * precision.threshold


def _values(query):
    return {name: getattr(query, name) for name in query.__dataclass_fields__}


def test_gradients_in_float32_with_a_mistake_are_named_too():
    for query in QUERIES[:3]:
        problem = make_problem(query)
        for name in ("recurrent_not_transposed", "clipped", "softmax_over_time"):
            mistake = MISTAKES[name]
            sent = made(problem, [mistake], [mistake.variants_for(query.cell)[0]])
            sent = {key: g.astype(np.float32).astype(np.float64) for key, g in sent.items()}
            assert named(problem, sent)[0] == (name,)


def test_the_state_h_alone_may_be_left_out():
    """An LSTM has two states, and c may be carried while h is not."""
    query = ProblemQuery(cell="lstm", hidden_size=6)
    problem = make_problem(query)
    state = problem.state | {"h": np.zeros(6)}
    _, sent, _ = network.loss_and_gradients(
        CELLS["lstm"].reference, problem.parameters, *problem.one_hot, state
    )
    assert named(problem, sent) == [("initial_state_ignored",)]


def test_the_search_of_pairs_ends_after_a_number_of_steps(monkeypatch):
    problem = make_problem(QUERIES[0])
    rng = np.random.default_rng(1)
    sent = {name: g + 0.1 * rng.standard_normal(g.shape) for name, g in problem.gradients.items()}
    assert diagnose(problem, sent, precision_of(sent)).complete
    monkeypatch.setattr(diagnosis, "MAX_PAIR_STEPS", 100)
    for _ in range(2):
        # The second time the gradients are kept from the first, and the answer is the same.
        assert not diagnose(problem, sent, precision_of(sent)).complete
    assert any("not all pairs" in each for each in check_answer(QUERIES[0], sent)["evidence"])


def test_unknown_mistakes_get_no_name():
    problem = make_problem(QUERIES[0])
    rng = np.random.default_rng(1)
    sent = {name: g + 0.1 * rng.standard_normal(g.shape) for name, g in problem.gradients.items()}
    assert diagnose(problem, sent, precision_of(sent)).found == []


def test_the_constants_are_found_from_the_data():
    problem = make_problem(QUERIES[0])
    for limit in (0.05, 0.7, 2.0):
        sent = {name: np.clip(g, -limit, limit) for name, g in problem.gradients.items()}
        assert named(problem, sent) == [("clipped",)]
    sent = {name: 0.01 * g for name, g in problem.gradients.items()}
    assert named(problem, sent) == [("scaled",)]


def test_two_mistakes_in_one_line_cannot_be_made_together():
    with pytest.raises(ConflictingMistakesError):
        load_mistake("rnn", ["sign_flipped", "target_not_subtracted"])


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_with_a_mistake_can_be_trained(cell):
    problem = make_problem(ProblemQuery(cell=cell, hidden_size=5))
    text = np.random.default_rng(0).integers(0, 13, 200)
    curves = []
    for names in ([], ["no_recurrent_gradient"], ["state_not_carried"]):
        wrong = load_mistake(cell, names)
        parameters = {name: values.copy() for name, values in problem.parameters.items()}
        updates = wrong.network.train(wrong.cell, parameters, text, 10)
        curves.append([next(updates)[0] for _ in range(5)])
    assert len({tuple(curve) for curve in curves}) == 3
    # The first loss is of the same network; the mistakes show from the next update on.
    assert len({curve[0] for curve in curves}) == 1
    assert load_mistake(cell, []).network is network
