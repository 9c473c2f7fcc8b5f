"""The sizes of the gradient check in a report: the run's, reduced until it takes about a second."""

from __future__ import annotations

from server.analysis.gradient_check import MAX_CHARACTERS, GradientCheckRequest
from server.rnn.gradient_check.random_network import DEFAULTS
from server.spec.run_spec import RunSpec

__all__ = ["check_request", "size_differences"]

# In the unit of `GradientCheckRequest.work_per_character`: about half a second.
MAX_WORK = 6 * 10**7
# A large batch may take longer, so that it is checked as it is.
MAX_WORK_OF_BATCH = 4 * 10**8
MIN_HIDDEN_SIZE, MIN_SEQUENCE_LENGTH = 4, 3
MAX_BATCH_SIZE = 50


def check_request(spec: RunSpec) -> GradientCheckRequest:
    """Return the check for a run's cell and layers, and its batch if that is possible.

    Every entry is perturbed, and each time the whole sequence is processed. So the hidden size and
    the sequence length are reduced first, in turn, and the batch size only when both are minimal.
    """
    hidden = min(spec.hidden_size, DEFAULTS.hidden_size)
    length = min(spec.sequence_length, DEFAULTS.sequence_length)
    batch = min(spec.batch_size, MAX_BATCH_SIZE, MAX_CHARACTERS // MIN_SEQUENCE_LENGTH)
    while True:
        request = GradientCheckRequest(
            cell=spec.cell,
            layers=spec.layers,
            hidden_size=hidden,
            sequence_length=length,
            batch_size=batch,
        )
        characters = batch * length
        minimal = hidden <= MIN_HIDDEN_SIZE and length <= MIN_SEQUENCE_LENGTH
        limit = MAX_WORK_OF_BATCH if minimal else MAX_WORK
        if characters <= MAX_CHARACTERS and request.work_per_character * characters <= limit:
            return request
        if length > MIN_SEQUENCE_LENGTH and length * 2 >= hidden:
            length -= 1
        elif hidden > MIN_HIDDEN_SIZE:
            hidden -= 1
        elif length > MIN_SEQUENCE_LENGTH:
            length -= 1
        elif batch > 1:
            batch -= 1
        else:
            return request


def size_differences(
    spec: RunSpec, distinct: int | None, checked: GradientCheckRequest
) -> list[str]:
    """Return how the checked network differs, such as "20 hidden units instead of 100".

    Parameters
    ----------
    spec : RunSpec
        The run's spec.
    distinct : int or None
        K of the run's text; None if it is not known.
    checked : GradientCheckRequest
        The check.
    """
    pairs = [
        ("hidden units", checked.hidden_size, spec.hidden_size),
        ("characters per sequence", checked.sequence_length, spec.sequence_length),
        ("streams", checked.batch_size, spec.batch_size),
        ("distinct characters", checked.distinct, distinct),
    ]
    differences = [
        f"{own:,} {what} instead of {whole:,}"
        for what, own, whole in pairs
        if whole is not None and own != whole
    ]
    if spec.dropout and spec.layers > 1:
        differences.append("no dropout")
    return differences
