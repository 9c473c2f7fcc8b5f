"""The rules of a round: its choices, and the bits of the hall, the network and each player.

See docs/decisions/guess.md. ``ln p`` of a network is a mapping from characters: the likeliest ones
and the actual one. Other characters have a probability of 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

__all__ = ["among_choices", "answer_bits", "bits", "choices_of", "shown_characters"]

CHOICES = 4
SHOWN = 6
"""Characters whose shares are shown after a round."""


def choices_of(log_p: Mapping[str, float], actual: str) -> list[str]:
    """Return the actual character and the three most probable others.

    Their order is that of the alphabet, so it says nothing about which one is right.
    """
    others = sorted((each for each in log_p if each != actual), key=lambda each: -log_p[each])
    return sorted([actual, *others[: CHOICES - 1]], key=lambda each: (each.lower(), each))


def among_choices(log_p: Mapping[str, float], choices: Sequence[str]) -> dict[str, float]:
    """Return ``ln p`` of the choices, given that the character is one of them."""
    greatest = max(log_p[each] for each in choices)
    total = greatest + math.log(math.fsum(math.exp(log_p[each] - greatest) for each in choices))
    return {each: min(0.0, log_p[each] - total) for each in choices}


def bits(log_p: float) -> float:
    """Return ``-log2 p``."""
    return max(0.0, -log_p / math.log(2))


def answer_bits(votes: int, answers: int, options: int) -> float:
    """Return ``-log2 p`` of the actual character by the answers of a hall, or of one player.

    p is its share of the answers after one more, which is spread evenly over all options. So p is
    never 0, and without any answer it is that of a guess by chance.

    Parameters
    ----------
    votes : int
        Answers that name the actual character.
    answers : int
        All answers.
    options : int
        How many different answers there could be.
    """
    # log2(answers + 1) - log2(votes + 1 / options), with no rounding where both are whole.
    return math.log2((answers + 1) * options) - math.log2(votes * options + 1)


def shown_characters(
    log_p: Mapping[str, float], votes: Mapping[str, int], actual: str
) -> list[str]:
    """Return the characters whose shares are shown after a round without choices.

    These are the actual one and the likeliest others by the hall's and the network's shares
    together, the likeliest first.
    """
    answers = max(1, sum(votes.values()))
    weights = {each: math.exp(value) for each, value in log_p.items()}
    for each, count in votes.items():
        weights[each] = weights.get(each, 0.0) + count / answers
    ordered = sorted(weights, key=lambda each: (-weights[each], each))
    shown = {actual, *[each for each in ordered if each != actual][: SHOWN - 1]}
    return [each for each in ordered if each in shown]
