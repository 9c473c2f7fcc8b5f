"""Impossible runs are refused with a value that would be possible."""

import re

import pytest

from server.checkpoints.checkpoint_format import new_trainer
from server.rnn.cells import CELLS
from server.rnn.training.trainer import Trainer
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec, SpecError
from server.spec.sizing import measure_sizes

TEXT = "abcdefghij" * 100


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("batch_size", "validation"), [(1, 0.0), (7, 0.2)])
def test_the_sizes_are_those_of_the_trainer(cell, layers, batch_size, validation):
    spec = RunSpec(
        cell=cell,
        layers=layers,
        batch_size=batch_size,
        validation_fraction=validation,
        hidden_size=9,
        sequence_length=11,
    )
    sizes = measure_sizes(spec, characters=len(TEXT), distinct=10)
    vocabulary = Vocabulary.from_text(TEXT)
    trainer: Trainer = new_trainer(vocabulary.encode(TEXT), vocabulary, spec.model_dump())
    assert sizes.parameters == trainer.parameters.flat.size
    assert sizes.updates_per_epoch == trainer.updates_per_epoch


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"sequence_length": 1_000}, "sequence_length"),
        ({"batch_size": 100}, "batch_size"),
        ({"validation_fraction": 0.01}, "validation_fraction"),
        ({"hidden_size": 2_000}, "hidden_size"),
        ({"hidden_size": 2_000, "cell": "lstm", "layers": 4}, "hidden_size"),
    ],
)
def test_an_impossible_run_is_refused_with_a_possible_value(spec, field):
    with pytest.raises(SpecError) as caught:
        measure_sizes(RunSpec(**spec), characters=1_000, distinct=10, max_memory_bytes=10_000_000)
    assert caught.value.field == field
    if field == "sequence_length":
        return
    found = re.search(r"([\d.,]+\d) is (?:possible|needed)", caught.value.message)
    figure = float(found[1].replace(",", ""))
    figure = int(figure) if figure >= 1 else figure
    measure_sizes(
        RunSpec(**spec | {field: figure}),
        characters=1_000,
        distinct=10,
        max_memory_bytes=10_000_000,
    )


def test_the_length_of_samples_is_limited_for_large_networks():
    large = {"cell": "lstm", "hidden_size": 1_024, "layers": 2}

    def measured(**spec):
        return measure_sizes(RunSpec(**spec), characters=1_000, distinct=10)

    with pytest.raises(SpecError) as caught:
        measured(**large, sample_length=20_000)
    assert caught.value.field == "sample_length"
    most = int(re.search(r"([\d,]+) is possible", caught.value.message)[1].replace(",", ""))
    assert 200 < most < 20_000
    measured(**large, sample_length=most)
    with pytest.raises(SpecError):
        measured(**large, sample_length=most + 1)
    # The default network may write samples of any length, and any network those of the default.
    measured(sample_length=20_000)
    measured(cell="lstm", hidden_size=2_048, layers=4)
