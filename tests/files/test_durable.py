"""Directories and files that survive a power cut."""

import pytest

from server.files import durable


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
