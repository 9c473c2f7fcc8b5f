"""N + M updates give the same bytes as N updates, a checkpoint, and M updates, for all networks."""

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import (
    checkpoint_contents,
    describe_differences,
    new_trainer,
    restore_trainer,
)
from server.checkpoints.npz import read_archive, write_archive
from server.rnn.backend.selection import NUMBA
from server.rnn.cells import CELLS
from server.rnn.training.state import StateError
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec
from tests.serving import PAGES

TEXT = PAGES[:500]
VOCABULARY = Vocabulary.from_text(TEXT)
INDICES = VOCABULARY.encode(TEXT)
SMALL = {"hidden_size": 5, "sequence_length": 6, "corpus": "any"}


def trainer_for(**spec):
    wanted = RunSpec(**SMALL | spec).model_dump(mode="json")
    return new_trainer(INDICES, VOCABULARY, wanted), wanted


def trained(trainer, updates):
    """Train; return the losses and a text that the network writes afterwards."""
    losses = [trainer.update() for _ in range(updates)]
    return losses, trainer.sample(30).tolist(), trainer.validate()


def same(one, other):
    (arrays, scalars), (other_arrays, other_scalars) = one.state(), other.state()
    assert scalars == other_scalars
    assert set(arrays) == set(other_arrays)
    for name, array in arrays.items():
        assert array.dtype == other_arrays[name].dtype, name
        assert array.tobytes() == other_arrays[name].tobytes(), name


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(("batch_size", "threads"), [(1, 1), (3, 1), (3, 2)])
@pytest.mark.parametrize("optimizer", ["adagrad", "adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("cell", CELLS)
def test_resuming_gives_the_same_bytes(tmp_path, cell, optimizer, batch_size, threads, dropout):
    spec = {"cell": cell, "optimizer": optimizer, "batch_size": batch_size, "dropout": dropout}
    spec |= {"threads": threads}
    spec |= {"layers": 2 if dropout else 1, "learning_rate_decay": 0.9, "seed": 3}
    spec |= {"validation_fraction": 0.2}
    spec |= {"dtype": "float64" if batch_size == 3 else "float32"}
    whole, wanted = trainer_for(**spec)
    # In the middle of the second epoch, so that there is a carried state.
    before = whole.updates_per_epoch + 7
    trained(whole, before)
    path = tmp_path / "checkpoint.npz"
    write_archive(path, *checkpoint_contents(whole, VOCABULARY, wanted), durable=False)
    resumed, _ = trainer_for(**spec)
    arrays, meta = read_archive(path)
    restore_trainer(resumed, VOCABULARY, arrays, meta)
    assert describe_differences(resumed, meta) == []
    same(whole, resumed)
    after = whole.updates_per_epoch
    assert trained(whole, after) == trained(resumed, after)
    same(whole, resumed)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_resuming_in_shuffled_order_gives_the_same_bytes(tmp_path, batch_size):
    spec = {"batch_size": batch_size, "order": "shuffled", "validation_fraction": 0.2, "seed": 3}
    whole, wanted = trainer_for(**spec)
    path, per_epoch = tmp_path / "checkpoint.npz", whole.updates_per_epoch
    # Within an epoch, at its end, and where two sequences follow each other in the text.
    for updates in [1, 7, per_epoch - 8, 5, per_epoch]:
        trained(whole, updates)
        write_archive(path, *checkpoint_contents(whole, VOCABULARY, wanted), durable=False)
        resumed, _ = trainer_for(**spec)
        restore_trainer(resumed, VOCABULARY, *read_archive(path))
        same(whole, resumed)
    more = per_epoch + 3
    assert trained(whole, more) == trained(resumed, more)
    same(whole, resumed)
    sequential, _ = trainer_for(**spec | {"order": "sequential"})
    with pytest.raises(StateError, match="order shuffled, the trainer for sequential"):
        restore_trainer(sequential, VOCABULARY, *read_archive(path))
    arrays, meta = read_archive(path)
    meta["trainer"]["position"] += 1
    with pytest.raises(StateError, match="No sequence starts at the state's position"):
        restore_trainer(resumed, VOCABULARY, arrays, meta)
    same(whole, resumed)


def test_a_checkpoint_without_an_order_is_sequential():
    trainer, wanted = trainer_for()
    trained_updates = [trainer.update() for _ in range(5)]
    arrays, meta = checkpoint_contents(trainer, VOCABULARY, wanted)
    del meta["trainer"]["order"], meta["spec"]["order"]
    resumed, _ = trainer_for()
    restore_trainer(resumed, VOCABULARY, arrays, meta)
    assert trained_updates
    assert [trainer.update() for _ in range(9)] == [resumed.update() for _ in range(9)]


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("numpy", "NumPy"),
        ("numba", "An earlier version of the loops compiled by Numba"),
        (NUMBA, "Numba"),
    ],
)
def test_another_kernel_or_numpy_version_is_reported(tmp_path, other, name):
    trainer, wanted = trainer_for()
    trainer.update()
    path = tmp_path / "checkpoint.npz"
    arrays, meta = checkpoint_contents(trainer, VOCABULARY, wanted)
    meta["trainer"]["kernel"] = other
    meta["numpy"] = "1.0"
    write_archive(path, arrays, meta, durable=False)
    resumed, _ = trainer_for()
    restore_trainer(resumed, VOCABULARY, *read_archive(path))
    differences = describe_differences(resumed, meta)
    assert "NumPy 1.0 computed the updates so far" in differences[-1]
    assert f"NumPy {np.__version__} continues" in differences[-1]
    assert len(differences) == (1 if resumed.kernel == other else 2)
    if resumed.kernel != other:
        assert other != "numpy", "it is available everywhere"
        assert differences[0].startswith(
            f"{name} computed the updates so far but is not available here"
        )
        assert "equal up to rounding" in differences[0]
