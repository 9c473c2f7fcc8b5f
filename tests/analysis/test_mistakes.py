"""The work of a training with a mistake, computed before it starts."""

import pytest

from server.analysis.mistakes import MAX_SECONDS, MistakeTraining, MistakeTrainingService
from server.spec.run_spec import SpecError


def test_the_cost_grows_with_the_work():
    service = MistakeTrainingService(waiting=1)
    usual = service.cost(MistakeTraining(), 76)
    # The default takes some ten seconds, and a gradient check a tenth of a second.
    assert 50 < usual < 200
    assert service.cost(MistakeTraining(updates=10_000), 76) == pytest.approx(2 * usual, abs=1)
    for larger in (
        MistakeTraining(hidden_size=100),
        MistakeTraining(layers=2),
        MistakeTraining(cell="gru"),
        MistakeTraining(sequence_length=50),
    ):
        assert service.cost(larger, 76) > 1.2 * usual
    assert service.cost(MistakeTraining(), 500) > 1.2 * usual
    assert service.cost(MistakeTraining(updates=1, hidden_size=1), 2) == 1


def test_the_greatest_number_of_updates_is_named_and_allowed():
    service = MistakeTrainingService(waiting=1)
    large = MistakeTraining(cell="lstm", hidden_size=300, layers=4, updates=20_000)
    with pytest.raises(SpecError) as refused:
        service.cost(large, 76)
    assert refused.value.field == "updates"
    most = int(refused.value.message.split("at most ")[1].split()[0].replace(",", ""))
    allowed = large.model_copy(update={"updates": most})
    assert 0.99 * MAX_SECONDS < allowed.seconds(76) <= MAX_SECONDS
    service.cost(allowed, 76)
