"""However `train` is stopped, it saves a checkpoint from which it resumes exactly."""

import os
import re
import signal
import subprocess
import sys

import pytest

from server.checkpoints.npz import read_meta
from tests.commands.conftest import train_command
from tests.processes import is_stopped
from tests.serving import until
from tests.training import (
    assert_same_training,
    losses_reached,
    run_command,
    started_command,
    wait_for_losses,
)

# No checkpoint is saved automatically in the meantime.
ENDLESS = {"updates": 100_000_000, "sample_every": 1_000, "checkpoint_every_s": 80_000}
IN_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def resumes_exactly(book, out, whole):
    """Resume for 50 updates, and compare with an uninterrupted training."""
    stopped = read_meta(out / "checkpoint.npz")["trainer"]["updates"]
    settings = ENDLESS | {"updates": stopped + 50}
    assert run_command(*train_command(book, out, **settings), "--resume").returncode == 0
    assert run_command(*train_command(book, whole, **settings)).returncode == 0
    assert_same_training(whole, out)
    assert not list(out.glob(".*"))
    return stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_stop_signal_saves_a_checkpoint(book, out, tmp_path, number):
    pipe = subprocess.PIPE
    command = train_command(book, out, **ENDLESS)
    with started_command(*command, stdout=pipe, stderr=pipe) as process:
        wait_for_losses(out, 10_000)
        assert not (out / "checkpoint.npz").exists()
        process.send_signal(number)
        said, wrong = process.stdout.read(), process.stderr.read()
        assert (process.wait(60), wrong) == (130, "")
    stopped = re.search(r"Stopped at update ([\d,]+)\. To continue, .* --resume", said)[1]
    assert resumes_exactly(book, out, tmp_path / "whole") == int(stopped.replace(",", ""))


def test_a_signal_before_the_first_update_saves_a_checkpoint(book, out, tmp_path):
    stopping = {"HURRAH_STOP_AT": "train.begin"}
    command = train_command(book, out, **ENDLESS)
    with started_command(*command, stdout=subprocess.DEVNULL, environment=stopping) as process:
        until(lambda: is_stopped(process.pid))
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 130
    assert resumes_exactly(book, out, tmp_path / "whole") == 0


def test_a_closed_terminal_saves_a_checkpoint(book, out, tmp_path):
    ours, theirs = os.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    in_it = (sys.executable, "-c", IN_A_TERMINAL)
    with started_command(*train_command(book, out, **ENDLESS), before=in_it, **streams) as process:
        os.close(theirs)
        try:
            while not losses_reached(out, 10_000):
                os.read(ours, 65_536)
        finally:
            os.close(ours)
        assert process.wait(60) == 130
    resumes_exactly(book, out, tmp_path / "whole")


def test_a_closed_terminal_does_not_stop_a_training_under_nohup(book, out):
    nohup = ("/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh")
    command = train_command(book, out, **ENDLESS)
    with started_command(*command, before=nohup, stdout=subprocess.DEVNULL) as process:
        wait_for_losses(out, 10_000)
        process.send_signal(signal.SIGHUP)
        wait_for_losses(out, (out / "losses.csv").stat().st_size + 100_000)
        assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 130


def test_a_closed_pipe_is_reported_and_saves_a_checkpoint(book, out, tmp_path):
    pipe = subprocess.PIPE
    command = train_command(book, out, **ENDLESS)
    with started_command(*command, stdout=pipe, stderr=pipe) as process:
        wait_for_losses(out, 10_000)
        process.stdout.close()
        wrong = process.stderr.read()
        assert process.wait(60) == 1
    stopped = resumes_exactly(book, out, tmp_path / "whole")
    assert wrong == (
        f"Standard output: Broken pipe; stopped at update {stopped:,}."
        " --resume continues from there.\n"
    )
