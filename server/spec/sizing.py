"""The sizes that follow from a spec and a text, and whether such a run is possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.architecture import Architecture
from server.rnn.training.batches import BatchIterator, BatchLayout, TextTooShortError
from server.rnn.training.validation import HeldOutTooShortError, characters_to_learn, divide_text
from server.spec.run_spec import RunSpec, SpecError

__all__ = ["Sizes", "batch_layout", "measure_sizes"]

# Buffers of the size of the parameters: the parameters, their gradients, the optimizer's state, two
# best models, the copy from which a checkpoint is written, and the one that the metrics need.
PARAMETER_BUFFERS = 9
# Each further thread has gradients, and copies of the weights for the products of both passes.
THREAD_BUFFERS = 3
# Rows of the hidden size, and of the vocabulary size, per character of a sequence.
STATE_ROWS, OUTPUT_ROWS = 6, 2
# A worker accepts no command while it writes a sample. This many multiplications take two to three
# seconds. A sample of the default length is always allowed.
MAX_PRODUCTS_PER_SAMPLE = 10_000_000_000
DEFAULT_SAMPLE_LENGTH: int = RunSpec.model_fields["sample_length"].default


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a run.

    Attributes
    ----------
    parameters : int
        The number of learned parameters.
    updates_per_epoch : int
        Updates per pass through the text.
    memory_bytes : int
        The approximate memory of the network during training.
    """

    parameters: int
    updates_per_epoch: int
    memory_bytes: int


def measure_sizes(
    spec: RunSpec, *, characters: int, distinct: int, max_memory_bytes: int | None = None
) -> Sizes:
    """Return the sizes of a run, if it is possible.

    Parameters
    ----------
    spec : RunSpec
        The spec of the run.
    characters, distinct : int
        The length of the text, and K.
    max_memory_bytes : int or None
        The limit on the memory; None: no limit.

    Raises
    ------
    SpecError
        The text is too short, the network too large, or the sample too long for the network; the
        message has a value that would be accepted.
    """
    # Only the length of the text matters: this array takes one byte.
    text: NDArray[np.uint8] = np.broadcast_to(np.zeros(1, np.uint8), characters)
    length, streams = spec.sequence_length, spec.batch_size
    try:
        parts = divide_text(
            text,
            length,
            streams,
            validation_fraction=spec.validation_fraction,
            test_fraction=spec.test_fraction,
        )
        batches = BatchIterator(parts.training, streams, length)
    except HeldOutTooShortError as error:
        raise SpecError(error.field, _as_message(error)) from error
    except TextTooShortError as error:
        field = "batch_size" if streams > 1 else "sequence_length"
        raise SpecError(field, _as_message(error)) from error
    sizes = Sizes(
        _parameters(spec, spec.hidden_size, distinct),
        batches.sequences,
        _memory_bytes(spec, spec.hidden_size, distinct),
    )
    if max_memory_bytes is not None and sizes.memory_bytes > max_memory_bytes:
        raise SpecError("hidden_size", _too_large(spec, distinct, sizes, max_memory_bytes))
    longest = max(DEFAULT_SAMPLE_LENGTH, MAX_PRODUCTS_PER_SAMPLE // sizes.parameters)
    if spec.sample_length > longest:
        raise SpecError(
            "sample_length",
            f"takes too long with a network of {sizes.parameters:,} parameters: at most"
            f" {longest:,} is possible",
        )
    return sizes


def batch_layout(spec: RunSpec, characters: int) -> BatchLayout:
    """Return which part of a text of `characters` characters each update of a run reads."""
    to_learn = characters_to_learn(characters, spec.validation_fraction, spec.test_fraction)
    return BatchLayout(to_learn, spec.batch_size, spec.sequence_length, spec.order)


def _as_message(error: TextTooShortError) -> str:
    return f"is not possible with this text: {str(error).rstrip('.')}"


def _parameters(spec: RunSpec, hidden_size: int, distinct: int) -> int:
    architecture = Architecture(
        vocabulary_size=distinct, hidden_size=hidden_size, cell=spec.cell, layers=spec.layers
    )
    return architecture.size


def _memory_bytes(spec: RunSpec, hidden_size: int, distinct: int) -> int:
    gates = Architecture(vocabulary_size=distinct, hidden_size=hidden_size, cell=spec.cell).gates
    characters = spec.sequence_length * spec.batch_size
    row = STATE_ROWS * gates * hidden_size * spec.layers + OUTPUT_ROWS * distinct
    buffers = PARAMETER_BUFFERS + THREAD_BUFFERS * (spec.slots - 1)
    numbers = buffers * _parameters(spec, hidden_size, distinct) + characters * row
    return numbers * np.dtype(spec.dtype).itemsize


def _too_large(spec: RunSpec, distinct: int, sizes: Sizes, limit: int) -> str:
    """Return the message, with the greatest hidden size that fits, found by bisection."""
    fits, too_large = 0, spec.hidden_size
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        if _memory_bytes(spec, middle, distinct) <= limit:
            fits = middle
        else:
            too_large = middle
    suggestion = (
        f"at most {fits:,} is possible" if fits else "even 1 is too much: lower the batch_size"
    )
    return (
        f"makes a network that takes about {sizes.memory_bytes / 1e6:,.0f} MB, more than the"
        f" {limit / 1e6:,.0f} MB allowed: {suggestion}"
    )
