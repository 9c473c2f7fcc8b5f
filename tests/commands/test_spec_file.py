"""`train --spec`: a spec, or a run as the API returns it, in a JSON file."""

import json

import pytest

from server.checkpoints.npz import read_meta
from server.commands.options.spec_file import MAX_BYTES, SpecFileError, read_spec_file
from server.spec.run_spec import RunSpec
from tests.commands.conftest import OPTIONS, contents
from tests.training import assert_same_training, run_command


@pytest.fixture
def spec_file(tmp_path):
    """Write a file, and return its path."""
    path = tmp_path / "spec.json"

    def write(content):
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(text)
        return path

    return write


def test_a_spec_file_replaces_the_options(book, out, trained, spec_file, tmp_path):
    fields = {option[2:].replace("-", "_"): value for option, value in OPTIONS.items()}
    fields["init_scale"] = None
    fields["max_updates"] = 10 * fields.pop("updates")
    # As the server returns it: with all fields, and those that the command does not use.
    spec = RunSpec(**fields, corpus="a1b2c3", name="From the page", paused=True)
    run = {"id": "d4e5f6", "state": "finished", "spec": spec.model_dump(mode="json")}
    path, other = spec_file(run), tmp_path / "other"
    done = run_command("train", book, "--out", other, "--spec", path, "--updates", 120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"{path}: train does not use corpus, name, paused.\n"
    assert_same_training(out, other)
    assert read_meta(other / "checkpoint.npz")["spec"] == read_meta(out / "checkpoint.npz")["spec"]

    # On resume, its fields are those that were given.
    before = contents(out)
    wrong = spec_file(fields | {"hidden_size": 13})
    refused = run_command("train", book, "--out", out, "--spec", wrong, "--resume")
    assert refused.returncode == 2
    assert refused.stderr.startswith("--hidden-size: cannot be changed by --resume")
    assert contents(out) == before


def test_a_wrong_spec_file_is_wrong_usage(book, out, spec_file):
    path = spec_file({"hiden_size": 3})
    refused = run_command("train", book, "--out", out, "--spec", path)
    assert refused.returncode == 2
    assert refused.stderr == f"{path}: 'hiden_size' is not a field of a spec.\n"
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not valid JSON."),
        (b"\xff\xfe", "not valid JSON."),
        (b"[" * 100_000, "not valid JSON."),
        (b" " * MAX_BYTES + b"{}", f"a spec has at most {MAX_BYTES:,} bytes."),
        ([{}], "a spec is a JSON object."),
        ({"spec": 3}, "'spec' is not a field of a spec."),
        ({"spec": {"lr": 1}}, "'lr' is not a field of a spec."),
        ({"cell": "ltsm"}, "cell: must be one of rnn, gru, lstm."),
        ({"hidden_size": "20"}, "hidden_size: must be a whole number."),
        ({"hidden_size": None}, "hidden_size: must be a whole number."),
        (b'{"dropout": NaN}', "dropout: must be a finite number."),
        ({"learning_rate": 0}, "learning_rate: must be greater than 0."),
        ({"watch_words": ["Orla", 3]}, "watch_words: must be a string."),
        # A field that the command does not use must be valid too.
        ({"pace": "warp"}, "pace: "),
    ],
)
def test_a_file_that_is_not_a_spec_is_described_in_one_sentence(spec_file, content, reason):
    path = spec_file(content)
    with pytest.raises(SpecFileError) as refused:
        read_spec_file(path)
    assert str(refused.value).startswith(f"{path}: {reason}")
    assert str(refused.value).count("\n") == 0


def test_the_optimizer_of_a_file_sets_the_default_of_the_learning_rate(spec_file):
    found = read_spec_file(spec_file({"optimizer": "adam", "watch_words": []}))
    assert (found.values, found.unused) == ({"optimizer": "adam", "watch_words": []}, ())
    assert RunSpec(**found.values).learning_rate == 0.002
