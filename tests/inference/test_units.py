"""What units follow, for the models and the text of a run."""

import dataclasses

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import model_contents
from server.checkpoints.npz import write_archive
from server.corpora.text_features.features import Stretch, text_features
from server.inference.inspection import units
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import FindUnits, ReadUnitHistory
from server.inference.inspection.units import UnitReader, stretch_length
from server.rnn.inspection import series
from server.rnn.inspection.activations import read_activations
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec
from tests.inspection.quotation_unit import book, quotation_model

UNITS = 20


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The fields of a run's commands, and snapshots; in the last a unit follows quotations."""
    directory = tmp_path_factory.mktemp("run")
    text = book(5, words=6_000)
    (directory / "text.txt").write_text(text, encoding="utf-8", newline="")
    vocabulary = Vocabulary.from_text(text)
    spec = RunSpec(hidden_size=UNITS, dtype="float64").model_dump(mode="json")
    learned = quotation_model(vocabulary, UNITS)
    before = dataclasses.replace(
        learned,
        parameters={name: 0.1 * each for name, each in learned.parameters.items()},
        update=50,
    )
    for model in (before, learned):
        path = directory / f"{model.update}.npz"
        write_archive(path, *model_contents(model, vocabulary, spec), durable=False)
    fields = {
        "spec": spec,
        "corpus_path": str(directory / "text.txt"),
        "characters_to_learn": len(text),
    }
    return directory, text, vocabulary, fields, learned


def find(run, reader, update, **changes):
    directory, _, _, fields, _ = run
    path = str(directory / f"{update}.npz")
    return reader.find(FindUnits(path=path, which="latest", **{**fields, **changes}))


def test_the_unit_is_found_in_the_model_that_has_learned_it(run):
    reader = UnitReader(LoadedFiles())
    found = find(run, reader, 100)
    assert found["update"] == 100
    assert len(found["units"]) == UNITS
    feature, r, limit = found["units"][0]
    assert feature == "inside quotation marks"
    assert r > 0.95 > limit > 0
    assert None in found["units"]
    early = find(run, reader, 50)["units"][0]
    assert early is None or early[0] != "inside quotation marks"
    assert find(run, UnitReader(LoadedFiles()), 100) == found


def test_the_history_has_the_correlations_with_the_text_itself(run, monkeypatch):
    directory, text, vocabulary, fields, learned = run
    (directory / "70.npz").write_bytes(b"damaged")
    snapshots = [(update, str(directory / f"{update}.npz")) for update in (50, 60, 70, 100)]
    reader = UnitReader(LoadedFiles())

    def history(feature="inside quotation marks", unit=0):
        return reader.history(
            ReadUnitHistory(snapshots=snapshots, layer=0, unit=unit, feature=feature, **fields)
        )

    found = history()
    assert found["update"] == [50, 100]
    # The second stretch is in the middle of the second half; every fourth part of it is read.
    n = stretch_length(learned.architecture.size, UNITS, len(text))
    start = len(text) // 2 + (len(text) // 2 - n) // 2
    features = text_features([Stretch(text, start, start + n)])
    inside = features.values[0][features.names.index("inside quotation marks")]
    read = read_activations(learned, vocabulary.encode(text[: start + n])[None], logits=False)
    length = -(-n // series.STREAMS)
    columns = np.flatnonzero(np.arange(n) // length % units.HISTORY_STEP == 0)
    expected = np.corrcoef(read.hidden[0, 0, start:, 0][columns], inside[columns])[0, 1]
    assert found["correlation"][1] == pytest.approx(expected, abs=0.002)
    assert abs(found["correlation"][0]) < found["correlation"][1] - 0.2

    # Another unit costs no reading.
    monkeypatch.setattr(units, "read_parts", None)
    assert history(unit=3)["update"] == [50, 100]
    assert history("inside a dream") == {"known": False}


def test_only_the_text_to_learn_is_read(run):
    directory, text, _, _, _ = run
    # A sentence around the end of a stretch counts to its end.
    learn = len(text) // 2 - units.CONTEXT
    path = directory / "other.txt"
    path.write_text(text[: len(text) // 2] + text[::-1][: len(text) // 2], "utf-8", newline="")
    found, same = (
        find(run, UnitReader(LoadedFiles()), 100, characters_to_learn=learn, **changes)
        for changes in ({}, {"corpus_path": str(path)})
    )
    assert found == same


@pytest.mark.parametrize("characters", [200, 201, 450, 3_000])
def test_a_short_text_is_enough(run, characters):
    found = find(run, UnitReader(LoadedFiles()), 100, characters_to_learn=characters)
    assert len(found["units"]) == UNITS
    assert found["characters"] <= characters // 2


def test_a_large_network_reads_less():
    assert stretch_length(26_783, 100, 10**6) == 50_000
    assert stretch_length(80_000, 100, 460_000) == 50_000
    assert 2_000 <= stretch_length(4_000_000, 1_000, 10**6) < 10_000
    assert stretch_length(10**9, 4_096, 10**6) == 2_000
    assert stretch_length(26_783, 100, 300) == 150
