"""One process at a time in a folder."""

import os
import signal
import subprocess
import sys

import pytest

from server.files.directory_lock import FolderInUseError, claimed

HOLDER = """
import sys, time
from pathlib import Path
from server.files.directory_lock import claimed
with claimed(Path(sys.argv[1]), 0):
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


def test_a_folder_is_one_process_own(tmp_path, holder):
    with pytest.raises(FolderInUseError, match=tmp_path.name), claimed(tmp_path, 0.1):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_claim_ends_with_its_process_however_that_ends(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    with claimed(tmp_path, 60):
        pass


def test_a_claim_ends_with_its_block(tmp_path):
    for _ in range(2):
        with claimed(tmp_path, 0), pytest.raises(FolderInUseError), claimed(tmp_path, 0):
            pass
