"""Samplers: within the space, never the same twice, and the same after a restart."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.spec.run_spec import RunSpec, SpecError
from server.sweeps.samplers import sampler as samplers
from server.sweeps.samplers.sampler import make_sampler
from server.sweeps.schemas import SweepSpec
from server.sweeps.space import Choice, key_of
from server.sweeps.trials import Trial
from server.sweeps.validation import search_space

RANGES = {
    "hidden_size": st.tuples(st.integers(1, 50), st.integers(51, 2_048)),
    "learning_rate": st.tuples(st.floats(1e-6, 1e-3), st.floats(1e-2, 10)),
    "dropout": st.tuples(st.floats(0, 0.1), st.floats(0.2, 0.9)),
    "batch_size": st.tuples(st.integers(1, 2), st.integers(3, 4)),
}
LISTS = {
    "cell": ["rnn", "gru", "lstm"],
    "clip": [None, 1, 5.5],
    "layers": [1, 2],
    "dtype": ["float32", "float64"],
}
SAMPLERS = ["grid", "random", "tpe"]
OUTCOMES = ["complete", "running", "stopped", "failed", "complete"]


@st.composite
def sweeps(draw, sampler):
    parameters = {}
    lists = st.lists(st.sampled_from([*LISTS]), unique=True, min_size=1)
    for name in draw(lists):
        values = st.lists(st.sampled_from(LISTS[name]), unique=True, min_size=1)
        parameters[name] = {"values": draw(values)}
    if sampler != "grid":
        for name in draw(st.lists(st.sampled_from([*RANGES]), unique=True)):
            low, high = draw(RANGES[name])
            parameters[name] = {"low": low, "high": high, "log": low > 0 and draw(st.booleans())}
    seed = draw(st.integers(0, 2**53 - 1))
    return SweepSpec(parameters=parameters, sampler=sampler, seed=seed)


def trial(configuration, number):
    outcome = OUTCOMES[number % len(OUTCOMES)]
    value = len(key_of(configuration)) / 10 if outcome == "complete" else None
    rungs = {} if outcome == "failed" else {10: number + 0.5}
    return Trial(configuration, outcome, value, rungs)


def draws(sweep, count, trials=()):
    sampler, trials = make_sampler(sweep, search_space(sweep)), list(trials)
    for _ in range(count):
        if (drawn := sampler.draw(trials)) is None:
            break
        trials.append(trial(drawn, len(trials)))
    return trials


def contains(parameter, value):
    if isinstance(parameter, Choice):
        return value in parameter.values
    return parameter.low <= value <= parameter.high and (
        not parameter.integer or isinstance(value, int)
    )


@pytest.mark.parametrize("name", SAMPLERS)
@settings(max_examples=15)
@given(st.data())
def test_each_configuration_is_in_the_space_and_new(name, data):
    sweep = data.draw(sweeps(name))
    space = search_space(sweep)
    trials = draws(sweep, 14)
    assert len(trials) == min(14, space.size)
    assert len({key_of(each.parameters) for each in trials}) == len(trials)
    for each in trials:
        assert each.parameters.keys() == space.parameters.keys()
        for field, parameter in space.parameters.items():
            assert contains(parameter, each.parameters[field])
        RunSpec.model_validate(each.parameters)


@pytest.mark.parametrize("name", SAMPLERS)
@settings(max_examples=5)
@given(st.data(), st.integers(0, 13))
def test_a_new_sampler_that_knows_the_trials_continues_as_the_first_one(name, data, before):
    sweep = data.draw(sweeps(name))
    whole = draws(sweep, 14)
    assert draws(sweep, 14 - before, whole[:before]) == whole


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_small_space_is_exhausted(name):
    sweep = SweepSpec(
        sampler=name,
        parameters={"cell": {"values": ["rnn", "gru"]}, "layers": {"values": [1, 2, 3]}},
    )
    assert len(draws(sweep, 20)) == 6


def test_a_range_of_integers_is_exhausted():
    sweep = SweepSpec(sampler="random", parameters={"layers": {"low": 1, "high": 4}})
    assert sorted(each.parameters["layers"] for each in draws(sweep, 20)) == [1, 2, 3, 4]


def test_random_draws_cover_a_logarithmic_range_evenly():
    sweep = SweepSpec(parameters={"learning_rate": {"low": 0.001, "high": 1, "log": True}})
    logarithms = [math.log10(each.parameters["learning_rate"]) for each in draws(sweep, 300)]
    for decade in (-3, -2, -1):
        assert 70 <= sum(decade <= each < decade + 1 for each in logarithms) <= 130


def test_random_draws_of_integers_on_a_logarithmic_range_reach_both_ends():
    sweep = SweepSpec(parameters={"hidden_size": {"low": 1, "high": 8, "log": True}})
    assert {each.parameters["hidden_size"] for each in draws(sweep, 8)} == set(range(1, 9))


def test_tpe_draws_near_the_best_trials():
    parameter = {"low": 0.001, "high": 1, "log": True}
    found = {}
    for name in ("random", "tpe"):
        sweep = SweepSpec(sampler=name, parameters={"learning_rate": parameter})
        sampler, trials = make_sampler(sweep, search_space(sweep)), []
        for _ in range(40):
            drawn = sampler.draw(trials)
            distance = abs(math.log10(drawn["learning_rate"] / 0.05))
            trials.append(Trial(drawn, "complete", distance))
        found[name] = sum(each.value for each in trials[20:])
    assert found["tpe"] < found["random"] / 2


def test_tpe_without_optuna_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(samplers, "has_optuna", lambda: False)
    sweep = SweepSpec(sampler="tpe", parameters={"layers": {"values": [1, 2]}})
    with pytest.raises(SpecError, match="make sweep-install") as caught:
        make_sampler(sweep, search_space(sweep))
    assert caught.value.field == "sampler"


def test_a_grid_that_is_too_large_is_refused():
    values = {"values": list(range(1, 101))}
    parameters = dict.fromkeys(("hidden_size", "batch_size", "sequence_length", "clip"), values)
    sweep = SweepSpec(sampler="grid", parameters=parameters)
    with pytest.raises(SpecError, match="combinations"):
        make_sampler(sweep, search_space(sweep))


def test_an_optuna_that_cannot_be_imported_is_an_error_of_the_sampler(monkeypatch):
    def fail(_name):
        raise ValueError("numpy.dtype size changed")

    monkeypatch.setattr(samplers, "has_optuna", lambda: True)
    monkeypatch.setattr(samplers.importlib, "import_module", fail)
    samplers.can_import_optuna.cache_clear()
    sweep = SweepSpec(sampler="tpe", parameters={"layers": {"values": [1, 2]}})
    try:
        with pytest.raises(SpecError, match="cannot be imported") as caught:
            make_sampler(sweep, search_space(sweep))
    finally:
        samplers.can_import_optuna.cache_clear()
    assert caught.value.field == "sampler"
