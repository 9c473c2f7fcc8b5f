"""The command line."""

import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from server import __version__
from server.__main__ import app
from server.analysis.gradient_check import number_fields
from server.rnn.cells import DEFAULT_CELL
from tests.serving import until
from tests.training import (
    assert_same_training,
    run_command,
    short_training,
    started_command,
)

# Starts an interpreter; the other commands are forked.
REAL = ("env",)
TEXT = "Orla rowed the Dabchick over to Farside, and Tobin counted the strokes aloud. " * 30


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-16")
    return path


def test_train_makes_all_updates_and_saves_its_results(book, tmp_path):
    out = tmp_path / "out"
    done = run_command(*short_training(book, out, 300), before=REAL)
    assert done.returncode == 0, done.stderr
    assert "Done: 300 updates" in done.stdout
    assert "update 100, smooth loss" in done.stdout
    lines = (out / "losses.csv").read_text().splitlines()
    assert lines[0] == "update,epoch,position,loss,smooth_loss"
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(1, 301))
    with np.load(out / "best.npz", allow_pickle=False) as best:
        assert best["parameters.W"].shape == (12, 12)
    assert (out / "samples.txt").read_text().count("--- update") == 10


def test_a_resumed_training_equals_an_uninterrupted_one(book, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run_command(*short_training(book, whole, 400)).returncode == 0
    assert run_command(*short_training(book, parts, 150)).returncode == 0
    assert run_command(*short_training(book, parts, 400, "--resume")).returncode == 0
    assert_same_training(whole, parts)


def test_ctrl_c_saves_a_checkpoint_and_prints_how_to_resume(book, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command = short_training(book, parts, 100_000_000)
    with started_command(*command, before=REAL, stdout=subprocess.PIPE, text=True) as process:
        until((parts / "losses.csv").exists)
        until(lambda: (parts / "losses.csv").stat().st_size > 1_000)
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert process.returncode == 130
    stopped = int(re.search(r"Stopped at update ([\d,]+)", said)[1].replace(",", ""))
    assert "--resume" in said
    # Resume it, and train without interruption, to the same update.
    end = stopped + 50
    assert run_command(*short_training(book, parts, end, "--resume")).returncode == 0
    assert run_command(*short_training(book, whole, end)).returncode == 0
    assert_same_training(whole, parts)


def test_a_directory_with_a_training_is_not_overwritten(book, tmp_path):
    out = tmp_path / "out"
    assert run_command(*short_training(book, out, 10)).returncode == 0
    before = (out / "checkpoint.npz").read_bytes()
    refused = run_command(*short_training(book, out, 10))
    assert refused.returncode == 1
    assert "--resume" in refused.stderr
    assert (out / "checkpoint.npz").read_bytes() == before


def test_the_version_is_printed():
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.stdout == f"hurrah {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("train", "no-such-file.txt"), 1, "no-such-file.txt: No such file or directory."),
        (("train", sys.executable), 1, "not plain text"),
        (("train", "{book}", "--hidden-size", "0"), 2, "--hidden-size: "),
        (("train", "{book}", "--cell", "zebra"), 2, "--cell: "),
        (("train", "{book}", "--clip", "-1"), 2, "--clip: "),
        (("train", "{book}", "--updates", "0"), 2, "--updates: "),
        (("train", "{book}", "--resume"), 1, "There is no checkpoint.npz"),
        (("train",), 2, "Missing argument"),
        (("sample", "no-such-file.npz"), 1, "no-such-file.npz: No such file or directory."),
        (("sample", "{book}"), 1, "is damaged"),
        (("sample", "{book}", "--length", "0"), 2, "--length"),
        (("gradcheck", "--hidden-size", "0"), 2, "--hidden-size"),
        (("serve", "--port", "70000"), 2, "--port: "),
        (("dance",), 2, "No such command"),
    ],
)
def test_an_error_is_one_sentence(book, tmp_path, arguments, status, said):
    filled = [argument.format(book=book) for argument in arguments]
    if arguments[0] == "train":
        filled += ["--out", str(tmp_path / "out")]
    ended = run_command(*filled)
    assert ended.returncode == status
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_sample_writes_the_same_text_from_the_same_seed(book, tmp_path):
    out = tmp_path / "out"
    assert run_command(*short_training(book, out, 200)).returncode == 0
    first, again, other = (
        run_command("sample", out / "best.npz", "--length", 80, "--seed", seed)
        for seed in (1, 1, 2)
    )
    assert first.returncode == 0
    assert len(first.stdout) == 81
    assert first.stdout == again.stdout != other.stdout
    primed = run_command("sample", out / "checkpoint.npz", "--prime", "Orlaé", "--length", 5)
    assert primed.returncode == 0
    assert "does not know 'é'" in primed.stderr


def test_gradcheck_passes():
    proved = run_command("gradcheck", "--hidden-size", 6, "--sequence-length", 5)
    assert proved.returncode == 0
    assert "The gradients are right." in proved.stdout


def test_gradcheck_has_the_defaults_and_the_ranges_of_the_request():
    options = {each.name: each for each in get_command(app).commands["gradcheck"].params}
    fields = number_fields()
    assert list(options) == ["cell", *(field.name for field in fields)]
    assert options["cell"].default == DEFAULT_CELL
    for field in fields:
        option = options[field.name]
        assert (option.default, option.help) == (field.default, field.description)
        for outside in (field.minimum - 1, field.maximum + 1):
            refused = CliRunner().invoke(app, ["gradcheck", option.opts[0], str(outside)])
            assert refused.exit_code == 2
            assert option.opts[0] in refused.output


def test_train_has_an_option_for_each_field_of_the_spec():
    listed = run_command("train", "--help").stdout
    assert set(re.findall(r"--[a-z][a-z-]*", listed)) >= {
        *("--out", "--resume", "--updates", "--cell", "--hidden-size", "--layers", "--dropout"),
        *("--sequence-length", "--batch-size", "--optimizer", "--learning-rate", "--clip"),
        *("--learning-rate-decay", "--clip-mode", "--init-scale", "--validation-fraction"),
        *("--seed", "--sample-every", "--sample-length", "--checkpoint-every-s"),
    }
