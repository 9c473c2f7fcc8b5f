"""Training on the command line, for tests."""

import contextlib
import os
import subprocess
import sys

from server.checkpoints.npz import read_archive
from tests.serving import ROOT, until


def run_command(*arguments, before=(), cwd=ROOT):
    """Run a command, after the words in `before`, and return the completed process."""
    return subprocess.run(
        [*before, sys.executable, "-m", "server", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@contextlib.contextmanager
def started_command(*arguments, before=(), **options):
    """Start a command, after the words in `before`; kill it when the block ends."""
    command = [*before, sys.executable, "-m", "server", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def is_stopped(pid):
    """Whether a process is stopped, as SIGSTOP does."""
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    return listing.stdout.startswith("T")


def losses_reached(directory, size_bytes):
    """Whether losses.csv is larger than that; it is written in blocks of some thousand bytes."""
    path = directory / "losses.csv"
    return path.exists() and path.stat().st_size > size_bytes


def wait_for_losses(directory, size_bytes):
    until(lambda: losses_reached(directory, size_bytes))


def short_training(book, out, updates, *more):
    """Return the command of a very short training."""
    sizes = ("--hidden-size", 12, "--sequence-length", 10, "--sample-every", 100)
    return ("train", book, "--out", out, "--updates", updates, *sizes, *more)


def assert_same_training(one, other):
    (arrays, meta), (other_arrays, other_meta) = (
        read_archive(out / "checkpoint.npz") for out in (one, other)
    )
    assert meta["trainer"] == other_meta["trainer"]
    assert set(arrays) == set(other_arrays)
    for name, array in arrays.items():
        assert array.tobytes() == other_arrays[name].tobytes(), name
    for name in ("losses.csv", "samples.txt"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
