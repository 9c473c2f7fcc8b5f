"""The work of measuring an update, computed before it starts."""

import pytest

from server.analysis.surprisal import REQUEST_MULTIPLY_ADDS
from server.checkpoints.checkpoint_format import new_trainer
from server.inference import surprisal as measuring
from server.inference.inspection.loading import LoadedFiles
from server.inference.messages import MeasureSurprisal
from server.inference.surprisal import SurprisalReader, multiply_adds, streams_measured
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec
from tests.serving import PAGES

DEFAULT, LARGE = 26_783, 12_700_000


@pytest.mark.parametrize("streams", [1, 3])
def test_the_work_is_that_of_the_characters_read(tmp_path, monkeypatch, streams):
    path = tmp_path / "text.txt"
    path.write_bytes(PAGES.encode())
    spec = RunSpec(hidden_size=4, batch_size=streams).model_dump(mode="json")
    vocabulary = Vocabulary.from_text(PAGES)
    model = new_trainer(vocabulary.encode(PAGES), vocabulary, spec).current_model()
    read, compute = [], measuring.surprisal

    def counting_surprisal(model, indices, *arguments, **options):
        read.append(indices.size)
        return compute(model, indices, *arguments, **options)

    monkeypatch.setattr(measuring, "surprisal", counting_surprisal)
    part = len(PAGES) // streams
    SurprisalReader(LoadedFiles()).measure(
        MeasureSurprisal(
            path=None,
            spec=spec,
            corpus_path=str(path),
            parts=[number * part for number in range(streams)],
            part_length=part,
            position=600,
            sequence_length=25,
            from_zero=False,
        )
    )
    assert len(read) == 1
    size = model.architecture.size
    assert 0.9 * multiply_adds(size, 25, streams) < read[0] * size
    assert read[0] * size <= multiply_adds(size, 25, streams)


def test_a_large_network_counts_as_many_requests():
    assert multiply_adds(DEFAULT, 25, 1) < REQUEST_MULTIPLY_ADDS
    assert multiply_adds(LARGE, 25, 1) > 50 * REQUEST_MULTIPLY_ADDS
    assert streams_measured(LARGE, 25, 64) == 1
    assert streams_measured(DEFAULT, 25, 64) == 64
    assert streams_measured(DEFAULT, 25, 5) == 5
