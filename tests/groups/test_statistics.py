"""Bands, and verdicts on differences: the numbers of textbooks, and the rate of false alarms."""

import math

import numpy as np
import pytest

from server.groups.statistics import band, t_quantile, t_tail, welch_interval


@pytest.mark.parametrize(
    ("freedom", "probability", "expected"),
    [
        # Student's table.
        (1, 0.975, 12.7062),
        (2, 0.975, 4.30265),
        (4, 0.975, 2.77645),
        (8, 0.975, 2.30600),
        (30, 0.975, 2.04227),
        (4, 0.995, 4.60409),
        (10, 0.95, 1.81246),
        (1_000_000, 0.975, 1.95997),
    ],
)
def test_quantiles_are_those_of_the_table(freedom, probability, expected):
    assert t_quantile(probability, freedom) == pytest.approx(expected, abs=2e-5)
    assert t_tail(t_quantile(probability, freedom), freedom) == pytest.approx(1 - probability)


def test_tails_are_exact_where_they_have_a_closed_form():
    for t in (0.0, 1e-6, 0.3, 1.0, 4.0, 300.0):
        cauchy = 0.5 - math.atan(t) / math.pi
        assert t_tail(t, 1) == pytest.approx(cauchy, rel=1e-9, abs=1e-12)
        assert t_tail(t, 2) == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)), abs=1e-10)
    # Between whole numbers it lies between theirs.
    assert t_tail(2.0, 3) < t_tail(2.0, 2.5) < t_tail(2.0, 2)


def test_an_interval_is_that_computed_by_hand():
    found = welch_interval([1.0, 2.0, 3.0], [4.0, 6.0, 8.0], 0.05)
    # The squared errors of the means are 1/3 and 4/3.
    error, freedom = math.sqrt(5 / 3), (25 / 9) / ((1 / 9) / 2 + (16 / 9) / 2)
    assert found.difference == -4.0
    assert found.margin == pytest.approx(t_quantile(0.975, freedom) * error)
    assert found.p == pytest.approx(2 * integral_of_density(4.0 / error, freedom), abs=1e-6)
    assert not found.excludes_zero
    assert found.p > 0.05
    wider = welch_interval([1.0, 2.0, 3.0], [5.0, 7.0, 9.0], 0.05)
    assert (wider.excludes_zero, wider.p < 0.05) == (True, True)


def integral_of_density(t, freedom):
    """Return the tail above t of the t distribution, by Simpson's rule in 1 / x."""
    u = np.linspace(1e-9, 1 / t, 20_001)
    density = (1 + 1 / (freedom * u * u)) ** (-(freedom + 1) / 2) / (u * u)
    weights = np.tile([2.0, 4.0], 10_001)[:20_001]
    weights[[0, -1]] = 1.0
    scale = math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / math.sqrt(freedom * math.pi)
    return scale * float(density @ weights) * (u[1] - u[0]) / 3


def test_equal_and_constant_values():
    assert not welch_interval([1.0, 2.0, 3.0], [3.0, 1.0, 2.0], 0.05).excludes_zero
    same = welch_interval([2.0] * 3, [2.0] * 3, 0.05)
    assert (same.difference, same.margin, same.p, same.excludes_zero) == (0.0, 0.0, 1.0, False)
    assert welch_interval([2.0] * 3, [1.0] * 3, 0.05).excludes_zero


def false_alarms(generator, sizes, deviations, *, experiments=1_000, alpha=0.05):
    """Return the share of experiments without a difference in which one is called."""
    called = 0
    for _ in range(experiments):
        a, b = (
            generator.normal(1.6, deviation, size)
            for size, deviation in zip(sizes, deviations, strict=True)
        )
        called += welch_interval(a, b, alpha).excludes_zero
    return called / experiments


@pytest.mark.parametrize(
    ("sizes", "deviations"),
    [((5, 5), (0.02, 0.02)), ((5, 5), (0.02, 0.06)), ((10, 4), (0.03, 0.05))],
)
def test_about_one_in_twenty_is_a_false_alarm(sizes, deviations):
    rate = false_alarms(np.random.default_rng(1), sizes, deviations)
    # Three standard errors of the share are 0.021.
    assert 0.029 < rate < 0.071


def test_with_three_seeds_there_are_no_more_false_alarms():
    assert false_alarms(np.random.default_rng(2), (3, 3), (0.02, 0.02)) < 0.06


def test_one_in_twenty_pages_with_six_differences_has_a_false_alarm():
    """Four groups have six differences; with alpha / 6 each, few pages call any of them."""
    generator, pages = np.random.default_rng(3), 200
    false = 0
    for _ in range(pages):
        groups = generator.normal(1.6, 0.02, (4, 5))
        pairs = [(i, j) for i in range(4) for j in range(i)]
        false += any(welch_interval(groups[i], groups[j], 0.05 / 6).excludes_zero for i, j in pairs)
    assert false / pages < 0.08


def test_a_real_difference_is_found_and_the_interval_contains_it():
    generator = np.random.default_rng(4)
    contains = found = 0
    for _ in range(300):
        interval = welch_interval(
            generator.normal(1.70, 0.02, 5), generator.normal(1.65, 0.02, 5), 0.05
        )
        found += interval.excludes_zero
        contains += abs(interval.difference - 0.05) <= interval.margin
    assert found / 300 > 0.8
    assert contains / 300 > 0.9


def test_a_band_is_of_the_curves_that_have_reached_an_update():
    nan = float("nan")
    found = band([np.array([4.0, 3.0, 2.0]), np.array([6.0, nan]), np.array([8.0])], 4)
    assert found.runs.tolist() == [3, 1, 1, 0]
    assert found.mean[:3].tolist() == [6.0, 3.0, 2.0]
    assert (found.low[0], found.high[0], found.deviation[0]) == (4.0, 8.0, 2.0)
    assert (found.low[1], found.high[1]) == (3.0, 3.0)
    assert np.isnan(found.deviation[1:]).all()
    assert np.isnan([found.mean[3], found.low[3], found.high[3]]).all()
    assert band([], 2).runs.tolist() == [0, 0]
