"""How large a run will be, and whether it can be at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.architecture import Architecture
from server.rnn.training.batches import BatchIterator, TextTooShortError
from server.rnn.training.validation import HeldOutTooShortError, hold_out
from server.spec.run_spec import RunSpec, SpecError

__all__ = ["Sizes", "measure_sizes"]

# Buffers as long as the parameters: the parameters, their gradients, what the optimiser remembers,
# two best models, and the copy that a checkpoint is written from.
PARAMETER_BUFFERS = 8
# Rows of the hidden size, and of the vocabulary, that each character of a sequence needs.
STATE_ROWS, OUTPUT_ROWS = 6, 2
# A run writes its samples between two updates, when it takes no command: so many multiplications
# are two seconds or three. A sample of the usual length may take what it takes.
MOST_PRODUCTS_A_SAMPLE = 10_000_000_000
USUAL_SAMPLE: int = RunSpec.model_fields["sample_length"].default


@dataclass(frozen=True, slots=True)
class Sizes:
    """What follows from a spec and a text.

    Attributes
    ----------
    parameters : int
        How many numbers the network learns.
    updates_per_epoch : int
        How many updates one pass through the text takes.
    memory_bytes : int
        About how much memory the network takes while it trains.
    """

    parameters: int
    updates_per_epoch: int
    memory_bytes: int


def measure_sizes(
    spec: RunSpec, *, characters: int, distinct: int, max_memory_bytes: int | None = None
) -> Sizes:
    """Return the sizes of a run, if it is possible and not too long over its samples.

    Parameters
    ----------
    spec : RunSpec
        What is asked for.
    characters, distinct : int
        Length of the text, and K.
    max_memory_bytes : int or None
        What the network may take; None: whatever it takes.

    Raises
    ------
    SpecError
        The text is too short for it, or the network too large, or the sample too long for it; the
        message holds the figure that would do.
    """
    # As long as the text, and of no size: only its length counts.
    text: NDArray[np.uint8] = np.broadcast_to(np.zeros(1, np.uint8), characters)
    length, streams = spec.sequence_length, spec.batch_size
    try:
        training, _ = hold_out(text, spec.validation_fraction, length, streams)
        walk = BatchIterator(training, streams, length)
    except HeldOutTooShortError as error:
        raise SpecError("validation_fraction", _as_message(error)) from error
    except TextTooShortError as error:
        field = "batch_size" if streams > 1 else "sequence_length"
        raise SpecError(field, _as_message(error)) from error
    sizes = Sizes(
        _parameters(spec, spec.hidden_size, distinct),
        walk.sequences,
        _memory_bytes(spec, spec.hidden_size, distinct),
    )
    if max_memory_bytes is not None and sizes.memory_bytes > max_memory_bytes:
        raise SpecError("hidden_size", _too_large(spec, distinct, sizes, max_memory_bytes))
    most = max(USUAL_SAMPLE, MOST_PRODUCTS_A_SAMPLE // sizes.parameters)
    if spec.sample_length > most:
        raise SpecError(
            "sample_length",
            f"takes a network of {sizes.parameters:,} parameters too long to write: at most"
            f" {most:,} would do",
        )
    return sizes


def _as_message(error: TextTooShortError) -> str:
    return f"is not possible with this text: {str(error).rstrip('.')}"


def _parameters(spec: RunSpec, hidden_size: int, distinct: int) -> int:
    architecture = Architecture(
        vocabulary_size=distinct, hidden_size=hidden_size, cell=spec.cell, layers=spec.layers
    )
    return architecture.size


def _memory_bytes(spec: RunSpec, hidden_size: int, distinct: int) -> int:
    gates = Architecture(vocabulary_size=distinct, hidden_size=hidden_size, cell=spec.cell).gates
    read = spec.sequence_length * spec.batch_size
    row = STATE_ROWS * gates * hidden_size * spec.layers + OUTPUT_ROWS * distinct
    numbers = PARAMETER_BUFFERS * _parameters(spec, hidden_size, distinct) + read * row
    return numbers * np.dtype(spec.dtype).itemsize


def _too_large(spec: RunSpec, distinct: int, sizes: Sizes, limit: int) -> str:
    """Say so, with the greatest hidden size that would do, which is searched by halving."""
    fits, too_large = 0, spec.hidden_size
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        if _memory_bytes(spec, middle, distinct) <= limit:
            fits = middle
        else:
            too_large = middle
    would_do = f"at most {fits:,} would do" if fits else "even 1 is too much: lower the batch_size"
    return (
        f"makes a network that takes about {sizes.memory_bytes / 1e6:,.0f} MB, more than the"
        f" {limit / 1e6:,.0f} MB allowed: {would_do}"
    )
