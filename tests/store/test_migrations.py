"""Migrations of the database: complete or not at all, with a backup, and never backwards."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from server.history.run_history import Records
from server.rnn.metrics import MEASURED_EVERY as N
from server.spec.schemas import Group
from server.store import migrations, queries
from server.store.database import Store
from server.store.migrations import (
    TABLES_0,
    VERSION,
    MigrationError,
    NewerDatabaseError,
    backup_path,
    check_version,
    open_database,
    read_version,
)
from tests.store.test_database import some_run
from tests.store.version_0 import contents, files, renamed, unpack
from tests.training import run_command


@pytest.fixture
def old(tmp_path):
    """The database of a data directory of version 0."""
    return unpack(tmp_path)


def open_and_close(path):
    open_database(path).close()


def schema(path):
    """Return the SQL of every table and index, without insignificant differences."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
        return {
            (kind, name, table, sql and " ".join(sql.replace('"', "").split()))
            for kind, name, table, sql in rows
        }


def without_later_tables(path, version):
    """Make a database one of an earlier version that lacks no columns."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    with closing(sqlite3.connect(":memory:")) as earlier:
        for migrate in migrations.MIGRATIONS[:version]:
            migrate(earlier)
        known = {name for (name,) in earlier.execute(tables)}
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute(tables).fetchall():
            if name not in known:
                connection.execute(f"DROP TABLE {name}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()


def test_a_new_database_has_the_newest_version_and_no_backup(tmp_path):
    path = tmp_path / "hurrah.db"
    with closing(open_database(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        # The file itself has it, so that it can be read without the write-ahead log.
        assert read_version(path) == VERSION
    assert [each.name for each in tmp_path.iterdir()] == ["hurrah.db"]


def test_a_database_whose_checkpoint_was_interrupted_can_be_opened(tmp_path):
    """As after a shutdown on a full disk: the header counts pages that are not yet in the file."""
    whole, broken = tmp_path / "whole" / "hurrah.db", tmp_path / "broken" / "hurrah.db"
    for directory in (whole.parent, broken.parent):
        directory.mkdir()
    with closing(open_database(whole)) as connection:
        connection.execute("INSERT INTO runs VALUES ('a', 1, ?)", ("x" * 1_000_000,))
        connection.commit()
        for each in ("hurrah.db", "hurrah.db-wal"):
            shutil.copy(whole.parent / each, broken.parent / each)
    page = whole.read_bytes()[:16_384]
    with broken.open("r+b") as file:
        file.write(page)
    assert int.from_bytes(page[28:32], "big") * len(page) > broken.stat().st_size
    before = {each.name: each.read_bytes() for each in broken.parent.iterdir()}
    check_version(broken)
    assert read_version(broken) == VERSION
    assert {each.name: each.read_bytes() for each in broken.parent.iterdir()} == before
    with closing(open_database(broken)) as connection:
        assert connection.execute("SELECT length(run) FROM runs").fetchall() == [(1_000_000,)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("content", [b"SQLite format 3\0", b"x" * 1_000])
def test_another_file_is_not_a_database(tmp_path, content):
    path = tmp_path / "hurrah.db"
    path.write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        check_version(path)


def test_a_migrated_database_has_the_schema_of_a_new_one(old, tmp_path):
    assert read_version(old) == 0
    open_and_close(old)
    assert read_version(old) == VERSION
    new = tmp_path / "new.db"
    open_and_close(new)
    assert schema(old) == schema(new)


def test_a_database_of_an_early_version_gets_the_tables_that_it_lacks(tmp_path):
    early, new = tmp_path / "early.db", tmp_path / "new.db"
    with closing(sqlite3.connect(early)) as connection:
        connection.executescript(TABLES_0)
        for table in ("kept", "training_time", "least_smooth", "smoothed"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("INSERT INTO runs VALUES ('a', 1, '{}')")
        connection.commit()
    open_and_close(early)
    open_and_close(new)
    assert schema(early) == schema(new)
    with closing(sqlite3.connect(early)) as connection:
        assert connection.execute("SELECT * FROM runs").fetchall() == [("a", 1, "{}")]


TRICKY = [
    '"invented":',
    '\\"invented\\":[1]',
    "invented",
    '{"receipt":"short_of_room"}',
    '\\\\","invented":[],"',
    "naïve 🐑 \u2028\x00\n",
]


def test_only_keys_of_stored_json_are_renamed(tmp_path):
    path = tmp_path / "hurrah.db"
    stored = {
        "runs": [{"name": text, "short_of_room": text == TRICKY[0]} for text in TRICKY],
        "samples": [
            {
                "text": text,
                "smooth_loss": 1 / 3,
                "hurrahs": TRICKY,
                "invented": [[0, 1]],
                "replay": {"text": text, "invented": []} if text == TRICKY[0] else None,
            }
            for text in TRICKY
        ],
        "kept": [
            {
                "model_kept": True,
                "title": text,
                "passages": [{"text": text, "receipt": text, "invented": []}] * 2,
            }
            for text in TRICKY
        ],
    }
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES_0)
        for number, text in enumerate(TRICKY):
            run, sample, kept = (
                json.dumps(stored[table][number], ensure_ascii=False, separators=(",", ":"))
                for table in ("runs", "samples", "kept")
            )
            connection.execute("INSERT INTO runs VALUES (?, ?, ?)", (text, number, run))
            connection.execute("INSERT INTO samples VALUES ('a', ?, ?)", (number, sample))
            connection.execute(
                "INSERT INTO kept (id, run, receipt, model, changes, kept)"
                " VALUES (?, 'a', ?, 'm', 7, ?)",
                (text, f"r{number}", kept),
            )
        connection.commit()
    with closing(open_database(path)) as connection:
        for table, column, order in (
            ("runs", "run", "number"),
            ("samples", "sample", "update_"),
            ("saved_passages", "passage", "number"),
        ):
            rows = connection.execute(f"SELECT {column} FROM {table} ORDER BY {order}")
            before = stored["kept" if table == "saved_passages" else table]
            assert [json.loads(row[0]) for row in rows] == renamed(before)
        rows = connection.execute(
            "SELECT number, id, run, fingerprint, model, changes FROM saved_passages"
        )
        assert rows.fetchall() == [
            (number + 1, text, "a", f"r{number}", "m", 7) for number, text in enumerate(TRICKY)
        ]
        # The numbers of deleted passages are not used again.
        connection.execute("DELETE FROM saved_passages")
        added = connection.execute(
            "INSERT INTO saved_passages (id, run, fingerprint, model, passage)"
            " VALUES ('b', 'a', 'r', 'm', '{}')"
        )
        assert added.lastrowid == len(TRICKY) + 1


def test_every_run_keeps_the_factor_of_its_smooth_loss(tmp_path):
    """Before the spec named it, it did not depend on the sizes."""
    path = tmp_path / "hurrah.db"
    specs = [{"sequence_length": 50, "batch_size": 50, "seed": 2**62, "learning_rate": 1e-07}, {}]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES_0)
        for number, spec in enumerate(specs):
            text = json.dumps({"spec": spec, "smooth_loss": 0.1 + 0.2}, separators=(",", ":"))
            connection.execute("INSERT INTO runs VALUES (?, ?, ?)", (str(number), number, text))
        connection.execute("INSERT INTO runs VALUES ('damaged', 7, '{\"spec\":')")
        connection.commit()
    store = Store(path)
    try:
        rows = [row[0] for row in store.connection.execute("SELECT run FROM runs ORDER BY number")]
        assert [json.loads(row) for row in rows[:2]] == [
            {"spec": {**spec, "loss_smoothing": 0.999}, "smooth_loss": 0.1 + 0.2} for spec in specs
        ]
        assert rows[2] == '{"spec":'
        assert store.smoothing("0") == 0.999
    finally:
        store.close()


def test_the_update_of_a_validation_loss_is_that_of_the_last_sample_with_one(tmp_path):
    path = tmp_path / "hurrah.db"
    runs = [{"validation_loss": 50.5}, {"validation_loss": None}, {"validation_loss": 40.0}]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES_0)
        for number, run in enumerate(runs):
            text = json.dumps(run, separators=(",", ":"))
            connection.execute("INSERT INTO runs VALUES (?, ?, ?)", (str(number), number, text))
        for update, loss in ((0, 90.5), (20_000, 51), (30_000, 50.5), (40_000, None)):
            text = json.dumps({"validation_loss": loss}, separators=(",", ":"))
            connection.execute("INSERT INTO samples VALUES ('0', ?, ?)", (update, text))
        connection.execute("INSERT INTO runs VALUES ('damaged', 7, '{\"spec\":')")
        connection.commit()
    store = Store(path)
    try:
        rows = [row[0] for row in store.connection.execute("SELECT run FROM runs ORDER BY number")]
        assert [json.loads(row) for row in rows[:3]] == [
            {"validation_loss": 50.5, "validation_update": 30_000},
            {"validation_loss": None},
            # A fork: its loss was measured before it was forked.
            {"validation_loss": 40.0, "validation_update": None},
        ]
        assert rows[3] == '{"spec":'
        assert queries.last_validated(store, "0", 40_000) == 30_000
        assert queries.last_validated(store, "0", 29_999) == 20_000
        assert queries.last_validated(store, "2", 40_000) is None
    finally:
        store.close()


def test_the_runs_that_wait_keep_their_order(tmp_path):
    """Before the queue was stored, the run that was created first was the first to start."""
    path = tmp_path / "hurrah.db"
    states = ["queued", "running", "queued", "paused", "queued"]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES_0)
        for number, state in enumerate(states):
            # The ids are in another order than the numbers.
            connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?)",
                (f"{9 - number}", number, json.dumps({"state": state, "spec": {}})),
            )
        connection.execute("INSERT INTO runs VALUES ('damaged', 7, '{\"state\":\"queued')")
        connection.commit()
    store = Store(path)
    try:
        assert queries.queued_runs(store) == ["9", "7", "5"]
        store.save_queue_durably(["5", "9", "7"])
        assert queries.queued_runs(store) == ["5", "9", "7"]
        store.delete_run("9")
        assert queries.queued_runs(store) == ["5", "7"]
    finally:
        store.close()


def test_a_run_of_before_has_no_remarks_and_can_get_some(old):
    with closing(sqlite3.connect(old)) as connection:
        (run,) = connection.execute("SELECT id FROM runs LIMIT 1").fetchone()
    store = Store(old)
    try:
        assert queries.report_remarks(store, run) is None
        for text in ('{"title":"first"}', '{"title":"second"}'):
            store.save_report_remarks(run, text)
            assert queries.report_remarks(store, run) == text
    finally:
        store.close()
    store = Store(old)
    try:
        assert queries.report_remarks(store, run) == '{"title":"second"}'
        store.delete_run(run)
        assert queries.report_remarks(store, run) is None
    finally:
        store.close()


def test_a_run_of_before_has_no_losses_of_the_user_and_can_get_some(old):
    with closing(sqlite3.connect(old)) as connection:
        run, text = connection.execute("SELECT id, run FROM runs LIMIT 1").fetchone()
    store = Store(old)
    try:
        (found,) = [each for each in queries.list_runs(store) if each.id == run]
        assert (found.own_losses, found.given_weights) == (None, None)
        assert queries.own_losses(store, run) is None
        for rows in (b"first", b"second"):
            store.save_own_losses(run, text, rows)
    finally:
        store.close()
    store = Store(old)
    try:
        assert queries.own_losses(store, run) == b"second"
        store.save_own_losses(run, text, None)
        assert queries.own_losses(store, run) is None
        store.save_own_losses(run, text, b"third")
        store.delete_run(run)
        assert queries.own_losses(store, run) is None
    finally:
        store.close()


def test_rows_are_changed_in_portions_and_progress_is_logged(old, monkeypatch, caplog):
    monkeypatch.setattr(migrations, "ROWS_PER_STATEMENT", 3)
    monkeypatch.setattr(migrations, "SECONDS_BETWEEN_LOGS", 0.0)
    open_and_close(old)
    assert f"Migrating the database from version 0 to {VERSION} ..." in caplog.text
    assert "Migrating the database: samples, 100 %." in caplog.text
    with closing(sqlite3.connect(old)) as connection:
        (left,) = connection.execute(
            "SELECT count(*) FROM samples WHERE json_type(sample, '$.invented') IS NOT NULL"
        ).fetchone()
    assert left == 0


def test_the_backup_is_the_database_of_before_and_a_later_start_leaves_it(old):
    before = contents(old)
    open_and_close(old)
    backup = backup_path(old, 0)
    assert contents(backup) == before
    left = files(old.parent)
    for _ in range(2):
        open_and_close(old)
    assert files(old.parent)[backup.relative_to(old.parent)] == left[backup.relative_to(old.parent)]
    assert {path.name for path in old.parent.glob("*hurrah.db*")} == {"hurrah.db", backup.name}


def test_the_backup_of_an_earlier_attempt_is_replaced(old, tmp_path):
    stale, half = backup_path(old, 0), tmp_path / ".hurrah.db.v0.bak.tmp"
    for path in (stale, half):
        path.write_bytes(b"of an earlier attempt")
    before = contents(old)
    open_and_close(old)
    assert contents(stale) == before
    assert not half.exists()


CRASH = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode = WAL")
connection.execute(sys.argv[2])
connection.commit()
os.kill(os.getpid(), 9)
"""


