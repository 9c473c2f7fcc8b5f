import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.spec.pace import parse_pace
from server.worker.pacer import (
    CINEMATIC_GROWTH_PER_S,
    CINEMATIC_START_UPDATES_PER_S,
    MAX_LAG_S,
    MAX_WAIT_S,
    Pacer,
)


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


class Training:
    """A worker's loop: wait, make an update, and repeat."""

    def __init__(self, pace, *, update=0, update_s=0.0):
        self.clock = Clock()
        self.pacer = Pacer(pace, self.clock)
        self.update = update
        self.update_s = update_s

    def run(self, updates):
        """Make so many updates and return the seconds they took."""
        began_s = self.clock.now_s
        for _ in range(updates):
            while (delay_s := self.pacer.delay_s(self.update)) > 0.0:
                self.clock.now_s += delay_s
            self.clock.now_s += self.update_s
            self.update += 1
        return self.clock.now_s - began_s


@pytest.mark.parametrize(
    ("value", "pace"),
    [("max", "max"), ("cinematic", "cinematic"), (5, 5.0), (0.25, 0.25), (1e6, 1e6)],
)
def test_a_pace_is_a_word_or_a_number(value, pace):
    parsed = parse_pace(value)
    assert parsed == pace
    assert type(parsed) is type(pace)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        1e6 + 1,
        10**400,
        math.nan,
        math.inf,
        -math.inf,
        True,
        False,
        None,
        "",
        "5",
        "Max",
        [],
        {},
    ],
)
def test_an_invalid_pace_is_refused_in_one_sentence(value):
    with pytest.raises(
        ValueError, match=r'^The pace must be "max", "cinematic", or a number of .*\.$'
    ):
        parse_pace(value)


def test_a_hundred_thousand_cinematic_updates_take_90_seconds():
    assert Training("cinematic").run(100_000) == pytest.approx(90.0, abs=1.0)


def test_cinematic_growth_solves_its_equation():
    k, r = CINEMATIC_GROWTH_PER_S, CINEMATIC_START_UPDATES_PER_S
    assert math.log1p(k * 100_000 / r) / k == pytest.approx(90.0, abs=1e-9)


def test_a_cinematic_run_follows_its_equation():
    k, r = CINEMATIC_GROWTH_PER_S, CINEMATIC_START_UPDATES_PER_S
    training = Training("cinematic")
    seconds = 0.0
    for reached in (10, 100, 1_000, 10_000, 100_000):
        seconds += training.run(reached - training.update)
        assert seconds == pytest.approx(math.log1p(k * reached / r) / k, abs=0.15)


def test_each_later_factor_of_ten_takes_the_same_time():
    training = Training("cinematic", update=10_000)
    first_s, second_s = training.run(90_000), training.run(900_000)
    assert first_s == pytest.approx(math.log(10) / CINEMATIC_GROWTH_PER_S, rel=0.02)
    assert second_s == pytest.approx(first_s, rel=0.02)


def test_a_cinematic_run_begins_at_ten_updates_a_second():
    training = Training("cinematic")
    training.run(1)
    assert training.run(10) == pytest.approx(1.0, rel=0.05)


@given(
    rate=st.floats(min_value=0.01, max_value=1e6),
    share_spent=st.floats(min_value=0.0, max_value=0.99),
)
def test_a_fixed_pace_is_kept_for_any_duration_of_an_update(rate, share_spent):
    training = Training(rate, update_s=share_spent / rate)
    training.run(1)
    assert training.run(200) == pytest.approx(200 / rate, rel=1e-6, abs=1e-9 * training.clock.now_s)


def test_the_first_update_is_due_at_once():
    assert Pacer(0.001, Clock()).delay_s(0) == 0.0


def test_max_never_waits():
    assert Training("max", update_s=1e-4).run(1000) == pytest.approx(0.1)


def test_a_slow_machine_never_waits_and_accumulates_no_lag():
    training = Training(100.0, update_s=0.02)
    assert training.run(1000) == pytest.approx(20.0)
    training.update_s = 0.0
    assert training.run(1000) == pytest.approx(10.0, abs=MAX_LAG_S + 0.011)


def test_a_pause_is_not_made_up_for():
    training = Training(100.0)
    training.run(10)
    training.clock.now_s += 3600.0
    assert training.run(1000) == pytest.approx(10.0, abs=MAX_LAG_S + 0.011)


def test_a_repeated_call_changes_nothing():
    clock = Clock()
    pacer = Pacer(2.0, clock)
    pacer.delay_s(0)
    assert pacer.delay_s(1) == pytest.approx(0.5)
    clock.now_s += 0.2
    assert pacer.delay_s(1) == pytest.approx(0.3)
    assert pacer.delay_s(1) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("before", "after"), [(0.01, 50.0), ("cinematic", 50.0), (0.01, "cinematic")]
)
def test_a_faster_pace_takes_effect_at_once(before, after):
    training = Training(before)
    training.run(1)
    training.pacer.set_pace(after)
    assert training.pacer.pace == after
    assert training.pacer.delay_s(1) <= 0.1
    training.run(1)
    assert training.run(10) <= 1.0


@pytest.mark.parametrize("before", ["max", 1000.0, "cinematic"])
def test_a_slower_pace_takes_effect_from_the_update_after_next_at_the_latest(before):
    training = Training(before)
    training.run(100)
    training.pacer.set_pace(0.5)
    training.run(1)
    assert training.pacer.delay_s(training.update) == pytest.approx(2.0, abs=0.11)


def test_a_change_to_max_ends_the_wait():
    training = Training(0.01)
    training.run(1)
    assert training.pacer.delay_s(1) > 0.0
    training.pacer.set_pace("max")
    assert training.pacer.delay_s(1) == 0.0


def test_a_pace_set_before_training_takes_effect():
    training = Training("max")
    training.pacer.set_pace(2.0)
    training.run(1)
    assert training.run(4) == pytest.approx(2.0)


def test_a_wait_is_never_longer_than_a_timer_can_represent():
    training = Training(5e-324)
    training.run(1)
    assert training.pacer.delay_s(1) == MAX_WAIT_S
