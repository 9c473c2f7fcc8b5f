"""Two trainings cannot write to the same directory."""

import signal
import subprocess

import pytest

from tests.commands.conftest import train_command
from tests.serving import until
from tests.training import assert_same_training, run_command, started_command, wait_for_losses

FOREVER = 100_000_000


@pytest.mark.parametrize("more", [(), ("--resume",)])
def test_a_second_training_is_refused_and_does_not_disturb_the_first(book, out, tmp_path, more):
    whole = tmp_path / "whole"
    with started_command(
        *train_command(book, out, updates=FOREVER), stdout=subprocess.DEVNULL
    ) as first:
        wait_for_losses(out, 10_000)
        # A temporary file of the first training, still in use.
        (out / ".checkpoint.npz.1.tmp").write_bytes(b"half a file")
        second = run_command(*train_command(book, out), *more)
        assert second.returncode == 1
        assert second.stderr == (
            f"Another process trains in {out}: wait until it has ended, or choose another directory"
            " with --out.\n"
        )
        assert (out / ".checkpoint.npz.1.tmp").exists()
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 130
    reached = len((out / "losses.csv").read_text().splitlines()) - 1
    assert run_command(*train_command(book, out, updates=reached + 10), "--resume").returncode == 0
    assert run_command(*train_command(book, whole, updates=reached + 10)).returncode == 0
    assert_same_training(whole, out)


def test_of_two_simultaneous_trainings_one_is_refused(book, out, tmp_path):
    whole = tmp_path / "whole"
    with (
        started_command(
            *train_command(book, out, updates=FOREVER), stdout=subprocess.DEVNULL
        ) as one,
        started_command(
            *train_command(book, out, updates=FOREVER), stdout=subprocess.DEVNULL
        ) as other,
    ):
        until(lambda: one.poll() is not None or other.poll() is not None)
        ended, trains = (one, other) if one.poll() is not None else (other, one)
        assert ended.returncode == 1
        wait_for_losses(out, 10_000)
        trains.send_signal(signal.SIGINT)
        assert trains.wait(60) == 130
    reached = len((out / "losses.csv").read_text().splitlines()) - 1
    assert run_command(*train_command(book, out, updates=reached + 10), "--resume").returncode == 0
    assert run_command(*train_command(book, whole, updates=reached + 10)).returncode == 0
    assert_same_training(whole, out)
