"""`train --resume`: with which settings it goes on, and from what it does not."""

import pytest

from server.checkpoints.npz import read_archive, read_meta, write_archive
from tests.commands.conftest import contents, unusual
from tests.serving import PAGES
from tests.training import hurrah, same_training


def resume(book, out, *more):
    return hurrah("train", book, "--out", out, "--resume", *more)


def spec_of(out):
    return read_meta(out / "checkpoint.npz")["spec"]


def test_what_is_not_given_is_as_it_was(book, begun, tmp_path):
    before, whole = spec_of(begun), tmp_path / "whole"
    gone_on = resume(book, begun, "--updates", 250)
    assert gone_on.returncode == 0, gone_on.stderr
    assert "From here on: max updates 120 → 250." in gone_on.stdout
    assert spec_of(begun) == before | {"max_updates": 250}
    assert hurrah(*unusual(book, whole, updates=250)).returncode == 0
    same_training(whole, begun)


def test_with_nothing_given_nothing_is_another(book, begun):
    before = spec_of(begun), contents(begun)["losses.csv"]
    gone_on = resume(book, begun)
    assert gone_on.returncode == 0, gone_on.stderr
    assert "From here on" not in gone_on.stdout
    assert "All 120 updates were made already: --updates asks for more." in gone_on.stdout
    assert (spec_of(begun), contents(begun)["losses.csv"]) == before


def test_what_may_be_another_is_taken_and_said(book, begun):
    before = spec_of(begun)
    changes = ("--learning-rate", 0.05, "--sample-every", 30, "--checkpoint-every-s", 5)
    gone_on = resume(book, begun, "--updates", 200, "--clip", 0, *changes)
    assert gone_on.returncode == 0, gone_on.stderr
    for said in ("learning rate 0.0125 → 0.05", "clip 1 → none", "sample every 50 → 30"):
        assert said in " ".join(gone_on.stdout.split())
    changed = {"learning_rate": 0.05, "sample_every": 30, "checkpoint_every_s": 5.0}
    assert spec_of(begun) == before | changed | {"max_updates": 200, "clip": None}
    assert read_meta(begun / "checkpoint.npz")["trainer"]["learning_rate"] == 0.05
    assert "--- update 150," in (begun / "samples.txt").read_text()


@pytest.mark.parametrize(
    ("option", "value", "has"),
    [
        ("--sequence-length", 25, "8"),
        ("--hidden-size", 100, "12"),
        ("--cell", "gru", "rnn"),
        ("--optimizer", "adam", "adagrad"),
        ("--init-scale", 0.01, "none"),
        ("--batch-size", 2, "1"),
    ],
)
def test_what_the_checkpoint_has_grown_with_is_refused(book, begun, option, value, has):
    before = contents(begun)
    refused = resume(book, begun, "--updates", 200, option, value)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"{option}: can't be another when going on: the checkpoint has {has}.\n"
    )
    assert contents(begun) == before


def test_a_folder_that_is_not_there_is_not_made(book, out):
    refused = resume(book, out)
    assert refused.returncode == 1
    assert refused.stderr == f"There is no checkpoint.npz in {out} to go on from.\n"
    assert not out.exists()


@pytest.mark.parametrize(
    "other",
    [
        PAGES.replace("the", "het", 1),  # not one character more, less or new
        PAGES + PAGES[:100],
        PAGES + "ж",
    ],
)
def test_another_text_is_refused(book, begun, other):
    before = contents(begun)
    book.write_text(other, encoding="utf-8")
    refused = resume(book, begun, "--updates", 200)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"It can't go on from {begun / 'checkpoint.npz'}: the checkpoint was made with another"
        " text.\n"
    )
    assert contents(begun) == before


def test_the_same_text_in_another_encoding_is_no_other(book, begun):
    book.write_text(PAGES, encoding="utf-16")
    gone_on = resume(book, begun, "--updates", 200)
    assert gone_on.returncode == 0, gone_on.stderr


def test_a_checkpoint_that_does_not_say_its_text_is_gone_on_from(book, begun, tmp_path):
    whole = tmp_path / "whole"
    arrays, meta = read_archive(begun / "checkpoint.npz")
    said = meta.pop("text_sha256")
    write_archive(begun / "checkpoint.npz", arrays, meta)
    assert resume(book, begun, "--updates", 200).returncode == 0
    assert read_meta(begun / "checkpoint.npz")["text_sha256"] == said
    assert hurrah(*unusual(book, whole, updates=200)).returncode == 0
    same_training(whole, begun)
