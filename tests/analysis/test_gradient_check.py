"""The cost of a gradient check, computed before it starts."""

import pytest

from server.analysis.gradient_check import (
    MAX_PARAMETERS,
    MAX_WORK,
    WORK_PER_ENTRY,
    GradientCheckRequest,
)
from server.inference.gradient_checks import check
from server.rnn.gradient_check import numerical_derivatives
from server.rnn.reference import network as reference


def many_characters(count):
    return "".join(chr(0x4E00 + number) for number in range(count))


def test_the_default_check_counts_once():
    assert GradientCheckRequest().checks == 1


@pytest.mark.parametrize(
    "sizes",
    [
        {"hidden_size": 1, "sequence_length": 1, "text": many_characters(200)},
        {"hidden_size": 1, "sequence_length": 3, "batch_size": 4, "text": many_characters(60)},
        {"hidden_size": 12, "sequence_length": 2, "cell": "lstm", "text": many_characters(40)},
        {"hidden_size": 6, "sequence_length": 5, "cell": "gru", "layers": 2, "batch_size": 2},
    ],
    ids=["wide", "several streams", "gates", "layers"],
)
def test_the_work_is_what_the_check_computes(monkeypatch, sizes):
    """Every logit of every perturbed network counts, and so does every entry of a gate."""
    request = GradientCheckRequest(**sizes)
    logits, largest = [], []
    losses = reference.losses

    def counted(p, y):
        logits.append(sum(p_t.size for p_t in p))
        largest.append(max(p_t.size for p_t in p))
        return losses(p, y)

    monkeypatch.setattr(reference, "losses", counted)
    check(request.model_dump() | {"vocabulary_size": request.distinct})
    characters = request.batch_size * request.sequence_length
    once = request.parameters * characters * request.distinct
    # A complex step, and a central difference of sixth order with one to three step sizes.
    assert 7 * once <= sum(logits) <= 19 * once
    assert request.work_per_character * characters >= once * WORK_PER_ENTRY
    # The memory does not grow with the vocabulary.
    most = max(numerical_derivatives._MAX_NUMBERS, request.distinct)
    assert max(largest) <= most


def test_the_size_of_the_vocabulary_counts():
    sizes = {"hidden_size": 1, "sequence_length": 1, "batch_size": 4}
    few, many = (
        GradientCheckRequest(text=many_characters(count), **sizes) for count in (660, 6_600)
    )
    assert many.parameters <= MAX_PARAMETERS
    assert few.checks == 3
    assert many.checks > 300
    assert many.work_per_character > 90 * few.work_per_character


def test_every_network_may_be_checked_with_one_character():
    largest = GradientCheckRequest(hidden_size=1, text=many_characters(6_665))
    assert MAX_PARAMETERS - 4 < largest.parameters <= MAX_PARAMETERS
    assert largest.work_per_character <= MAX_WORK
