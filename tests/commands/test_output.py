"""Errors of the operating system name the file."""

import os

import pytest

from server.checkpoints.npz import read_archive, write_archive
from tests.commands.conftest import train_command
from tests.serving import PAGES
from tests.training import run_command, started_command

LIMITS = {"RLIMIT_FSIZE": 100_000}


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("losses.csv", {"updates": 20_000, "sample_every": 20_000}),
        ("samples.txt", {"sample_length": 20_000, "sample_every": 1}),
        ("checkpoint.npz", {"hidden_size": 250, "sample_every": 1_000}),
    ],
)
def test_a_file_that_reaches_the_limit_is_named(book, out, name, changed):
    failed = run_command(*train_command(book, out, **changed), limits=LIMITS)
    assert failed.returncode == 1
    assert failed.stderr == f"{out / name}: File too large.\n"


def test_a_training_resumes_after_the_limit_is_lifted(book, out, tmp_path):
    whole, settings = tmp_path / "whole", {"updates": 4_000, "sample_every": 1_000}
    assert run_command(*train_command(book, out)).returncode == 0
    failed = run_command(*train_command(book, out, **settings), "--resume", limits=LIMITS)
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


def test_a_text_that_the_terminal_cannot_show_is_trained_to_the_end(tmp_path, out):
    book = tmp_path / "book.txt"
    book.write_text(PAGES.replace("e", "\u2019"), encoding="utf-8")
    narrow = ("env", "PYTHONIOENCODING=latin-1")
    done = run_command(*train_command(book, out, updates=300), before=narrow)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Done: 300 updates." in done.stdout
    assert "\u2019" in (out / "samples.txt").read_text("utf-8")
    written = run_command("sample", out / "best.npz", "--length", 200, before=narrow)
    assert (written.returncode, written.stderr) == (0, "")
    assert "?" in written.stdout


def test_a_terminal_gets_control_characters_as_escapes_and_a_file_gets_them_exactly(tmp_path, out):
    book = tmp_path / "book.txt"
    book.write_text(PAGES.replace("e", "\u202e"), encoding="utf-8")
    done = run_command(*train_command(book, out))
    assert done.returncode == 0, done.stderr
    assert "\u202e" not in done.stdout
    assert "\\u202e" in done.stdout
    assert "\u202e" in (out / "samples.txt").read_text("utf-8")
    arrays, meta = read_archive(out / "best.npz")
    meta["vocabulary"] = "".join(meta["vocabulary"]).replace(" ", "\x1b")
    write_archive(tmp_path / "hostile.npz", arrays, meta)
    command = ("sample", tmp_path / "hostile.npz", "--length", 200)
    exact = run_command(*command).stdout
    assert "\x1b" in exact
    assert "\u202e" in exact
    terminal, its_end = os.openpty()
    with started_command(*command, stdout=its_end) as process:
        os.close(its_end)
        with os.fdopen(terminal, encoding="utf-8") as screen:
            shown = screen.read(len(exact))
        process.wait()
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b" in shown
    assert "\\u202e" in shown


def test_a_sample_that_cannot_be_written_ends_with_a_sentence(trained):
    full = ("/bin/sh", "-c", 'exec "$@" > /dev/full', "sh")
    failed = run_command("sample", trained / "best.npz", before=full)
    assert failed.returncode == 1
    assert failed.stderr == "Standard output: No space left on device.\n"


@pytest.mark.parametrize(("name", "directory"), [("book", "book-training"), ("book.txt", "book")])
def test_the_default_directory_is_never_the_text(tmp_path, name, directory):
    (tmp_path / name).write_text(PAGES, encoding="utf-8")
    train = ("train", name, "--updates", 5, "--hidden-size", 4)
    for more in ((), ("--updates", 8, "--resume")):
        done = run_command(*train, *more, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / directory / "checkpoint.npz").is_file()
    assert (tmp_path / name).read_text(encoding="utf-8") == PAGES


def test_the_licence_of_project_gutenberg_is_left_out_on_request(tmp_path, book, out):
    book.write_text(PAGES + "\n", encoding="utf-8")
    plain = run_command(*train_command(book, tmp_path / "plain"), "--leave-out-licence")
    assert plain.returncode == 0, plain.stderr
    assert "The text has no licence of Project Gutenberg to leave out." in plain.stdout
    start, end = (f"*** {side} OF THE PROJECT GUTENBERG EBOOK X ***\n" for side in ("START", "END"))
    book.write_text(start + PAGES + "\n" + end, encoding="utf-8")
    done = run_command(*train_command(book, out), "--leave-out-licence")
    assert done.returncode == 0, done.stderr
    assert f"has {len(start)} characters at the start and {len(end)} char" in " ".join(
        done.stdout.split()
    )
    assert (out / "losses.csv").read_bytes() == (tmp_path / "plain" / "losses.csv").read_bytes()
    whole = run_command(*train_command(book, tmp_path / "whole"))
    assert "--leave-out-licence" in whole.stdout
    assert (tmp_path / "whole" / "losses.csv").read_bytes() != (out / "losses.csv").read_bytes()


def test_a_file_in_place_of_the_directory_is_named(book, out):
    out.write_text("not a directory")
    failed = run_command(*train_command(book, out))
    assert failed.returncode == 1
    assert failed.stderr == f"{out} is a file, or inside one: choose a directory with --out.\n"


def test_the_numbers_may_be_float64(book, out):
    assert run_command(*train_command(book, out, dtype="float64")).returncode == 0
    arrays, meta = read_archive(out / "checkpoint.npz")
    assert meta["spec"]["dtype"] == "float64"
    assert arrays["parameters.W"].dtype == "float64"


def test_a_training_ends_with_a_sample_that_a_later_one_leaves_out(book, out, tmp_path):
    whole = tmp_path / "whole"
    settings = {"updates": 120, "sample_every": 50}
    assert run_command(*train_command(book, out, **settings)).returncode == 0
    assert (out / "samples.txt").read_text().count("--- update 120,") == 1
    assert run_command(*train_command(book, out, **settings), "--resume").returncode == 0
    assert (out / "samples.txt").read_text().count("--- update 120,") == 1
    settings["updates"] = 160
    assert run_command(*train_command(book, out, **settings), "--resume").returncode == 0
    assert run_command(*train_command(book, whole, **settings)).returncode == 0
    assert (out / "samples.txt").read_text() == (whole / "samples.txt").read_text()
