"""Writing and loading checkpoints and model files."""

import numpy as np
import pytest

from server.checkpoints import checkpoint_format
from server.checkpoints.checkpoint_format import (
    blas_threads,
    checkpoint_contents,
    describe_differences,
    load_model,
    model_contents,
    new_trainer,
    restore_trainer,
)
from server.checkpoints.npz import DamagedArchiveError, read_archive, write_archive
from server.rnn.model import Model
from server.rnn.sampling.sampling import generate
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec

VOCABULARY = Vocabulary("abcdefg")
TEXT = np.random.default_rng(0).integers(0, 7, 400).astype(np.uint16)

NETWORKS = [
    {},
    {"cell": "gru", "batch_size": 3},
    {"cell": "lstm", "layers": 2, "batch_size": 2, "dropout": 0.3, "validation_fraction": 0.2},
]


def trained(changes, updates=40):
    spec = RunSpec().model_dump() | {"hidden_size": 6, "sequence_length": 8, **changes}
    trainer = new_trainer(TEXT, VOCABULARY, spec)
    for _ in range(updates):
        trainer.update()
        if spec["validation_fraction"]:
            trainer.validate()
    return trainer, spec


def same(one: Model, other: Model) -> bool:
    scalars = ("next_index", "update", "smooth_loss", "cell", "layers")
    return (
        all(getattr(one, name) == getattr(other, name) for name in scalars)
        and all(np.array_equal(one.parameters[n], other.parameters[n]) for n in one.parameters)
        and all(np.array_equal(one.state[n], other.state[n]) for n in one.state)
    )


@pytest.mark.parametrize("changes", NETWORKS, ids=str)
def test_a_trainer_is_restored_exactly(tmp_path, changes):
    trainer, spec = trained(changes)
    write_archive(tmp_path / "a.npz", *checkpoint_contents(trainer, VOCABULARY, spec))
    other = new_trainer(TEXT, VOCABULARY, spec)
    restore_trainer(other, VOCABULARY, *read_archive(tmp_path / "a.npz"))
    for _ in range(20):
        assert trainer.update() == other.update()
    assert np.array_equal(trainer.sample(50), other.sample(50))


@pytest.mark.parametrize("changes", NETWORKS, ids=str)
def test_models_are_loaded_from_checkpoints_and_model_files(tmp_path, changes):
    trainer, spec = trained(changes)
    write_archive(tmp_path / "a.npz", *checkpoint_contents(trainer, VOCABULARY, spec))
    expected = {
        "latest": trainer.current_model(),
        "best": trainer.best_model(),
        "best_validation": trainer.best_model(by="validation") or trainer.current_model(),
    }
    for which, model in expected.items():
        loaded, vocabulary = load_model(tmp_path / "a.npz", which)
        assert vocabulary == VOCABULARY
        assert same(loaded, model)
        write_archive(tmp_path / "m.npz", *model_contents(model, VOCABULARY, spec))
        alone, _ = load_model(tmp_path / "m.npz", which)
        assert same(alone, model)
        assert np.array_equal(generate(alone, 100, seed=1), generate(model, 100, seed=1))


def test_files_of_format_1_can_be_read(tmp_path):
    """Format 1 has one cell, one layer and one stream, and calls the carried vector `state`."""
    trainer, spec = trained({})
    arrays, meta = checkpoint_contents(trainer, VOCABULARY, spec)
    for prefix in ("", "best."):
        arrays[f"{prefix}state"] = arrays.pop(f"{prefix}state.h")[0]
    first = {"format": 1, "trainer": dict(meta["trainer"])}
    for name in ("cell", "layers", "batch_size", "validation_fraction", "validation_loss"):
        del first["trainer"][name]
    for name in [name for name in first["trainer"] if name.startswith("best_validation")]:
        del first["trainer"][name]
    write_archive(tmp_path / "a.npz", arrays, meta | first)
    assert same(load_model(tmp_path / "a.npz", "latest")[0], trainer.current_model())
    assert same(load_model(tmp_path / "a.npz", "best")[0], trainer.best_model())
    other = new_trainer(TEXT, VOCABULARY, spec)
    restore_trainer(other, VOCABULARY, *read_archive(tmp_path / "a.npz"))
    assert trainer.update() == other.update()

    arrays, meta = model_contents(trainer.current_model(), VOCABULARY, spec)
    arrays["state"] = arrays.pop("state.h")
    del meta["cell"], meta["layers"]
    write_archive(tmp_path / "m.npz", arrays, meta | {"format": 1})
    assert same(load_model(tmp_path / "m.npz", "latest")[0], trainer.current_model())


def edited(field, value):
    return lambda arrays, meta: meta.update({field: value})


def lacking(name):
    return lambda arrays, meta: arrays.pop(name)


def of_wrong_shape(arrays, meta):
    arrays["parameters.W"] = arrays["parameters.W"][:-1]


@pytest.mark.parametrize(
    "damage",
    [
        edited("format", 3),
        edited("cell", "lstm"),
        edited("layers", "1"),
        edited("next_index", 7),
        edited("next_index", "a"),
        edited("vocabulary", "abc"),
        edited("vocabulary", "gfedcba"),
        lacking("state.h"),
        lacking("parameters.V"),
        of_wrong_shape,
    ],
)
def test_a_file_without_a_model_is_refused(tmp_path, damage):
    trainer, spec = trained({})
    arrays, meta = model_contents(trainer.current_model(), VOCABULARY, spec)
    damage(arrays, meta)
    write_archive(tmp_path / "m.npz", arrays, meta)
    with pytest.raises(DamagedArchiveError):
        load_model(tmp_path / "m.npz", "latest")


def test_another_format_or_corpus_is_refused():
    trainer, spec = trained({})
    arrays, meta = checkpoint_contents(trainer, VOCABULARY, spec)
    for change in ({"format": 3}, {"kind": "model"}, {"vocabulary": "abcdefh"}):
        with pytest.raises(DamagedArchiveError):
            restore_trainer(trainer, VOCABULARY, arrays, meta | change)


def test_another_number_of_threads_of_the_linear_algebra_is_told(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        monkeypatch.setenv(name, "1")
    assert blas_threads() == "1"
    trainer, _ = trained({})
    meta = {"trainer": {}, "blas_threads": "1"}
    assert describe_differences(trainer, meta) == []
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    [sentence] = describe_differences(trainer, meta)
    assert sentence.startswith("The number of threads of the linear algebra was 1 and is 4 now:")
    # An earlier version did not record it.
    assert describe_differences(trainer, {"trainer": {}}) == []


def test_another_number_of_threads_and_fewer_cores_are_told(monkeypatch):
    cores = 2
    monkeypatch.setattr(checkpoint_format, "available_cores", lambda: cores)
    trainer, spec = trained({"batch_size": 2, "threads": 3})
    _, meta = checkpoint_contents(trainer, VOCABULARY, spec)
    assert describe_differences(trainer, meta) == []
    cores = 1
    [sentence] = describe_differences(trainer, meta)
    assert sentence.startswith("The run has 2 threads, but there is only 1 core here: the results")
    # It is told once: the next checkpoint is made with these cores.
    _, meta = checkpoint_contents(trainer, VOCABULARY, spec)
    assert describe_differences(trainer, meta) == []
    cores = 2
    assert describe_differences(trainer, meta) == []
    one, _ = trained({"batch_size": 2})
    assert describe_differences(one, meta) == [
        "The number of threads was 2 and is 1 now: equal up to rounding, not byte for byte."
    ]
    assert describe_differences(one, {"trainer": {}}) == []
