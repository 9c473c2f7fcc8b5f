"""Which units follow which features, and that chance is not reported."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.corpora.text_features.features import Stretch, text_features
from server.rnn.cells import CELLS
from server.rnn.inspection.correlation import (
    Correlations,
    correlate,
    correlations,
    find_followed,
    standardise,
    untrained_scale,
)
from server.rnn.inspection.series import read_series
from server.rnn.inspection.untrained import untrained_model
from server.rnn.training.settings import TrainerSettings
from server.rnn.vocabulary import Vocabulary
from tests.inspection.quotation_unit import book, quotation_model

WARM_UP = 40


@given(st.integers(0, 2**32 - 1), st.integers(3, 300), st.sampled_from(["f4", "f8"]))
def test_correlations_are_those_of_numpy(seed, n, dtype):
    rng = np.random.default_rng(seed)
    units = (rng.standard_normal((3, n)) * [[1], [1e-3], [30]] + [[0], [1], [5]]).astype(dtype)
    features = rng.integers(0, 2, (2, n)) * np.array([[1], [100]])
    features[:, 0] = 0, 300  # not constant
    features[:, 1] = 1, 0
    found = correlate(standardise(units), standardise(features.astype(np.float32))).r
    expected = np.corrcoef(np.concatenate([units, features]).astype(np.float64))[:3, 3:]
    assert np.allclose(found, expected, atol=2e-4 if dtype == "f4" else 1e-5)


@pytest.mark.parametrize("n", [2, 3, 50, 51])
def test_chance_is_the_root_mean_square_over_all_circular_shifts(n):
    rng = np.random.default_rng(n)
    units = np.cumsum(rng.standard_normal((4, n)), axis=1)
    features = np.cumsum(rng.standard_normal((3, n)), axis=1)
    u, f = standardise(units), standardise(features)
    shifted = [u @ np.roll(f, shift, axis=1).T for shift in range(n)]
    assert np.allclose(correlate(u, f).chance, np.sqrt(np.mean(np.square(shifted), axis=0)), 1e-4)


def test_many_series_are_computed_in_parts():
    rng = np.random.default_rng(5)
    units, features = rng.standard_normal((19, 50)), rng.integers(0, 9, (21, 50)).astype(np.uint16)
    u, f = standardise(units), standardise(features)
    found = correlate(u, features)
    assert np.allclose(found.r, np.corrcoef(units, features)[:19, 19:], atol=1e-5)
    assert np.array_equal(correlations(u, features), found.r)
    shifted = [u @ np.roll(f, shift, axis=1).T for shift in range(50)]
    assert np.allclose(found.chance, np.sqrt(np.mean(np.square(shifted), axis=0)), 1e-4)
    assert standardise(units, out=units) is units
    assert np.allclose(units, u, atol=1e-6)


def test_correlating_takes_less_memory_than_the_series():
    units, features = np.ones((100, 10_000), np.float32), np.ones((120, 10_000), np.uint16)
    tracemalloc.start()
    try:
        correlate(units, features)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < units.nbytes + features.nbytes


def test_constant_and_broken_series_correlate_with_nothing():
    series = np.array([[3.0] * 6, [0.1, 0.1, 0.1, 0.1, 0.1, 0.1 + 1e-9], [1, 2, np.nan, 4, 5, 6]])
    assert not standardise(series).any()
    assert not standardise(np.full((1, 50_000), 0.1, dtype=np.float32)).any()


# ---------------------------------------------------------------- What is reported


@pytest.fixture(scope="module")
def two_stretches():
    """The vocabulary, the features and the indices of two stretches of a text."""
    texts = [book(seed) for seed in (1, 2)]
    vocabulary = Vocabulary.from_text("".join(texts))
    n = min(map(len, texts))
    found = text_features([Stretch(text, WARM_UP, n) for text in texts])
    return vocabulary, found, [vocabulary.encode(text[:n]) for text in texts]


def scale(vocabulary, indices, features, settings):
    """The scale of untrained networks with about 400 units."""
    count = math.ceil(400 / settings.hidden_size)
    found = [
        standardise(
            read_series(
                untrained_model(len(vocabulary), replace(settings, seed=100 + k)), indices, WARM_UP
            )
        )
        @ features.T
        for k in range(count)
    ]
    return untrained_scale(np.concatenate(found))


def followed(model, two_stretches, settings, series=lambda units: units):
    vocabulary, found, indices = two_stretches
    features = [standardise(values) for values in found.values]
    correlations = [
        correlate(standardise(series(read_series(model, each, WARM_UP))), values)
        for each, values in zip(indices, features, strict=True)
    ]
    untrained = scale(vocabulary, indices[0], features[0], settings)
    return find_followed(*correlations, untrained)


SETTINGS = TrainerSettings(hidden_size=100)


def test_a_unit_that_follows_quotation_marks_is_found_and_named(two_stretches):
    vocabulary, found, _ = two_stretches
    result = followed(quotation_model(vocabulary), two_stretches, SETTINGS)
    assert found.names[result.feature[0]] == "inside quotation marks"
    assert result.r[0] > 0.95 > result.limit[0]


@pytest.mark.parametrize("cell", CELLS)
def test_an_untrained_network_follows_nothing(cell, two_stretches):
    settings = TrainerSettings(cell=cell, hidden_size=100, seed=1)
    model = untrained_model(len(two_stretches[0]), settings)
    result = followed(model, two_stretches, settings)
    assert np.count_nonzero(result.feature >= 0) <= 1


def test_shuffled_and_shifted_activations_follow_nothing(two_stretches):
    vocabulary = two_stretches[0]
    model, rng = quotation_model(vocabulary), np.random.default_rng(4)
    shuffled = followed(model, two_stretches, SETTINGS, lambda h: rng.permuted(h, axis=1))
    assert (shuffled.feature == -1).all()
    # Shifted series keep their slow changes, by which short texts correlate strongly.
    shifted = followed(model, two_stretches, SETTINGS, lambda h: np.roll(h, 5_000, axis=1))
    assert (shifted.feature == -1).all()


def test_a_correlation_must_hold_on_both_stretches_with_one_sign():
    chance = np.full((3, 2), 0.01, dtype=np.float32)
    first = Correlations(np.array([[0.9, 0.5], [0.9, 0.5], [0.9, 0.1]]), chance)
    second = Correlations(np.array([[0.8, 0.4], [-0.9, 0.4], [0.1, 0.1]]), chance)
    result = find_followed(first, second, np.array([0.05, 0.05]))
    assert result.feature.tolist() == [0, 1, -1]
    assert result.r[:2].tolist() == [0.8, 0.4]
    # One of six pairs exceeds 3.14 standard deviations with a probability of 1%.
    assert result.limit == pytest.approx(math.tanh(3.14 * 0.05), abs=1e-3)
    by_shifts = find_followed(first, second, np.zeros(2))
    assert by_shifts.limit == pytest.approx(3.14 * 0.01, abs=1e-3)


def test_no_features_and_no_correlations():
    empty = Correlations(np.zeros((3, 0)), np.zeros((3, 0)))
    assert find_followed(empty, empty, untrained_scale(empty.r)).feature.tolist() == [-1] * 3
