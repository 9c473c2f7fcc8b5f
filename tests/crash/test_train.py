"""A training on the command line that was killed with kill -9 resumes exactly."""

import random
import signal
import subprocess
import time

import pytest

from server.checkpoints.npz import read_archive
from tests.fork_server import ForkedProcess
from tests.processes import is_stopped
from tests.serving import PAGES, until

UPDATES = 6_000
SIZES = [
    *("--hidden-size", "12", "--sequence-length", "8"),
    *("--sample-every", "100", "--sample-length", "40", "--checkpoint-every-s", "1"),
]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_text(PAGES, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(book):
    """Return the directory of an undisturbed training."""
    out = book.parent / "whole"
    assert begin(book, out).wait(120) == 0
    return out


def begin(book, out, stop_at=""):
    """Start a training, or resume the one in the directory."""
    command = ["train", book, "--out", out, "--updates", UPDATES, *SIZES]
    if (out / "checkpoint.npz").exists():
        command.append("--resume")
    return ForkedProcess(command, {"HURRAH_STOP_AT": stop_at}, stdout=subprocess.DEVNULL)


def assert_same_training(one, other):
    (arrays, meta), (other_arrays, other_meta) = (
        read_archive(out / "checkpoint.npz") for out in (one, other)
    )
    assert meta["trainer"] == other_meta["trainer"]
    for name, array in arrays.items():
        assert array.tobytes() == other_arrays[name].tobytes(), name
    for name in ("losses.csv", "metrics.csv", "samples.txt"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert {path.name for path in one.iterdir()} == {path.name for path in other.iterdir()}


def test_a_training_resumed_after_crashes_equals_an_undisturbed_one(book, whole, tmp_path):
    out = tmp_path / "out"
    # Before the first checkpoint, before the first best model, and in the middle of files.
    for point in (
        "archive.synced",
        "archive.renamed",
        "archive.written:2",
        "archive.directory_synced:3",
        "",
    ):
        process = begin(book, out, point)
        if point:
            until_stopped(process)
        else:
            until((out / "losses.csv").exists)
            # This waits for nothing: the kill is to come at a random moment.
            time.sleep(random.uniform(0.5, 1.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if point == "archive.synced":
            assert not (out / "checkpoint.npz").exists()
    assert begin(book, out).wait(120) == 0
    assert_same_training(whole, out)


def until_stopped(process):
    # On a fast machine it may end before it reaches the failpoint again.
    until(lambda: is_stopped(process.pid) or process.poll() is not None)
