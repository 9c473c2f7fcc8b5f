"""Early stopping and importance, computed from trials."""

import pytest

from server.spec.schemas import RunState
from server.sweeps.early_stopping import falls_behind, rungs
from server.sweeps.importance import importance
from server.sweeps.schemas import SweepSpec
from server.sweeps.trials import StoredRun, Trial, trials_of
from server.sweeps.validation import search_space


def at_rung(*losses):
    return [Trial({}, "running", rungs={} if loss is None else {10: loss}) for loss in losses]


@pytest.mark.parametrize(
    ("max_updates", "expected"), [(9_000, [1_000, 3_000]), (8, [2]), (2, []), (10, [1, 3])]
)
def test_rungs_are_at_a_ninth_and_a_third(max_updates, expected):
    assert rungs(max_updates) == expected


def test_the_first_at_a_rung_goes_on():
    assert not falls_behind(at_rung(5.0, None, None), 0, 10)


def test_the_best_third_of_those_that_have_come_goes_on():
    losses = [3.0, 1.0, 2.0, 6.0, 5.0, 4.0, None]
    goes_on = [not falls_behind(at_rung(*losses), own, 10) for own in range(6)]
    assert goes_on == [False, True, True, False, False, False]


def test_equal_losses_go_on_together():
    assert not any(falls_behind(at_rung(1.0, 1.0, 1.0), own, 10) for own in range(3))


def test_a_loss_that_is_not_finite_never_goes_on():
    assert falls_behind(at_rung(float("inf")), 0, 10)


def stored(configuration, seed, **fields):
    about = {"run": f"{configuration}-{seed}", "parameters": {"layers": configuration}}
    return StoredRun(**about | {"configuration": configuration, "seed": seed} | fields)


DONE = {"ended": True, "state": RunState.FINISHED}


def test_a_trial_is_complete_once_all_its_seeds_are():
    runs = [stored(1, 0, **DONE, value=2.0), stored(1, 1, **DONE, value=4.0)]
    assert trials_of(runs, 2)[0].value == 3.0
    assert trials_of(runs[:1], 2)[0].outcome == "running"
    assert trials_of(runs, 3)[0].outcome == "running"


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"ended": True, "state": RunState.STOPPED, "value": 1.0}, "stopped"),
        ({"ended": True, "state": RunState.STOPPED}, "stopped"),
        ({"stopped_early": True}, "stopped"),
        ({"ended": True, "state": RunState.FAILED, "error": "It failed."}, "failed"),
        ({**DONE, "error": "The loss diverged."}, "failed"),
        ({}, "running"),
    ],
)
def test_one_seed_that_did_not_finish_decides(fields, outcome):
    runs = [stored(1, 0, **DONE, value=2.0), stored(1, 1, **fields)]
    found = trials_of(runs, 2)[0]
    assert (found.outcome, found.value) == (outcome, None)


def test_a_configuration_is_compared_by_the_mean_of_its_seeds():
    runs = [stored(1, 0, rungs={10: 2.0}), stored(1, 1, rungs={10: 4.0, 20: 1.0})]
    assert trials_of(runs, 2)[0].rungs == {10: 3.0, 20: 1.0}
    runs.append(stored(1, 2, rungs={10: None}))
    assert falls_behind(trials_of(runs, 3), 0, 10)


RATES, SIZES = {"low": 0.01, "high": 1, "log": True}, {"low": 1, "high": 100}


def space_of(**parameters):
    return search_space(SweepSpec(parameters=parameters))


SPACE = space_of(learning_rate=RATES, hidden_size=SIZES)


def completed(count):
    return [
        Trial(
            {"learning_rate": 0.01 * 1.1**n, "hidden_size": 1 + 37 * n % 100},
            "complete",
            value=abs(20.0 - n),
        )
        for n in range(count)
    ]


def test_the_parameter_that_decides_is_the_most_important():
    shares = importance(completed(45), SPACE)
    assert next(iter(shares)) == "learning_rate"
    assert shares["learning_rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1, abs=0.001)


def test_importance_is_unknown_with_few_configurations_or_one_parameter():
    assert importance(completed(9), SPACE) is None
    failed = [Trial(each.parameters, "failed") for each in completed(45)]
    assert importance(failed, SPACE) is None
    assert importance(completed(45), space_of(hidden_size=SIZES)) is None


def test_configurations_that_were_stopped_early_count_as_worse():
    trials = [
        each
        if each.value < 5
        else Trial(each.parameters, "stopped", rungs={10: each.value, 30: each.value})
        for each in completed(45)
    ]
    assert importance(trials, SPACE)["learning_rate"] > 0.8
