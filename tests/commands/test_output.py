"""What `train` can't write is named."""

import pytest

from tests.commands.conftest import unusual
from tests.training import hurrah

# A quota, as any user can have one: at most 200 blocks a file, of 512 or 1,024 bytes.
LIMITED = ("/bin/sh", "-c", 'ulimit -f 200; exec "$@"', "sh")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("losses.csv", {"updates": 20_000, "sample_every": 20_000}),
        ("samples.txt", {"sample_length": 20_000, "sample_every": 1}),
        ("checkpoint.npz", {"hidden_size": 250, "sample_every": 1_000}),
    ],
)
def test_the_file_that_may_not_grow_is_named(book, out, name, changed):
    failed = hurrah(*unusual(book, out, **changed), before=LIMITED)
    assert failed.returncode == 1
    assert failed.stderr == f"{out / name}: File too large.\n"


def test_it_goes_on_where_it_may(book, out, tmp_path):
    whole, settings = tmp_path / "whole", {"updates": 8_000, "sample_every": 1_000}
    assert hurrah(*unusual(book, out)).returncode == 0
    failed = hurrah(*unusual(book, out, **settings), "--resume", before=LIMITED)
    assert failed.stderr == f"{out / 'losses.csv'}: File too large.\n"
    assert hurrah(*unusual(book, out, **settings), "--resume").returncode == 0
    assert hurrah(*unusual(book, whole, **settings)).returncode == 0
    assert (out / "losses.csv").read_bytes() == (whole / "losses.csv").read_bytes()


def test_a_file_that_is_no_file_is_named(book, out):
    (out / "samples.txt").mkdir(parents=True)
    failed = hurrah(*unusual(book, out))
    assert failed.returncode == 1
    assert failed.stderr == f"{out / 'samples.txt'}: Is a directory.\n"


def test_a_text_that_can_not_be_read_is_named(tmp_path, out):
    failed = hurrah(*unusual(tmp_path, out))
    assert failed.returncode == 1
    assert failed.stderr == f"{tmp_path}: Is a directory.\n"
    assert not out.exists()
