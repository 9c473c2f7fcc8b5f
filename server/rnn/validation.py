"""Validation: the loss on the end of the text, which is held out from learning."""

import math

import numpy as np
from numpy.typing import NDArray

from server.rnn.network import Network
from server.rnn.walk import TextTooShortError, Walk

# So much of what is held out is read; more would not tell the loss better than it changes.
MOST_CHARACTERS = 100_000

# It is read by parallel streams, which costs a fraction of the time. Each begins from a zero
# state, so that each must be long enough for its beginning not to count.
MOST_STREAMS = 50
LEAST_PART = 2_000


class HeldOutTooShortError(TextTooShortError):
    """The part of the text that is held out has no room for one sequence.

    Parameters
    ----------
    message : str
        One clear sentence.
    needed : int
        The least number of characters with which the text would do at this fraction.
    fraction : float
        The least fraction with which this text would do.
    """

    def __init__(self, message: str, needed: int, fraction: float) -> None:
        super().__init__(message, needed)
        self.fraction = fraction


def hold_out(
    text: NDArray[np.integer], fraction: float, sequence_length: int, streams: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Divide a text into what is learnt and what is held out.

    Parameters
    ----------
    text : ndarray of int, shape (n,)
    fraction : float
        The share of `text` to hold out, from its end, from 0 to less than 1.
    sequence_length, streams : int
        T and B.

    Returns
    -------
    training, held_out : ndarray of int
        Views of `text`; `held_out` is empty if `fraction` is 0.

    Raises
    ------
    HeldOutTooShortError
        If `fraction` is not 0 and holds out fewer than T + 1 characters.
    TextTooShortError
        If the rest has fewer than ``B (T + 1)``.
    """
    n, least = len(text), sequence_length + 1
    count = int(fraction * n)
    rest_needed = streams * least
    if fraction > 0.0 and count < least and n >= rest_needed + least:
        # Rounded up, so that it does.
        would_do = math.ceil(least / n * 1e4) / 1e4
        raise HeldOutTooShortError(
            f"A validation_fraction of {fraction:g} holds out {count:,} of {n:,} characters; a "
            f"sequence of {sequence_length:,} needs {least:,}: a fraction of at least "
            f"{would_do:g} would do.",
            math.ceil(least / fraction),
            would_do,
        )
    if fraction > 0.0 and n - count < rest_needed and n >= rest_needed + least:
        would_do = math.floor((n - rest_needed) / n * 1e4) / 1e4
        raise TextTooShortError(
            f"A validation_fraction of {fraction:g} leaves {n - count:,} of {n:,} characters to "
            f"learn from; {streams:,} x {least:,} are needed: a fraction of at most {would_do:g} "
            "would do.",
            math.ceil(rest_needed / (1.0 - fraction)),
        )
    if fraction > 0.0 and n < rest_needed + least:
        raise TextTooShortError(
            f"With a part held out, {streams:,} x {least:,} characters to learn from and {least:,} "
            f"to validate need a text of at least {rest_needed + least:,}; this one has {n:,}.",
            rest_needed + least,
        )
    return text[: n - count], text[n - count :]


class Validation:
    """Measures the loss of a network on text that it does not learn.

    At most the first `MOST_CHARACTERS` of it are read, by up to `MOST_STREAMS` parallel streams
    of at least `LEAST_PART` characters each, all from a zero state; text of less than twice
    `LEAST_PART` is read in one go.

    Parameters
    ----------
    held_out : ndarray of int, shape (n,)
        At least T + 1 characters. It is kept, not copied.
    network : Network
        Whose parameters are measured, as they stand at each measurement.
    """

    def __init__(self, held_out: NDArray[np.integer], network: Network) -> None:
        text, T = held_out[:MOST_CHARACTERS], network.sequence_length
        streams = min(MOST_STREAMS, max(1, len(text) // max(LEAST_PART, T + 1)))
        self._walk = Walk(text, streams, T)
        sizes = network.architecture
        self._network = Network(
            sizes.vocabulary_size,
            sizes.hidden_size,
            T,
            network.parameters.dtype,
            cell=sizes.cell,
            layers=sizes.layers,
            batch_size=streams,
            parameters=network.parameters,
        )

    def loss(self) -> float:
        """Return the mean loss of a sequence of T characters, in nats, nothing dropped."""
        network, walk = self._network, self._walk
        network.clear_state()
        walk.position = 0
        total = 0.0
        with np.errstate(all="ignore"):
            for _ in range(walk.sequences):
                total += float(network.forward(*walk.read()))
                network.carry()
                walk.advance()
        return total / walk.sequences