def crash_after(path, statement):
    """Execute a statement and leave its change in the write-ahead log, as a killed server does."""
    ended = subprocess.run([sys.executable, "-c", CRASH, path, statement], check=False)
    assert ended.returncode == -9
    assert path.with_name(f"{path.name}-wal").stat().st_size > 0


def test_what_a_crash_left_in_the_write_ahead_log_is_migrated_and_backed_up(old):
    crash_after(old, "UPDATE runs SET number = number + 40")
    open_and_close(old)
    for path, table in ((old, "saved_passages"), (backup_path(old, 0), "kept")):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT max(number) FROM runs").fetchone() == (42,)
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def fail(_connection):
    raise sqlite3.OperationalError("no such thing")


@pytest.mark.parametrize("where", ["first", "another"])
def test_a_migration_that_fails_is_rolled_back(old, monkeypatch, where):
    before = contents(old)
    if where == "first":
        rename_key = migrations._rename_key

        def rename_all_but_the_last(connection, table, column, old_name, new_name):
            if old_name == "receipt":
                fail(connection)
            rename_key(connection, table, column, old_name, new_name)

        monkeypatch.setattr(migrations, "_rename_key", rename_all_but_the_last)
    else:
        monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, fail))
        monkeypatch.setattr(migrations, "VERSION", VERSION + 1)
    with pytest.raises(MigrationError, match="is unchanged: no such thing") as raised:
        Store(old)
    assert str(old) in str(raised.value)
    assert contents(backup_path(old, 0)) == before
    if where == "first":
        assert contents(old) == before
    else:
        # Each migration is a transaction of its own: those before it are done.
        assert contents(old)[0] == VERSION
        assert f"from version {VERSION} to {VERSION + 1}" in str(raised.value)
    monkeypatch.undo()
    open_and_close(old)
    assert contents(old)[0] == VERSION


