"""Errors of the operating system name the file."""

import pytest

from tests.commands.conftest import train_command
from tests.training import run_command

# A limit of 200 blocks per file, of 512 or 1,024 bytes each.
LIMITED = ("/bin/sh", "-c", 'ulimit -f 200; exec "$@"', "sh")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("losses.csv", {"updates": 20_000, "sample_every": 20_000}),
        ("samples.txt", {"sample_length": 20_000, "sample_every": 1}),
        ("checkpoint.npz", {"hidden_size": 250, "sample_every": 1_000}),
    ],
)
def test_a_file_that_reaches_the_limit_is_named(book, out, name, changed):
    failed = run_command(*train_command(book, out, **changed), before=LIMITED)
    assert failed.returncode == 1
    assert failed.stderr == f"{out / name}: File too large.\n"


def test_a_training_resumes_after_the_limit_is_lifted(book, out, tmp_path):
    whole, settings = tmp_path / "whole", {"updates": 8_000, "sample_every": 1_000}
    assert run_command(*train_command(book, out)).returncode == 0
    failed = run_command(*train_command(book, out, **settings), "--resume", before=LIMITED)
    assert failed.stderr == f"{out / 'losses.csv'}: File too large.\n"
    assert run_command(*train_command(book, out, **settings), "--resume").returncode == 0
    assert run_command(*train_command(book, whole, **settings)).returncode == 0
    assert (out / "losses.csv").read_bytes() == (whole / "losses.csv").read_bytes()


def test_a_directory_in_place_of_a_file_is_named(book, out):
    (out / "samples.txt").mkdir(parents=True)
    failed = run_command(*train_command(book, out))
    assert failed.returncode == 1
    assert failed.stderr == f"{out / 'samples.txt'}: Is a directory.\n"


def test_a_text_that_cannot_be_read_is_named(tmp_path, out):
    failed = run_command(*train_command(tmp_path, out))
    assert failed.returncode == 1
    assert failed.stderr == f"{tmp_path}: Is a directory.\n"
    assert not out.exists()
