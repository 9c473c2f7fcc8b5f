"""Validation: the loss on the end of the text, which is held out from learning."""

import math
from collections.abc import Callable, Generator, Mapping

import numpy as np
from numpy.typing import NDArray

from server.rnn.network import Network
from server.rnn.training.batches import BatchIterator, TextTooShortError

# The most characters that are read. More would not make the loss usefully more precise.
MAX_CHARACTERS = 100_000
# They are read so many at a time, whatever the sequence length T of training is.
STEP_CHARACTERS = 25
# A measurement with more multiplications takes more than about half a second. It is made less
# often: training since the last one takes at least as long.
MAX_PRODUCTS = 10_000_000_000
# An update computes the forward pass, and the backward pass, which takes twice as long.
PASSES_PER_UPDATE = 3

# Parallel streams take a fraction of the time. Each stream starts in the middle of the text with a
# state from elsewhere, so it must be long enough for its first characters not to matter.
MAX_STREAMS = 50
MIN_STREAM_LENGTH = 2_000


class HeldOutTooShortError(TextTooShortError):
    """The held-out text, or the text to learn from, is too short for a sequence.

    Parameters
    ----------
    message : str
        One clear sentence.
    needed : int
        The least number of characters for which some fraction is possible.
    fraction : float
        A fraction that is possible for this text.
    """

    def __init__(self, message: str, needed: int, fraction: float) -> None:
        super().__init__(message, needed)
        self.fraction = fraction


def hold_out(
    text: NDArray[np.integer], fraction: float, sequence_length: int, streams: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Divide a text into a part to learn from and a held-out part.

    Parameters
    ----------
    text : ndarray of int, shape (n,)
    fraction : float
        The fraction of `text` to hold out, from its end, from 0 to less than 1.
    sequence_length, streams : int
        T and B.

    Returns
    -------
    training, held_out : ndarray of int
        Views of `text`; `held_out` is empty if `fraction` is 0.

    Raises
    ------
    TextTooShortError
        If no fraction leaves both T + 1 held-out characters and ``B (T + 1)`` to learn from.
    HeldOutTooShortError
        If some other fraction would, but `fraction` does not.
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
        possible = _fraction_that_holds_out(n, least, n - to_learn, math.ceil)
        raise HeldOutTooShortError(
            f"A validation_fraction of {fraction:g} holds out {count:,} of {n:,} characters, and a "
            f"sequence of {sequence_length:,} needs {least:,}; at least {possible:g} is needed.",
            to_learn + least,
            possible,
        )
    if n - count < to_learn:
        possible = _fraction_that_holds_out(n, least, n - to_learn, math.floor)
        raise HeldOutTooShortError(
            f"A validation_fraction of {fraction:g} leaves {n - count:,} of {n:,} characters to "
            f"learn from, and {to_learn:,} are needed ({streams:,} x {least:,}); at most "
            f"{possible:g} is possible.",
            to_learn + least,
            possible,
        )
    return text[: n - count], text[n - count :]


def characters_to_learn(characters: int, fraction: float) -> int:
    """Return the number of characters left to learn from when a fraction is held out."""
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
    """Measures the loss of a network on held-out text.

    Which characters are read depends on the held-out text alone, so that networks of all sizes and
    sequence lengths can be compared: at most the first `MAX_CHARACTERS`, by up to `MAX_STREAMS`
    parallel streams of at least `MIN_STREAM_LENGTH` characters each; a shorter text is read by one
    stream. All streams start from a state that the network carries, although it comes from another
    position of the text. A zero state would be worse: in training it occurs only at the start of an
    epoch, and the predictions after it may be poor for thousands of characters. See
    docs/decisions/validation.md.

    Parameters
    ----------
    held_out : ndarray of int, shape (n,)
        At least two characters. It is not copied.
    network : Network
        Each measurement uses its current parameters.

    Attributes
    ----------
    characters : int
        The number of characters whose prediction is measured.
    """

    def __init__(self, held_out: NDArray[np.integer], network: Network) -> None:
        text = held_out[:MAX_CHARACTERS]
        streams = min(MAX_STREAMS, max(1, len(text) // MIN_STREAM_LENGTH))
        step = min(STEP_CHARACTERS, len(text) - 1)
        self._batches = BatchIterator(text, streams, step)
        self.characters = self._batches.sequences * step * streams
        sizes = network.architecture
        self._network = Network(
            sizes.vocabulary_size,
            sizes.hidden_size,
            step,
            network.parameters.dtype,
            cell=sizes.cell,
            layers=sizes.layers,
            batch_size=streams,
            parameters=network.parameters,
        )

    def is_due(self, update: int, every: int, characters_per_update: int) -> bool:
        """Whether to measure at `update`, at which a sample is written.

        Parameters
        ----------
        update : int
            Updates made so far.
        every : int
            Updates between the regular samples.
        characters_per_update : int
            T B.

        Returns
        -------
        bool
            True unless the network is large; then at the multiples of a spacing, which is `every`
            times the least sufficient power of two.
        """
        if self.characters * self._network.parameters.flat.size <= MAX_PRODUCTS:
            return True
        distance = every
        while distance * characters_per_update * PASSES_PER_UPDATE < self.characters:
            distance *= 2
        return update % distance == 0

    def steps(self, state: Mapping[str, NDArray[np.floating]]) -> Generator[None, None, float]:
        """Measure the mean loss of a character, in nats, without dropout.

        The network must not change before the end. The generator yields after every
        `STEP_CHARACTERS` characters of each stream, and returns the loss.

        Parameters
        ----------
        state : mapping of str to ndarray of shape (B, m)
            The carried state. The streams here take the states of its B streams in turn.
        """
        network, batches = self._network, self._batches
        for name, view in network.state.items():
            view[:] = state[name][np.arange(len(view)) % len(state[name])]
        batches.position = 0
        total = 0.0
        for _ in range(batches.sequences):
            with np.errstate(all="ignore"):
                total += float(network.forward(*batches.peek()))
            network.carry()
            batches.advance()
            yield
        return total / (batches.sequences * network.sequence_length)
