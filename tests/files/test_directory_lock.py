"""A lock lets one process at a time use a directory."""

import os
import signal
import subprocess
import sys

import pytest

from server.files.directory_lock import DirectoryInUseError, lock_directory

HOLDER = """
import sys, time
from pathlib import Path
from server.files.directory_lock import lock_directory
with lock_directory(Path(sys.argv[1]), 0):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_directory_is_locked_for_one_process(tmp_path, holder):
    with pytest.raises(DirectoryInUseError, match=tmp_path.name), lock_directory(tmp_path, 0.1):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_released_when_its_process_is_killed(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    with lock_directory(tmp_path, 60):
        pass


def test_a_lock_is_released_after_its_block(tmp_path):
    for _ in range(2):
        with (
            lock_directory(tmp_path, 0),
            pytest.raises(DirectoryInUseError),
            lock_directory(tmp_path, 0),
        ):
            pass
