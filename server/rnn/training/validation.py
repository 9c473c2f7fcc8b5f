"""Validation: the loss on the end of the text, which is held out from learning."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from server.rnn.network import Network
from server.rnn.training.batches import BatchIterator, TextTooShortError

# So much of what is held out is read; more would not tell the loss better than it changes.
MOST_CHARACTERS = 100_000
# Of a large network less is read, so that nobody waits long for it between two updates: as much as
# takes so many multiplications, about half a second, but never less than some pages.
MOST_PRODUCTS = 10_000_000_000
LEAST_CHARACTERS = 2_000

# It is read by parallel streams, which costs a fraction of the time. Each begins in the middle of
# the text, so that each must be long enough for its beginning not to count.
MOST_STREAMS = 50
LEAST_PART = 2_000


class HeldOutTooShortError(TextTooShortError):
    """What is held out, or what is left to learn from, has no room for a sequence.

    Parameters
    ----------
    message : str
        One clear sentence.
    needed : int
        The least number of characters with which there is a fraction that would do.
    fraction : float
        A fraction that would do for this text.
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
    TextTooShortError
        If there is no fraction with which T + 1 characters are held out and ``B (T + 1)`` left.
    HeldOutTooShortError
        If `fraction` is not 0 and is not one of those.
    """
    if fraction == 0.0:
        return text, text[:0]
    n, least = len(text), sequence_length + 1
    to_learn, count = streams * least, n - characters_to_learn(n, fraction)
    if n < to_learn + least:
        raise TextTooShortError(
            f"With a part held out, a text needs at least {to_learn:,} characters to learn from "
            f"({streams:,} x {least:,}) and {least:,} to validate on; this one has {n:,}.",
            to_learn + least,
        )
    if count < least:
        would_do = _fraction_that_holds_out(n, least, n - to_learn, math.ceil)
        raise HeldOutTooShortError(
            f"A validation_fraction of {fraction:g} holds out {count:,} of {n:,} characters, and a "
            f"sequence of {sequence_length:,} needs {least:,}; at least {would_do:g} would do.",
            to_learn + least,
            would_do,
        )
    if n - count < to_learn:
        would_do = _fraction_that_holds_out(n, least, n - to_learn, math.floor)
        raise HeldOutTooShortError(
            f"A validation_fraction of {fraction:g} leaves {n - count:,} of {n:,} characters to "
            f"learn from, and {to_learn:,} are needed ({streams:,} x {least:,}); at most "
            f"{would_do:g} would do.",
            to_learn + least,
            would_do,
        )
    return text[: n - count], text[n - count :]


def characters_to_learn(characters: int, fraction: float) -> int:
    """Return how many characters of a text are left when a fraction of it is held out."""
    return characters - int(fraction * characters)


def _fraction_that_holds_out(
    n: int, least: int, most: int, rounded: Callable[[float], int]
) -> float:
    """Return a fraction of few digits that holds out from `least` to `most` of n characters."""
    exact = (least if rounded is math.ceil else most + 0.5) / n
    digits = 1 - math.floor(math.log10(exact))
    while True:
        fraction = rounded(exact * 10.0**digits) / 10.0**digits
        if least <= int(fraction * n) <= most or digits > 17:
            return fraction
        digits += 1


class Validation:
    """Measures the loss of a network on text that it does not learn.

    At most the first `MOST_CHARACTERS` of it are read, fewer where the network is so large that it
    would take more than `MOST_PRODUCTS` multiplications, by up to `MOST_STREAMS` parallel streams
    of at least `LEAST_PART` characters each; text of less than twice `LEAST_PART` is read in one
    go. All begin with a state that the network carries, of another place in the text though it
    is: from a zero state, which it meets only where an epoch begins, it may not find its way for
    thousands of characters. See docs/decisions/validation.md.

    Parameters
    ----------
    held_out : ndarray of int, shape (n,)
        At least T + 1 characters. It is kept, not copied.
    network : Network
        Whose parameters are measured, as they stand at each measurement.
    """

    def __init__(self, held_out: NDArray[np.integer], network: Network) -> None:
        T, affordable = network.sequence_length, MOST_PRODUCTS // network.parameters.flat.size
        least = max(LEAST_CHARACTERS, T + 1)
        text = held_out[: min(MOST_CHARACTERS, max(least, affordable))]
        streams = min(MOST_STREAMS, max(1, len(text) // max(LEAST_PART, T + 1)))
        self._batches = BatchIterator(text, streams, T)
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

    def loss(self, state: Mapping[str, NDArray[np.floating]]) -> float:
        """Return the mean loss of a sequence of T characters, in nats, nothing dropped.

        Parameters
        ----------
        state : mapping of str to ndarray of shape (B, m)
            What the network carries; the streams here take those of its B streams in turn.
        """
        network, batches = self._network, self._batches
        for name, begun in network.state.items():
            begun[:] = state[name][np.arange(len(begun)) % len(state[name])]
        batches.position = 0
        total = 0.0
        with np.errstate(all="ignore"):
            for _ in range(batches.sequences):
                total += float(network.forward(*batches.peek()))
                network.carry()
                batches.advance()
        return total / batches.sequences
