"""Validation and test: the loss on parts of the text that are held out from learning."""

import math
from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.rnn.model import Model
from server.rnn.network import Network
from server.rnn.threaded_network import AnyNetwork
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
    """A held-out part, or the text to learn from, is too short for a sequence.

    Parameters
    ----------
    message : str
        One clear sentence.
    needed : int
        The least number of characters for which some fraction is possible.
    fraction : float
        A fraction that is possible for this text.
    field : str
        The setting that it is a fraction for.
    """

    def __init__(self, message: str, needed: int, fraction: float, field: str) -> None:
        super().__init__(message, needed)
        self.fraction = fraction
        self.field = field


class TextParts(NamedTuple):
    """A text divided into the part to learn from and the held-out parts, which follow it.

    Attributes
    ----------
    training, validation, test : ndarray of int
        Views of the text, in this order. A part whose fraction is 0 is empty.
    """

    training: NDArray[np.integer]
    validation: NDArray[np.integer]
    test: NDArray[np.integer]


def divide_text(
    text: NDArray[np.integer],
    sequence_length: int,
    streams: int,
    *,
    validation_fraction: float = 0.0,
    test_fraction: float = 0.0,
) -> TextParts:
    """Divide a text into a part to learn from and held-out parts.

    Parameters
    ----------
    text : ndarray of int, shape (n,)
    sequence_length, streams : int
        T and B.
    validation_fraction, test_fraction : float
        The fractions of `text` to hold out, from 0 to less than 1. The test part is its end, and
        the validation part is before it.

    Raises
    ------
    TextTooShortError
        If no fractions leave both T + 1 characters in each held-out part and ``B (T + 1)`` to learn
        from.
    HeldOutTooShortError
        If some other fraction would, but the one given does not.
    """
    n, least = len(text), sequence_length + 1
    to_learn = streams * least
    parts = {
        field: (fraction, int(fraction * n))
        for field, fraction in (
            ("test_fraction", test_fraction),
            ("validation_fraction", validation_fraction),
        )
        if fraction
    }
    needed = to_learn + least * len(parts)
    if parts and n < needed:
        uses = {"validation_fraction": "to validate on", "test_fraction": "to test on"}
        held_out = "".join(f" and {least:,} {uses[field]}" for field in sorted(parts, reverse=True))
        raise TextTooShortError(
            f"With a part held out, a text needs at least {to_learn:,} characters to learn from "
            f"({streams:,} x {least:,}){held_out}; this one has {n:,}.",
            needed,
        )
    # What the other part needs at least, and what it takes once it has been checked.
    others = least * (len(parts) - 1)
    for field, (fraction, count) in parts.items():
        _check_part(field, fraction, (n, others), least, streams)
        others = count
    tests = n - int(test_fraction * n)
    training = characters_to_learn(n, validation_fraction, test_fraction)
    return TextParts(text[:training], text[training:tests], text[tests:])


def _check_part(
    field: str,
    fraction: float,
    sizes: tuple[int, int],
    least: int,
    streams: int,
) -> None:
    """Check that a fraction leaves enough in the held-out part and to learn from.

    `sizes` are n and the characters in the other held-out part; `least` is T + 1.
    """
    n, others = sizes
    to_learn = streams * least
    count, most = int(fraction * n), n - to_learn - others
    if count < least:
        possible = _fraction_that_holds_out(n, least, most, math.ceil)
        raise HeldOutTooShortError(
            f"A {field} of {fraction:g} holds out {count:,} of {n:,} characters, and a "
            f"sequence of {least - 1:,} needs {least:,}; at least {possible:g} is needed.",
            n - most + least,
            possible,
            field,
        )
    if count > most:
        possible = _fraction_that_holds_out(n, least, most, math.floor)
        raise HeldOutTooShortError(
            f"A {field} of {fraction:g} leaves {max(0, n - others - count):,} of {n:,} characters "
            f"to learn from, and {to_learn:,} are needed ({streams:,} x {least:,}); at most "
            f"{possible:g} is possible.",
            n - most + least,
            possible,
            field,
        )


def characters_to_learn(
    characters: int, validation_fraction: float, test_fraction: float = 0.0
) -> int:
    """Return the number of characters left to learn from when fractions are held out."""
    held_out = int(validation_fraction * characters) + int(test_fraction * characters)
    return characters - held_out


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
    network : Network or ThreadedNetwork
        Each measurement uses its current parameters.

    Attributes
    ----------
    characters : int
        The number of characters whose prediction is measured.
    """

    def __init__(self, held_out: NDArray[np.integer], network: AnyNetwork) -> None:
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


class HeldOutLoss(NamedTuple):
    """The loss of a model on a held-out part.

    Attributes
    ----------
    nats : float
        The mean loss of a character.
    characters : int
        The number of characters whose prediction is measured.
    """

    nats: float
    characters: int


def measure_held_out(model: Model, held_out: NDArray[np.integer]) -> HeldOutLoss:
    """Measure the loss of a model on a held-out part, as `Validation` does.

    Parameters
    ----------
    model : Model
        All streams start from its state.
    held_out : ndarray of int, shape (n,)
        At least two characters.
    """
    sizes = model.architecture
    network = Network(
        sizes.vocabulary_size,
        sizes.hidden_size,
        1,
        model.dtype,
        cell=sizes.cell,
        layers=sizes.layers,
    )
    for name, view in network.parameters.items():
        view[...] = model.parameters[name]
    validation = Validation(held_out, network)
    steps = validation.steps({name: array[None] for name, array in model.state.items()})
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return HeldOutLoss(float(end.value), validation.characters)
