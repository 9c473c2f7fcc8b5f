"""`train --parameters`: weights of one's own to start from."""

import numpy as np

from server.checkpoints.npz import read_archive, read_meta
from tests.commands.conftest import contents
from tests.serving import PAGES
from tests.training import run_command

M, DISTINCT = 12, len(set(PAGES))


def weights(path, distinct=DISTINCT):
    rng = np.random.default_rng(0)
    shapes = {"U": (M, distinct), "W": (M, M), "b": (M,), "V": (distinct, M), "c": (distinct,)}
    np.savez(path, **{name: 0.1 * rng.standard_normal(shape) for name, shape in shapes.items()})
    return path


def test_train_starts_from_a_file_of_weights_and_the_report_says_so(book, out, tmp_path):
    path = weights(tmp_path / "mine.npz")
    start = ("train", book, "--out", out, "--parameters", path)
    # With a step of almost nothing, the weights stay those of the file.
    options = ("--updates", 1, "--dtype", "float64", "--optimizer", "sgd", "--learning-rate")
    done = run_command(*start, *options, "1e-300")
    assert done.returncode == 0, done.stderr
    assert "The weights are those of mine.npz." in done.stdout
    arrays, meta = read_archive(out / "checkpoint.npz")
    assert meta["spec"]["hidden_size"] == M
    with np.load(path) as own:
        for name in own.files:
            assert np.array_equal(arrays[f"parameters.{name}"], own[name]), name
    before = contents(out)
    for words, status, sentence in [
        (("--hidden-size", 13), 2, "--hidden-size: must be 12, as in the file"),
        (("--resume",), 2, "--parameters: the checkpoint that --resume continues has weights."),
    ]:
        refused = run_command(*start, *words)
        assert (refused.returncode, contents(out)) == (status, before), refused.stderr
        assert refused.stderr.startswith(sentence)
    resumed = run_command("train", book, "--out", out, "--resume", "--updates", 2)
    assert resumed.returncode == 0, resumed.stderr
    assert read_meta(out / "checkpoint.npz")["given_weights"]["file"] == "mine.npz"
    report = tmp_path / "report.html"
    done = run_command("report", out, "--text", book, "--out", report)
    assert done.returncode == 0, done.stderr
    assert "given: mine.npz." in report.read_text(encoding="utf-8")


def test_a_file_that_does_not_fit_leaves_no_directory(book, out, tmp_path):
    wrong = weights(tmp_path / "wrong.npz", DISTINCT + 1)
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(wrong.read_bytes()[:-50])
    for path, sentence in [
        (wrong, "distinct characters, but the text has"),
        (damaged, "cannot be used"),
        (tmp_path / "missing.npz", "No such file"),
    ]:
        refused = run_command("train", book, "--out", out, "--parameters", path)
        assert refused.returncode == 1, refused.stderr
        assert sentence in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert not out.exists()
