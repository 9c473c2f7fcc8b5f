"""`train --resume`: the settings it continues with, and the checkpoints it refuses."""

import csv

import pytest

from server.checkpoints.npz import read_archive, read_meta, write_archive
from server.rnn.metrics import measured_updates
from tests.commands.conftest import contents, train_command
from tests.serving import PAGES
from tests.training import assert_same_training, run_command


def resume(book, out, *more):
    return run_command("train", book, "--out", out, "--resume", *more)


def spec_of(out):
    return read_meta(out / "checkpoint.npz")["spec"]


def test_options_that_are_not_given_keep_their_values(book, trained, tmp_path):
    before, whole = spec_of(trained), tmp_path / "whole"
    resumed = resume(book, trained, "--updates", 250)
    assert resumed.returncode == 0, resumed.stderr
    assert "Changed: max updates 120 → 250." in resumed.stdout
    assert spec_of(trained) == before | {"max_updates": 250}
    assert run_command(*train_command(book, whole, updates=250)).returncode == 0
    assert_same_training(whole, trained)


def test_without_options_nothing_changes(book, trained):
    before = spec_of(trained), contents(trained)["losses.csv"]
    resumed = resume(book, trained)
    assert resumed.returncode == 0, resumed.stderr
    assert "Changed:" not in resumed.stdout
    said = "All 120 updates have already been made: set a higher number with --updates."
    assert said in resumed.stdout
    assert (spec_of(trained), contents(trained)["losses.csv"]) == before


def test_changed_settings_are_applied_and_printed(book, trained):
    before = spec_of(trained)
    changes = ("--learning-rate", 0.05, "--sample-every", 30, "--checkpoint-every-s", 5)
    resumed = resume(book, trained, "--updates", 200, "--clip", 0, *changes)
    assert resumed.returncode == 0, resumed.stderr
    for said in ("learning rate 0.0125 → 0.05", "clip 1 → none", "sample every 50 → 30"):
        assert said in " ".join(resumed.stdout.split())
    changed = {"learning_rate": 0.05, "sample_every": 30, "checkpoint_every_s": 5.0}
    assert spec_of(trained) == before | changed | {"max_updates": 200, "clip": None}
    assert read_meta(trained / "checkpoint.npz")["trainer"]["learning_rate"] == 0.05
    assert "--- update 150," in (trained / "samples.txt").read_text()
    rows = list(csv.DictReader((trained / "metrics.csv").read_text().splitlines()))
    assert [int(row["update"]) for row in rows] == list(measured_updates(1, 200))
    unknown = [int(row["update"]) for row in rows if not row["clipped_share"]]
    assert unknown == list(measured_updates(121, 200))
    assert [row["learning_rate"] for row in rows if int(row["update"]) > 120] == ["0.05"] * len(
        unknown
    )


def test_a_training_of_a_version_without_metrics_has_those_of_the_new_updates(book, trained):
    arrays, meta = read_archive(trained / "checkpoint.npz")
    del meta["lengths_bytes"]["metrics.csv"]
    write_archive(trained / "checkpoint.npz", arrays, meta)
    assert resume(book, trained, "--updates", 200).returncode == 0
    rows = list(csv.DictReader((trained / "metrics.csv").read_text().splitlines()))
    assert [int(row["update"]) for row in rows] == list(measured_updates(121, 200))


@pytest.mark.parametrize(
    ("option", "value", "made_with"),
    [
        ("--sequence-length", 25, "8"),
        ("--hidden-size", 100, "12"),
        ("--cell", "gru", "rnn"),
        ("--optimizer", "adam", "adagrad"),
        ("--init-scale", 0.01, "none"),
        ("--batch-size", 2, "1"),
    ],
)
def test_a_change_of_the_network_or_the_batches_is_refused(book, trained, option, value, made_with):
    before = contents(trained)
    refused = resume(book, trained, "--updates", 200, option, value)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"{option}: cannot be changed by --resume: the checkpoint was made with {made_with}.\n"
    )
    assert contents(trained) == before


def test_a_missing_directory_is_not_created(book, out):
    refused = resume(book, out)
    assert refused.returncode == 1
    assert refused.stderr == f"There is no checkpoint.npz in {out} to resume.\n"
    assert not out.exists()


@pytest.mark.parametrize(
    "other",
    [
        PAGES.replace("the", "het", 1),  # the same characters, in another order
        PAGES + PAGES[:100],
        PAGES + "ж",
    ],
)
def test_another_text_is_refused(book, trained, other):
    before = contents(trained)
    book.write_text(other, encoding="utf-8")
    refused = resume(book, trained, "--updates", 200)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"Cannot resume from {trained / 'checkpoint.npz'}: the checkpoint was made with another"
        " text.\n"
    )
    assert contents(trained) == before


def test_the_same_text_in_another_encoding_is_accepted(book, trained):
    book.write_text(PAGES, encoding="utf-16")
    resumed = resume(book, trained, "--updates", 200)
    assert resumed.returncode == 0, resumed.stderr


def test_a_checkpoint_without_a_hash_of_its_text_is_accepted(book, trained, tmp_path):
    whole = tmp_path / "whole"
    arrays, meta = read_archive(trained / "checkpoint.npz")
    said = meta.pop("text_sha256")
    write_archive(trained / "checkpoint.npz", arrays, meta)
    assert resume(book, trained, "--updates", 200).returncode == 0
    assert read_meta(trained / "checkpoint.npz")["text_sha256"] == said
    assert run_command(*train_command(book, whole, updates=200)).returncode == 0
    assert_same_training(whole, trained)


def test_a_resume_with_another_number_of_threads_says_so(book, trained):
    assert "linear algebra" not in resume(book, trained, "--updates", 130).stdout
    more = ("--out", trained, "--resume", "--updates", 140)
    four = ("env", "OPENBLAS_NUM_THREADS=4")
    resumed = run_command("train", book, *more, before=four)
    assert resumed.returncode == 0, resumed.stderr
    said = " ".join(resumed.stdout.split())
    assert "The number of threads of the linear algebra was 1 and is 4 now" in said
