"""Training on the command line, for tests."""

import contextlib
import os
import subprocess
import sys
import tempfile

from server.checkpoints.npz import read_archive
from tests.fork_server import ForkedProcess
from tests.serving import ROOT, until

TIMEOUT_S = 100


def run_command(*arguments, before=(), cwd=ROOT, environment=None, limits=None):
    """Run a command, with more variables `HURRAH_*` if given, and return the completed process.

    It is forked (`tests/fork_server.py`), with the limits if given, unless `before` has words to
    start an interpreter with.
    """
    if not before:
        with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
            with ForkedProcess(
                arguments, environment, cwd=cwd, stdout=stdout, stderr=stderr, limits=limits
            ) as process:
                status = process.wait(TIMEOUT_S)
            stdout.seek(0)
            stderr.seek(0)
            return subprocess.CompletedProcess(arguments, status, stdout.read(), stderr.read())
    return subprocess.run(
        [*before, sys.executable, "-m", "server", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


@contextlib.contextmanager
def started_command(*arguments, before=(), **options):
    """Start a command; kill it when the block ends.

    It is forked, unless `before` has words to start an interpreter with.
    """
    if before:
        command = [*before, sys.executable, "-m", "server", *map(str, arguments)]
        started = subprocess.Popen(command, cwd=ROOT, **options)
    else:
        started = ForkedProcess(arguments, **options)
    with started as process:
        try:
            yield process
        finally:
            process.kill()


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
    for name in ("losses.csv", "metrics.csv", "samples.txt"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
