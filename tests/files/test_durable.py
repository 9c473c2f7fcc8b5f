"""Directories and files that survive a power cut."""

import errno
import os
import stat

import pytest

from server.files import durable
from server.files.durable import copy_durably, make_directory, sync_directory
from tests.serving import PAGES, ROOT, RunningServer
from tests.training import run_command


def test_the_names_of_new_directories_are_made_durable(tmp_path, monkeypatch):
    synchronised = []
    monkeypatch.setattr(durable, "sync_directory", synchronised.append)
    durable.make_directory(tmp_path / "a" / "b" / "c")
    durable.make_directory(tmp_path / "a" / "b" / "c")
    assert synchronised == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        durable.make_directory(tmp_path / "file")


def test_only_the_unfinished_files_of_that_process_are_deleted(tmp_path):
    for directory in ("checkpoints", "snapshots"):
        (tmp_path / directory).mkdir()
        for name in (".a.npz.12.tmp", ".a.npz.112.tmp", ".a.tmp", "a.npz"):
            (tmp_path / directory / name).touch()
    durable.clear_unfinished(tmp_path, 12)
    left = sorted(path.name for path in tmp_path.glob("*/*"))
    assert left == sorted([".a.npz.112.tmp", ".a.tmp", "a.npz"] * 2)


@pytest.fixture
def _no_directory_sync(monkeypatch):
    """A file system on which directories cannot be flushed."""
    fsync = os.fsync

    def fsync_of_files(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync_of_files)
    durable._warn.cache_clear()


@pytest.mark.usefixtures("_no_directory_sync")
def test_a_directory_that_cannot_be_flushed_gives_one_warning(tmp_path, caplog):
    make_directory(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("text")
    for name in ("one", "two"):
        copy_durably(tmp_path / "file", tmp_path / "a" / name)
        assert (tmp_path / "a" / name).read_text() == "text"
    [record] = caplog.records
    assert "may be lost when the power fails" in record.message


def test_other_errors_of_a_flush_are_errors(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        sync_directory(tmp_path)


NO_DIRECTORY_SYNC = """
import errno, os, stat
fsync = os.fsync

def fsync_of_files(descriptor):
    number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
    if stat.S_ISDIR(os.fstat(number).st_mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    fsync(number)

os.fsync = fsync_of_files
"""


@pytest.mark.process
def test_training_and_serving_go_on_where_directories_cannot_be_flushed(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(NO_DIRECTORY_SYNC)
    path = f"{tmp_path}:{ROOT}"
    (tmp_path / "book.txt").write_text(PAGES, encoding="utf-8")
    train = ("train", tmp_path / "book.txt", "--out", tmp_path / "out", "--updates", 20)
    done = run_command(*train, "--hidden-size", 4, before=("env", f"PYTHONPATH={path}"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("may be lost when the power fails") == 1
    assert (tmp_path / "out" / "checkpoint.npz").is_file()
    with RunningServer(tmp_path / "data", "--no-demo", PYTHONPATH=path) as server:
        run = server.create(hidden_size=4, sample_length=5, max_updates=20)
        assert server.until_ended(run)["update"] == 20
        assert server.post(run, "checkpoints")["update"] == 20