def test_a_backup_that_cannot_be_made_leaves_everything_as_it_was(old, monkeypatch):
    before = contents(old)

    def no_room(_source, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", no_room)
    with pytest.raises(MigrationError, match="unchanged: There is no space left on the disk"):
        Store(old)
    assert contents(old) == before
    assert {path.name for path in old.parent.glob("*hurrah.db*")} == {"hurrah.db"}


@pytest.mark.parametrize("crashed", [False, True])
def test_a_newer_database_is_refused_and_nothing_is_written(tmp_path, crashed):
    path = tmp_path / "hurrah.db"
    store = Store(path)
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.execute("CREATE TABLE of_tomorrow (id)")
        connection.commit()
    if crashed:
        crash_after(path, "INSERT INTO of_tomorrow VALUES (1)")
    before = files(tmp_path)
    with pytest.raises(NewerDatabaseError) as raised:
        Store(path)
    assert files(tmp_path) == before
    assert str(raised.value) == (
        f"{path} has version {VERSION + 1}, but this program can use only versions up to {VERSION}:"
        " use the newer version of Hurrah that created it."
    )


def test_a_run_of_a_database_without_metrics_keeps_its_losses_and_gets_metrics(tmp_path):
    path, losses = tmp_path / "hurrah.db", np.arange(1.0, 5 * N)
    store = Store(path)
    store.add_run("a", "{}")
    store.add_report("a", "{}", Records(1, losses), [])
    store.close()
    without_later_tables(path, 6)
    store = Store(path)
    try:
        assert read_version(backup_path(path, 6)) == 6
        assert queries.metric_names(store, "a") == []
        more = Records(5 * N, np.ones(2 * N), {"gradient_norm": np.array([5.0, 6.0])})
        store.add_report("a", "{}", more, [])
        assert queries.losses(store, "a", 1, 5 * N - 1).tolist() == losses.tolist()
        (values,) = queries.metric_values(store, "a", ["gradient_norm"], range(N, 6 * N + 1, N))
        assert np.isnan(values[:4]).all()
        assert values[4:].tolist() == [5.0, 6.0]
    finally:
        store.close()


def test_a_run_of_a_database_without_groups_is_in_none_and_can_get_one(tmp_path):
    path = tmp_path / "hurrah.db"
    store = Store(path)
    run = some_run("a")
    store.add_run("a", run.model_dump_json(exclude={"group"}))
    store.close()
    without_later_tables(path, 7)
    store = Store(path)
    try:
        assert queries.list_runs(store) == [run]
        group = Group(id="g", name="Three", runs=["a", "b"], created_at="now")
        store.add_group(group, [("b", some_run("b").model_dump_json())])
        assert queries.list_groups(store) == [group]
        found = [each.group and each.group.name for each in queries.list_runs(store)]
        assert found == ["Three", "Three"]
        store.delete_run("a")
        assert queries.list_groups(store) == [group.model_copy(update={"runs": ["b"]})]
        store.delete_run("b")
        assert queries.list_groups(store) == []
        assert store.connection.execute("SELECT * FROM run_groups").fetchall() == []
    finally:
        store.close()


def test_a_server_refuses_the_data_directory_of_a_newer_version(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    path = unpack(data)
    open_and_close(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 6}")
    # A start deletes these in a directory that it can use.
    for leftover in ("runs/.deleted-0123456789ab/snapshots", "runs/0123456789ab", "corpora/.new-x"):
        (data / leftover).mkdir(parents=True)
    (data / "runs" / "0123456789ab" / "any").write_text("any")
    before = files(data)
    resumes = {"HURRAH_RESUME": "1"}
    ended = run_command("serve", "--port", 0, "--data-dir", data, environment=resumes)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"{path} has version {VERSION + 6}, but this program can use only versions up to {VERSION}:"
        " use the newer version of Hurrah that created it.\n"
    )
    assert files(data) == before
