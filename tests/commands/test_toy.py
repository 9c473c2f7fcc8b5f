"""`toy` on the command line."""

import pytest
from typer.testing import CliRunner

from server.__main__ import app
from server.corpora.toy_texts import ToyText


def run(*arguments):
    return CliRunner().invoke(app, ["toy", *map(str, arguments)])


def test_the_text_is_written(tmp_path):
    out = tmp_path / "x.txt"
    options = ("--longest", 5, "--alphabet", "xÿ", "--characters", 300, "--seed", 4)
    written = run("copy", *options, "--out", out)
    assert written.exit_code == 0, written.output
    assert "Copy up to 5 letters." in " ".join(written.output.split())
    toy = ToyText(task="copy", longest=5, alphabet="xÿ", characters=300, seed=4)
    assert out.read_bytes() == toy.text().encode()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sort",), "'sort' is not one of"),
        (("copy", "--depth", 3), "--depth: does not belong to the task 'copy'"),
        (("brackets", "--depth", 0), "--depth: must be greater than or equal to 1"),
        (("repeat", "--characters", 200), "--characters: must be at least 340"),
    ],
)
def test_wrong_usage_writes_nothing(tmp_path, arguments, sentence):
    refused = run(*arguments, "--out", tmp_path / "x.txt")
    assert refused.exit_code == 2
    assert sentence in " ".join(refused.output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written(tmp_path):
    refused = run("copy", "--out", tmp_path)
    assert refused.exit_code == 1
    assert "Is a directory" in refused.output
