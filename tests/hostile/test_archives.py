"""Hostile checkpoint files: none runs code, or takes more memory than its size."""

import contextlib
import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.checkpoints.checkpoint_format import checkpoint_contents, load_model, restore_trainer
from server.checkpoints.npz import DamagedArchiveError, read_archive, read_meta, write_archive
from server.rnn.training.state import StateError
from server.rnn.training.trainer import Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary
from tests.training import run_command

META = {"format": 2, "kind": "model"}


class Harmful:
    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


def npy(shape, dtype="<f4", data=b"", version=(1, 0)):
    """Return an `.npy` file with this shape in its header, whatever its data."""
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode() + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + size + header + data


def part(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def archive(path, parts, kind=zipfile.ZIP_STORED, *, described=True):
    with zipfile.ZipFile(path, "w", kind) as file:
        if described:
            file.writestr("meta.npy", part(np.array(json.dumps(META))))
        for name, content in parts.items():
            file.writestr(name, content)


HUGE = 10**13
OBJECTS = npy((1,), "|O", pickle.dumps(np.array([Harmful()], dtype=object)))
WRONG = {
    "an object": {"a.npy": OBJECTS},
    "objects in a structure": {"a.npy": npy((1,), [("x", "|O")], OBJECTS)},
    "a structure": {"a.npy": npy((1,), [("x", "<f4")], bytes(4))},
    "times": {"a.npy": npy((1,), "<M8[s]", bytes(8))},
    "bytes without a type": {"a.npy": npy((1,), "|V8", bytes(8))},
    "a huge shape": {"a.npy": npy((HUGE,))},
    "a shape that is huge together": {"a.npy": npy((10**5, 10**5, 10**5))},
    "a shape beyond integers": {"a.npy": npy((10**30,))},
    "a shape that is too small": {"a.npy": npy((1,), data=bytes(400))},
    "a negative shape": {"a.npy": npy((-1,), data=bytes(4))},
    "two negative numbers": {"a.npy": npy((-1, -1), data=bytes(4))},
    "an unknown version": {"a.npy": npy((1,), data=bytes(4), version=(9, 0))},
    "a later version": {"a.npy": npy((1,), data=bytes(4), version=(3, 0))},
    "a header that is no header": {"a.npy": b"\x93NUMPY\x01\x00\x10\x00__import__('os')\n"},
    "a header without end": {"a.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"},
    "nothing": {"a.npy": b""},
    "a part that is no array": {"a.txt": b"x"},
    "a path": {"../../a.npy": b"x"},
    "a huge text": {"a.npy": npy((), "<U1000000000")},
    "thousands of parts": {f"{number}.npy": npy((0,)) for number in range(2_000)},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.npz"


@pytest.mark.parametrize("what", WRONG)
def test_contents_of_no_checkpoint_are_refused(path, what):
    archive(path, WRONG[what])
    for read in (read_archive, read_meta, lambda path: load_model(path, "best")):
        with pytest.raises(DamagedArchiveError, match=r"some\.npz is damaged"):
            read(path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_zip_bomb_is_not_unpacked(path):
    zeros = np.zeros(50_000_000, np.uint8)
    archive(path, {"a.npy": part(zeros)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < zeros.nbytes / 500
    with pytest.raises(DamagedArchiveError, match="compressed"):
        read_archive(path)
    archive(path, {"a.npy": part(np.arange(3))}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DamagedArchiveError, match="compressed"):
        read_archive(path)
    # An uncompressed part that claims a gigabyte, in the directory at the end of the file.
    archive(path, {"a.npy": part(np.arange(3))})
    whole = bytearray(path.read_bytes())
    sizes = whole.index(b"PK\x01\x02") + 20
    whole[sizes : sizes + 8] = struct.pack("<2I", 10**9, 10**9)
    path.write_bytes(whole)
    with pytest.raises(DamagedArchiveError, match="more data than its size"):
        read_archive(path)


def test_overlapping_parts_are_not_read(path):
    archive(path, {f"{number}.npy": part(np.zeros(1_000)) for number in range(10)})
    whole = path.read_bytes()
    # Every directory entry points to the first part: ten arrays with the same bytes.
    start = struct.unpack("<I", whole[-6:-2])[0]
    directory, place = bytearray(whole[start:]), 0
    offset = None
    while directory[place : place + 4] == b"PK\x01\x02":
        sizes = struct.unpack("<3H", directory[place + 28 : place + 34])
        here = struct.unpack("<I", directory[place + 42 : place + 46])[0]
        if here and offset is None:
            offset = here
        elif here:
            directory[place + 42 : place + 46] = struct.pack("<I", offset)
        place += 46 + sum(sizes)
    path.write_bytes(whole[:start] + directory)
    with pytest.raises(DamagedArchiveError):
        read_archive(path)
    path.write_bytes(whole[: start // 4] + directory)
    with pytest.raises(DamagedArchiveError):
        read_archive(path)


def test_two_parts_with_one_name_are_refused(path):
    archive(path, {})
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("meta.npy", part(np.array("{}")))
    with pytest.raises(DamagedArchiveError, match="two parts"):
        read_archive(path)


@pytest.mark.parametrize("described", ["[]", "3", "null", "", "{", "[" * 100_000, '"x"'])
def test_invalid_metadata_is_refused(path, described):
    archive(path, {"meta.npy": part(np.array(described))}, described=False)
    with pytest.raises(DamagedArchiveError):
        read_meta(path)


def test_a_file_that_is_not_an_archive_is_refused(path):
    for content in (npy((HUGE,)), OBJECTS, pickle.dumps(Harmful()), b"", b"PK", b"PK\x05\x06" * 9):
        path.write_bytes(content)
        with pytest.raises(DamagedArchiveError):
            read_archive(path)


# -- contents -------------------------------------------------------------------------------------


def new_trainer():
    text = "abcdefgh" * 30
    vocabulary = Vocabulary.from_text(text)
    settings = TrainerSettings(hidden_size=4)
    return vocabulary, Trainer(vocabulary.encode(text), len(vocabulary), settings)


@pytest.fixture(scope="module")
def contents():
    vocabulary, trainer = new_trainer()
    trainer.update()
    return checkpoint_contents(trainer, vocabulary, {})


SOMETHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=9),
    st.just([]),
    st.just({}),
    st.just([[]]),
)


@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_altered_metadata_is_refused(tmp_path_factory, contents, data):
    arrays, meta = contents
    meta = json.loads(json.dumps(meta))
    arrays = dict(arrays)
    where = data.draw(st.sampled_from([meta, meta["trainer"], arrays]))
    name = data.draw(st.sampled_from(sorted(where)))
    if data.draw(st.booleans()):
        del where[name]
    elif where is arrays:
        where[name] = data.draw(
            st.sampled_from(
                [np.zeros(0), np.array(1), np.zeros((9, 9)), np.array("x"), np.array([True])]
            )
        )
    else:
        where[name] = data.draw(SOMETHING)
    path = tmp_path_factory.mktemp("said") / "some.npz"
    write_archive(path, arrays, meta)
    for which in ("best", "latest", "best_validation"):
        try:
            model, vocabulary = load_model(path, which)
        except DamagedArchiveError:
            continue
        assert model.vocabulary_size == len(vocabulary)
    vocabulary, trainer = new_trainer()
    with contextlib.suppress(DamagedArchiveError, StateError):
        restore_trainer(trainer, vocabulary, *read_archive(path))


def test_the_commands_report_a_damaged_file_in_one_line(tmp_path):
    bomb, objects = tmp_path / "bomb.npz", tmp_path / "objects.npz"
    archive(bomb, {"a.npy": npy((HUGE,))})
    archive(objects, WRONG["an object"])
    for path in (bomb, objects):
        ended = run_command("sample", path)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith(f"{path.name} is damaged: 'a.npy' ")
        assert ended.stderr.count("\n") == 1
