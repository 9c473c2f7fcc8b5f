"""`sample` and `train --resume` with hostile archives: one line, in bounded memory and time."""

import copy
import json
import struct
import subprocess
import sys
import time
import warnings
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

from server.__main__ import app
from server.checkpoints.npz import read_archive, write_archive
from tests.hostile.test_archives import HUGE, WRONG, archive, npy, part
from tests.serving import PAGES, ROOT

# A screen that is cleared, text that is reversed, and a second line.
CONTROLS = "\x1b[2J\u202e\n"
# NumPy itself takes 100 MB; 400 MB more would be several times the size of any file here.
MAX_RESIDENT_BYTES = 500_000_000
MAX_S = 55.0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the contents of the directory of a training, and of its checkpoint."""
    directory = tmp_path_factory.mktemp("trained")
    book, out = directory / "book.txt", directory / "out"
    book.write_text(PAGES, encoding="utf-8")
    options = ["--updates", "12", "--hidden-size", "4", "--sample-length", "5"]
    done = CliRunner().invoke(app, ["train", str(book), "--out", str(out), *options])
    assert done.exit_code == 0, done.output
    return {path.name: path.read_bytes() for path in out.iterdir()}, out / "checkpoint.npz"


@pytest.fixture
def directory(tmp_path, trained):
    """Return a directory with a text, and a copy of the training as `out`."""
    (tmp_path / "book.txt").write_text(PAGES, encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    for name, content in trained[0].items():
        (out / name).write_bytes(content)
    return tmp_path


def commands(directory):
    checkpoint = str(directory / "out" / "checkpoint.npz")
    resumed = ["train", str(directory / "book.txt"), "--out", str(directory / "out"), "--resume"]
    return {
        "sample": ["sample", checkpoint, "--length", "20", "--latest"],
        "train": [*resumed, "--updates", "16"],
    }


def contents(directory):
    return {
        path.relative_to(directory): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def assert_one_line(status, said):
    assert status == 1, said
    assert said.endswith(".\n"), said
    assert said[:-1].isprintable(), said
    assert len(said) < 2_100


def assert_refused(directory, names=("sample", "train")):
    """Check that the commands fail with one line, and change nothing."""
    before = contents(directory)
    for name in names:
        done = CliRunner().invoke(app, commands(directory)[name])
        assert done.exception is None or isinstance(done.exception, SystemExit), (
            name,
            done.exception,
        )
        assert_one_line(done.exit_code, done.stderr)
        assert contents(directory) == before


def altered(trained, directory, change):
    """Replace the checkpoint by one with other contents; `change` is given arrays and meta."""
    arrays, meta = read_archive(trained[1])
    meta = copy.deepcopy(meta)
    change(arrays, meta)
    write_archive(directory / "out" / "checkpoint.npz", arrays, meta)


# -- the archive ----------------------------------------------------------------------------------


def with_wrong_checksum(path):
    with zipfile.ZipFile(path) as file:
        array = file.read("parameters.U.npy")
    content = bytearray(path.read_bytes())
    content[content.index(array) + len(array) - 1] ^= 0xFF
    path.write_bytes(content)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def with_a_comment(path):
    with zipfile.ZipFile(path, "a") as file:
        file.comment = b"a comment"


def with_two_parts_of_one_name(path):
    with zipfile.ZipFile(path, "a") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        file.writestr("parameters.V.npy", part(np.zeros(3)))


def with_a_name(name):
    def change(path):
        with zipfile.ZipFile(path, "a") as file:
            file.writestr(name, part(np.zeros(3)))

    return change


DAMAGES = {
    "a wrong checksum": with_wrong_checksum,
    "a truncated file": truncated,
    "a comment": with_a_comment,
    "two parts of one name": with_two_parts_of_one_name,
    "a path": with_a_name("../../escaped.npy"),
    "an absolute path": with_a_name("/tmp/escaped.npy"),
    "a name of controls": with_a_name(f"{CONTROLS}.txt"),
    "a long name": with_a_name(f"{'x' * 60_000}.npy"),
    "nothing": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(100_000)),
} | {what: lambda path, what=what: archive(path, WRONG[what]) for what in WRONG}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_archive_is_refused_in_one_line(directory, what):
    DAMAGES[what](directory / "out" / "checkpoint.npz")
    assert_refused(directory)
    assert not list(directory.rglob("escaped*"))


# -- its contents ---------------------------------------------------------------------------------


def setting(where, name, value):
    def change(_, meta):
        (meta if where == "meta" else meta[where])[name] = value

    return change


def array(name, change_array):
    def change(arrays, _):
        arrays[name] = change_array(arrays[name])

    return change


def renamed(arrays, _):
    arrays[f"parameters.{CONTROLS}"] = arrays.pop("parameters.U")


CONTENTS = {
    "a matrix of another shape": array("parameters.V", np.transpose),
    "a matrix without rows": array("parameters.U", lambda a: a[:0]),
    "a state without streams": array("state.h", lambda a: a[:0]),
    "another type": array("parameters.W", lambda a: a.astype("f8")),
    "another byte order": array("parameters.W", lambda a: a.astype(">f4")),
    "whole numbers": array("parameters.W", lambda a: a.astype("i4")),
    "a name of controls": renamed,
    "a missing matrix": lambda arrays, _: arrays.pop("parameters.V"),
    "a longer vocabulary": lambda _, meta: meta.update(vocabulary=meta["vocabulary"] + "\uffff"),
    "a shorter vocabulary": lambda _, meta: meta.update(vocabulary=meta["vocabulary"][1:]),
    "an unsorted vocabulary": lambda _, meta: meta.update(vocabulary=meta["vocabulary"][::-1]),
    "a vocabulary of numbers": setting("meta", "vocabulary", [1, 2, 3]),
    "a format of controls": setting("meta", "format", CONTROLS),
    "a trainer of controls": setting("meta", "trainer", CONTROLS),
    "no trainer": setting("meta", "trainer", None),
    "a cell of controls": setting("trainer", "cell", CONTROLS),
    "many layers": setting("trainer", "layers", 10**9),
}
# `sample` does not read these.
FOR_RESUME = {
    f"{name} = {str(value)[:8]!r}": setting("trainer", name, value)
    for name, value in [
        *((name, CONTROLS) for name in ("vocabulary_size", "hidden_size", "dtype", "batch_size")),
        *((name, 10**400) for name in ("updates", "epoch", "optimizer_steps")),
        *((name, 10**400) for name in ("learning_rate", "loss", "smooth_loss")),
        (CONTROLS, 1),
    ]
} | {"a spec of controls": setting("meta", "spec", CONTROLS)}
# `train` does not read these.
FOR_SAMPLE = {
    "a character that is no number": setting("meta", "next_index", CONTROLS),
    "a character between two": setting("meta", "next_index", 1.5),
    "a character that is true": setting("meta", "next_index", True),
    "parameters that are not numbers": array("parameters.V", lambda a: np.full_like(a, np.nan)),
    "infinite parameters": array("parameters.c", lambda a: np.full_like(a, np.inf)),
    "a state that is not a number": array("state.h", lambda a: np.full_like(a, np.nan)),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_contents_that_do_not_fit_are_refused_in_one_line(trained, directory, what):
    altered(trained, directory, CONTENTS[what])
    assert_refused(directory)


@pytest.mark.parametrize("what", FOR_RESUME)
def test_a_training_that_cannot_continue_is_refused_in_one_line(trained, directory, what):
    altered(trained, directory, FOR_RESUME[what])
    assert_refused(directory, ["train"])


@pytest.mark.parametrize("what", FOR_SAMPLE)
def test_a_model_that_cannot_write_is_refused_in_one_line(trained, directory, what):
    altered(trained, directory, FOR_SAMPLE[what])
    assert_refused(directory, ["sample"])


def test_a_training_with_parameters_that_are_not_numbers_ends_in_one_line(trained, directory):
    altered(trained, directory, FOR_SAMPLE["parameters that are not numbers"])
    checkpoint = (directory / "out" / "checkpoint.npz").read_bytes()
    done = CliRunner().invoke(app, commands(directory)["train"])
    assert_one_line(done.exit_code, done.stderr)
    assert done.stderr.startswith("The loss was not a finite number")
    assert (directory / "out" / "checkpoint.npz").read_bytes() == checkpoint


@pytest.mark.parametrize("name", ["numpy", "blas_threads", "threads", "cores"])
def test_what_a_checkpoint_says_of_its_origin_does_not_control_the_terminal(
    trained, directory, name
):
    altered(trained, directory, setting("meta", name, CONTROLS + "x" * 10**6))
    done = CliRunner().invoke(app, commands(directory)["train"])
    assert done.exit_code == 0, done.stderr
    assert "\x1b[2J" not in done.stdout
    assert "\u202e" not in done.stdout
    assert len(done.stdout) < 10_000


# -- memory and time ------------------------------------------------------------------------------


def directory_entries(count):
    """Return a zip file that is only a directory of many empty parts."""
    entry = struct.Struct("<4s4B4HL2L5H2L")
    entries = b"".join(
        entry.pack(b"PK\1\2", 20, 0, 20, *[0] * 8, 7, *[0] * 6) + b"%07d" % number
        for number in range(count)
    )
    return entries + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 3, 3, len(entries), 0, 0)


def deflated(path, size_bytes):
    """Write an archive whose only array expands to this size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("meta.npy", part(np.array(json.dumps({"format": 2, "kind": "model"}))))
        with file.open("a.npy", "w", force_zip64=True) as content:
            content.write(npy((size_bytes,), "|u1"))
            zeros = bytes(10_000_000)
            for _ in range(size_bytes // len(zeros)):
                content.write(zeros)


def nested_description(path):
    archive(path, {"meta.npy": part(np.array("[" * 10**6))}, described=False)


LARGE = {
    "an array of a gigabyte": lambda path: deflated(path, 10**9),
    "a declared shape": lambda path: archive(path, {"a.npy": npy((HUGE,))}),
    "a million parts": lambda path: path.write_bytes(directory_entries(10**6)),
    "a nested description": nested_description,
}


# Prints the peak memory of a command and has its status. A started process counts the memory of the
# process that started it as its own peak, so that this one, which is small, starts the command.
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


@pytest.mark.parametrize("what", LARGE)
def test_a_large_archive_is_refused_in_little_memory_and_time(directory, what):
    LARGE[what](directory / "out" / "checkpoint.npz")
    for name, command in commands(directory).items():
        began_s = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, sys.executable, "-m", "server", *command],
            check=False,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert_one_line(done.returncode, done.stderr)
        # Linux counts in kilobytes, macOS in bytes.
        resident_bytes = int(done.stdout) * (1 if sys.platform == "darwin" else 1_024)
        assert resident_bytes < MAX_RESIDENT_BYTES, (name, resident_bytes)
        assert time.monotonic() - began_s < MAX_S, name
