"""However `train` is told to end, it leaves a checkpoint to go on from, exactly."""

import os
import re
import signal
import subprocess
import sys

import pytest

from server.checkpoints.npz import read_meta
from tests.commands.conftest import unusual
from tests.serving import until
from tests.training import begun, hurrah, is_stopped, losses_reach, reached, same_training

# No checkpoint comes by itself meanwhile.
ENDLESS = {"updates": 100_000_000, "sample_every": 1_000, "checkpoint_every_s": 80_000}
IN_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def goes_on_exactly(book, out, whole):
    """Hold what was left, and what comes of it, to a training that nobody disturbed."""
    stopped = read_meta(out / "checkpoint.npz")["trainer"]["updates"]
    settings = ENDLESS | {"updates": stopped + 50}
    assert hurrah(*unusual(book, out, **settings), "--resume").returncode == 0
    assert hurrah(*unusual(book, whole, **settings)).returncode == 0
    same_training(whole, out)
    assert not list(out.glob(".*"))
    return stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_signal_to_end_leaves_a_checkpoint(book, out, tmp_path, number):
    pipe = subprocess.PIPE
    with begun(*unusual(book, out, **ENDLESS), stdout=pipe, stderr=pipe, text=True) as process:
        losses_reach(out, 10_000)
        assert not (out / "checkpoint.npz").exists()
        process.send_signal(number)
        said, wrong = process.communicate(timeout=60)
    assert (process.returncode, wrong) == (130, "")
    stopped = re.search(r"Stopped at update ([\d,]+)\. To go on, .* --resume", said)[1]
    assert goes_on_exactly(book, out, tmp_path / "whole") == int(stopped.replace(",", ""))


def test_a_signal_before_the_first_update_leaves_one_too(book, out, tmp_path):
    stopping = os.environ | {"HURRAH_STOP_AT": "train.begin"}
    command = unusual(book, out, **ENDLESS)
    with begun(*command, stdout=subprocess.DEVNULL, env=stopping) as process:
        until(lambda: is_stopped(process.pid))
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 130
    assert goes_on_exactly(book, out, tmp_path / "whole") == 0


def test_a_terminal_that_closes_leaves_one_too(book, out, tmp_path):
    ours, theirs = os.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    in_it = (sys.executable, "-c", IN_A_TERMINAL)
    with begun(*unusual(book, out, **ENDLESS), before=in_it, **streams) as process:
        os.close(theirs)
        try:
            while not reached(out, 10_000):
                os.read(ours, 65_536)
        finally:
            os.close(ours)
        assert process.wait(60) == 130
    goes_on_exactly(book, out, tmp_path / "whole")


def test_a_terminal_that_closes_is_no_matter_under_nohup(book, out):
    nohup = ("/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh")
    command = unusual(book, out, **ENDLESS)
    with begun(*command, before=nohup, stdout=subprocess.DEVNULL) as process:
        losses_reach(out, 10_000)
        process.send_signal(signal.SIGHUP)
        losses_reach(out, (out / "losses.csv").stat().st_size + 100_000)
        assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 130


def test_a_reader_that_leaves_is_named_and_costs_nothing(book, out, tmp_path):
    pipe = subprocess.PIPE
    with begun(*unusual(book, out, **ENDLESS), stdout=pipe, stderr=pipe, text=True) as process:
        losses_reach(out, 10_000)
        process.stdout.close()
        wrong = process.stderr.read()
        assert process.wait(60) == 1
    stopped = goes_on_exactly(book, out, tmp_path / "whole")
    assert wrong == (
        f"Standard output: Broken pipe; stopped at update {stopped:,}, from where --resume goes"
        " on.\n"
    )
