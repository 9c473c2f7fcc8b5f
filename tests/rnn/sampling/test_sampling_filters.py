import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.sampling.sampling_filters import Sampler


def make_sampler(temperatures, K, top_k=None, top_p=None, dtype=np.float64):
    return Sampler(temperatures, top_k=top_k, top_p=top_p, vocabulary_size=K, dtype=dtype)


def kept_characters(logits, temperature, top_k, top_p):
    """Return the kept characters by the definitions, one after the other."""
    best_first = sorted(range(len(logits)), key=lambda k: -logits[k])[:top_k]
    if top_p is None:
        return set(best_first)
    weights = np.exp((np.array(logits)[best_first] - max(logits)) / max(temperature, 1e-9))
    nucleus, together = set(), 0.0
    for k, weight in zip(best_first, weights, strict=True):
        nucleus.add(k)
        together += weight
        if together >= top_p * weights.sum():
            break
    return nucleus


@given(
    texts=st.integers(1, 4).flatmap(
        lambda K: st.lists(
            st.tuples(
                st.lists(st.integers(-8, 8), min_size=K, max_size=K),
                st.sampled_from([0.0, 0.3, 1.0, 4.0]),
            ),
            min_size=1,
            max_size=3,
        )
    ),
    top_k=st.none() | st.integers(1, 6),
    # No sum of a few exponentials of small integers is close to these.
    top_p=st.none() | st.sampled_from([0.01, 0.3171, 0.5731, 0.9173]),
)
def test_the_likeliest_characters_are_kept(texts, top_k, top_p):
    logits = np.array([row for row, _ in texts], dtype=np.float64)
    sampler = make_sampler([t for _, t in texts], logits.shape[1], top_k, top_p)
    before = logits.copy()
    sampler.filter_logits(logits)
    for row, (given_logits, temperature) in zip(logits, texts, strict=True):
        kept = set(np.flatnonzero(np.isfinite(row)).tolist())
        assert kept == kept_characters(given_logits, temperature, top_k, top_p)
    assert np.array_equal(logits, np.where(np.isfinite(logits), before, -np.inf))


def test_limits_beyond_the_vocabulary_keep_all():
    for top_k, top_p, every in [(None, None, True), (None, 1.0, True), (3, None, False)]:
        assert make_sampler(1.0, 5, top_k, top_p).keeps_all == every
    logits = np.array([[1.0, 5.0, 2.0]])
    make_sampler(1.0, 3, top_k=9, top_p=1.0).filter_logits(logits)
    assert np.isfinite(logits).all()


def test_all_texts_have_the_same_noise_scaled_by_temperature():
    sampler = make_sampler([0.0, 1.0, 2.0], 5)
    noise = sampler.noise(np.random.default_rng(3), 40)
    alone = make_sampler(1.0, 5).noise(np.random.default_rng(3), 40)
    assert noise.shape == (40, 3, 5)
    assert not noise[:, 0].any()
    assert np.array_equal(noise[:, 1], alone[:, 0])
    assert np.array_equal(noise[:, 2], 2 * alone[:, 0])


@pytest.mark.parametrize("top_k", [None, 2])
@pytest.mark.parametrize("top_p", [None, 0.5])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_accepted(top_k, top_p, poison):
    logits = np.array([[0.0, poison, 1.0], [poison] * 3], dtype=np.float32)
    with np.errstate(all="ignore"):
        make_sampler([1.0, 0.0], 3, top_k, top_p, np.float32).filter_logits(logits)
    assert ((logits.argmax(1) >= 0) & (logits.argmax(1) < 3)).all()


@pytest.mark.parametrize("temperatures", [-0.1, np.nan, [1.0, np.inf], []], ids=str)
def test_temperatures_must_be_finite_and_not_negative(temperatures):
    with pytest.raises(ValueError, match="temperature"):
        make_sampler(temperatures, 3)


@pytest.mark.parametrize(("top_k", "top_p"), [(0, None), (-1, None), (None, 0.0), (None, 1.1)])
def test_limits_outside_their_range_are_refused(top_k, top_p):
    with pytest.raises(ValueError, match="top_"):
        make_sampler(1.0, 3, top_k, top_p)
