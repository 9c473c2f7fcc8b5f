"""A text, and a training of it whose settings differ from the defaults."""

import pytest

from tests.serving import PAGES
from tests.training import run_command

OPTIONS = {
    "--updates": 120,
    "--hidden-size": 12,
    "--sequence-length": 8,
    "--learning-rate": 0.0125,
    "--clip": 1,
    "--init-scale": 0,
    "--seed": 7,
    "--sample-every": 50,
    "--sample-length": 40,
    "--checkpoint-every-s": 20,
}


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(PAGES, encoding="utf-8")
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def trained(book, out):
    """The output directory of a training of 120 updates."""
    done = run_command(*train_command(book, out))
    assert done.returncode == 0, done.stderr
    return out


def train_command(book, out, **changed):
    """Return a command that has an option for each of its settings."""
    options = OPTIONS | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    return ("train", book, "--out", out, *(word for option in options.items() for word in option))


def contents(directory):
    """Return the content of each file, by name."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}
