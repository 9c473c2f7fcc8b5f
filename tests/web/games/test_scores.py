"""The rules of a round."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.web.games.scores import (
    CHOICES,
    SHOWN,
    among_choices,
    answer_bits,
    bits,
    choices_of,
    shown_characters,
)

LOG_P = st.dictionaries(st.characters(codec="utf-8"), st.floats(-700, 0), min_size=1, max_size=300)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[dict[str, float], str]:
    """Probabilities of characters, and the actual one among them."""
    log_p = draw(LOG_P)
    return log_p, draw(st.sampled_from(sorted(log_p)))


@given(predictions())
def test_the_choices_are_the_actual_character_and_the_likeliest_others(
    predicted: tuple[dict[str, float], str],
) -> None:
    log_p, actual = predicted
    choices = choices_of(log_p, actual)
    assert len(set(choices)) == len(choices) == min(CHOICES, len(log_p))
    assert actual in choices
    others = set(log_p) - set(choices)
    least = min((log_p[each] for each in choices if each != actual), default=0.0)
    assert all(log_p[each] <= least for each in others)


@given(predictions())
def test_the_order_of_the_choices_does_not_depend_on_the_actual_one(
    predicted: tuple[dict[str, float], str],
) -> None:
    log_p, actual = predicted
    choices = choices_of(log_p, actual)
    for other in choices:
        if set(choices_of(log_p, other)) == set(choices):
            assert choices_of(log_p, other) == choices


@given(predictions())
def test_the_networks_probabilities_among_the_choices_add_up_to_one(
    predicted: tuple[dict[str, float], str],
) -> None:
    log_p, actual = predicted
    choices = choices_of(log_p, actual)
    among = among_choices(log_p, choices)
    assert math.fsum(map(math.exp, among.values())) == pytest.approx(1)
    # The proportions stay.
    for each in choices:
        assert among[each] - among[actual] == pytest.approx(log_p[each] - log_p[actual], abs=1e-9)
    assert 0 <= bits(among[actual]) < math.inf


@given(st.lists(st.integers(0, 9), max_size=300), st.integers(10, 5_000))
def test_the_bits_of_a_hall_are_those_of_a_distribution(votes: list[int], options: int) -> None:
    counts = Counter(votes)
    p = [2 ** -answer_bits(counts[each], len(votes), options) for each in range(options)]
    assert math.fsum(p) == pytest.approx(1)
    assert all(0 < each <= 1 for each in p)
    # More votes are never worse.
    assert [p[each] for each, _ in counts.most_common()] == sorted(
        (p[each] for each in counts), reverse=True
    )


@given(st.integers(1, 5_000), st.integers(0, 300))
def test_no_answer_is_chance_and_a_wrong_one_a_bit_more(options: int, answers: int) -> None:
    chance = math.log2(options)
    assert answer_bits(0, 0, options) == pytest.approx(chance)
    assert answer_bits(0, 1, options) == pytest.approx(chance + 1)
    assert answer_bits(0, answers, options) == pytest.approx(chance + math.log2(answers + 1))
    assert 0 <= answer_bits(1, 1, options) <= 1 + 1e-9
    assert answer_bits(answers, answers, options) <= chance + 1e-9


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6), st.data())
def test_the_true_distribution_has_the_lowest_expected_bits(
    weights: list[float], data: st.DataObject
) -> None:
    """A hall whose answers have the shares p does no worse than one with other shares."""
    many = 10**9
    p = [each / sum(weights) for each in weights]
    other = data.draw(st.permutations(p))

    def expected(shares: list[float]) -> float:
        return sum(
            own * answer_bits(round(share * many), many, len(p))
            for own, share in zip(p, shares, strict=True)
        )

    assert expected(p) <= expected(other) + 1e-6


@given(predictions(), st.lists(st.characters(codec="utf-8"), max_size=50))
def test_the_shown_characters_contain_the_actual_one_and_the_favourite(
    predicted: tuple[dict[str, float], str], answers: list[str]
) -> None:
    log_p, actual = predicted
    votes = Counter(answers)
    shown = shown_characters(log_p, votes, actual)
    assert len(set(shown)) == len(shown) <= SHOWN
    assert actual in shown
    if len(votes) == 1:
        assert set(votes) <= set(shown)
