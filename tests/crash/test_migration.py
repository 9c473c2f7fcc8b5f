"""kill -9 in the middle of a migration; for a full disk see test_full_disk.py."""

import os
import signal

import pytest

from server.store.migrations import VERSION, backup_path
from tests.processes import is_stopped
from tests.serving import RunningServer, until
from tests.store.version_0 import EXPECTED, add_samples, contents, unpack

PASSAGES = len(EXPECTED["shown"]["kept"])


@pytest.mark.parametrize(
    ("point", "version"),
    [("migration.backed_up", 0), ("migration.changed", 0), ("migration.committed", 1)],
)
def test_a_killed_migration_is_done_completely_or_not_at_all(tmp_path, point, version):
    path = unpack(tmp_path)
    # More than the page cache of SQLite, so that the file changes before the commit.
    add_samples(path, 3_000)
    before = contents(path)
    server = RunningServer(tmp_path, "--no-demo", listens=False, HURRAH_STOP_AT=point)
    until(lambda: is_stopped(server.process.pid))
    os.kill(server.process.pid, signal.SIGKILL)
    server.wait()
    journal = path.with_name("hurrah.db-journal")
    # The journal restores the pages that the migration has already changed in the file.
    assert journal.exists() == (point == "migration.changed")
    assert contents(backup_path(path, 0)) == before
    after = contents(path)
    assert after[0] == version
    if version == 0:
        assert after == before
    with RunningServer(tmp_path, "--no-demo") as again:
        shown = {run["id"]: run["update"] for run in again.client.get("/api/runs").json()}
        assert shown == {
            each["run"]["id"]: each["run"]["update"] for each in EXPECTED["shown"]["runs"].values()
        }
        assert again.client.get("/api/passages").json()["total"] == PASSAGES
    assert contents(path)[0] == VERSION
    assert contents(backup_path(path, 0)) == before
