"""The version of the database, and the migrations from older versions.

`PRAGMA user_version` is the version of a database: how many of `MIGRATIONS` it has had. To change
the schema, change `server.store.schema`, which creates new databases, and append a migration that
makes the same change to an existing one. A migration is never edited afterwards: it uses no other
module's SQL, because that describes the newest version.

A database gets its version in a rollback journal, and is switched to a write-ahead log afterwards.
So the version is always in the database file itself, and `read_version` needs neither the log nor
the permission to write.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from server.files.disk_errors import as_storage_error
from server.files.durable import sync_directory
from server.files.failpoints import failpoint
from server.store.schema import SCHEMA

__all__ = [
    "MIGRATIONS",
    "VERSION",
    "MigrationError",
    "NewerDatabaseError",
    "backup_path",
    "check_version",
    "open_database",
]

log = logging.getLogger(__name__)

# Rows that one statement changes; between statements progress can be logged.
ROWS_PER_STATEMENT = 50_000
SECONDS_BETWEEN_LOGS = 10.0
# https://www.sqlite.org/fileformat.html, 1.3: "The Database Header".
HEADER_BYTES = 100
MAGIC = b"SQLite format 3\0"
USER_VERSION = slice(60, 64)


class NewerDatabaseError(RuntimeError):
    """The database was made by a newer version of the program; the message is one sentence."""


class MigrationError(RuntimeError):
    """The database cannot be migrated and is unchanged; the message says why."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database in its newest version; create it or migrate it if necessary.

    The caller makes sure that no other process uses the database.

    Raises
    ------
    NewerDatabaseError
        It has a version that this program does not know. No file has changed.
    MigrationError
        A migration failed. The database is in the version that it had.
    sqlite3.DatabaseError
        The file is not a database, or cannot be opened.
    """
    check_version(path)
    connection = sqlite3.connect(path)
    try:
        # Takes effect in a new database only. Losses are read in pieces of 32 KB, which takes half
        # the time with such pages.
        connection.execute("PRAGMA page_size = 16384")
        # A commit is on the disk when it returns, so that it survives a power failure.
        connection.execute("PRAGMA synchronous = EXTRA")
        if _version(connection) < VERSION:
            _upgrade(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
    except BaseException:
        connection.close()
        raise
    return connection


def check_version(path: Path) -> None:
    """Return if this program can use the database; write nothing.

    Raises
    ------
    NewerDatabaseError
        Its version is newer.
    sqlite3.DatabaseError
        The file is not a database.
    """
    if (version := read_version(path)) > VERSION:
        raise NewerDatabaseError(
            f"{path} has version {version}, but this program can use only versions up to {VERSION}:"
            " use the newer version of Hurrah that created it."
        )


def read_version(path: Path) -> int:
    """Return the version of a database without writing to its directory; 0 if there is no file.

    SQLite would create the files of the write-ahead log. Without the log it would refuse a database
    whose checkpoint was interrupted: its header has the new number of pages, and pages are missing.

    Raises
    ------
    sqlite3.DatabaseError
        The file is not a database.
    """
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except FileNotFoundError:
        return 0
    if not header:
        return 0
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise sqlite3.DatabaseError("file is not a database")
    return int.from_bytes(header[USER_VERSION], "big", signed=True)


def backup_path(path: Path, version: int) -> Path:
    """Return where the backup is that is made before a database of `version` is migrated."""
    return path.with_name(f"{path.name}.v{version}.bak")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Create the schema in an empty database, or migrate an older one."""
    version = _version(connection)
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
        _without_log(connection)
        _in_transaction(connection, partial(_execute_all, connection, SCHEMA), VERSION)
        return
    log.warning("Migrating the database from version %d to %d ...", version, VERSION)
    try:
        _without_log(connection)
        _back_up(connection, backup_path(path, version))
        while version < VERSION:
            _in_transaction(connection, partial(MIGRATIONS[version], connection), version + 1)
            version += 1
    except (sqlite3.Error, OSError) as error:
        reason = as_storage_error(error) or f"{error}."
        raise MigrationError(
            f"{path} cannot be migrated from version {version} to {VERSION} and is unchanged:"
            f" {reason}"
        ) from error
    log.warning("The database has version %d.", VERSION)


def _without_log(connection: sqlite3.Connection) -> None:
    """Merge the write-ahead log, and use a rollback journal: one file is the whole database."""
    (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    if mode != "delete":
        raise sqlite3.OperationalError(f"its journal mode stays {mode}")


def _in_transaction(
    connection: sqlite3.Connection, change: Callable[[], None], version: int
) -> None:
    """Make a change and set the version, both or neither."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        change()
        connection.execute(f"PRAGMA user_version = {version}")
        failpoint("migration.changed")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    failpoint("migration.committed")


def _execute_all(connection: sqlite3.Connection, statements: str) -> None:
    """Execute statements that a semicolon ends; `executescript` would commit the transaction."""
    for statement in statements.split(";"):
        connection.execute(statement)


def _back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the database to `target`: completely or not at all, and durably.

    A backup of an earlier attempt is replaced: the database may have changed since.
    """
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(temporary)) as backup:
            # Nothing to roll back: an incomplete file is deleted.
            backup.execute("PRAGMA journal_mode = OFF")
            connection.backup(backup)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)
    log.warning("A backup of the old database is in %s.", target)
    failpoint("migration.backed_up")


# -- version 1 ------------------------------------------------------------------------------------

# The tables of version 0. Databases of early versions lack some of them.
TABLES_0 = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    run TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS samples (
    run TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    sample TEXT NOT NULL,
    UNIQUE (run, update_)
);
CREATE INDEX IF NOT EXISTS samples_with_hurrahs ON samples (run, update_)
    WHERE json_array_length(sample, '$.hurrahs') > 0;
CREATE INDEX IF NOT EXISTS samples_with_replays ON samples (run, update_)
    WHERE json_type(sample, '$.replay') = 'object';
CREATE INDEX IF NOT EXISTS samples_with_validation
    ON samples (run, update_, json_extract(sample, '$.validation_loss'))
    WHERE json_extract(sample, '$.validation_loss') IS NOT NULL;
CREATE TABLE IF NOT EXISTS checkpoints (
    run TEXT NOT NULL,
    id TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    UNIQUE (run, id)
);
CREATE TABLE IF NOT EXISTS kept (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    run TEXT NOT NULL,
    receipt TEXT NOT NULL,
    model TEXT NOT NULL,
    changes INTEGER NOT NULL DEFAULT 0,
    kept TEXT NOT NULL,
    UNIQUE (run, receipt)
);
CREATE TABLE IF NOT EXISTS milestones (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    milestone TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS milestones_of_run ON milestones (run, update_);
CREATE TABLE IF NOT EXISTS losses (
    run TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    updates INTEGER NOT NULL,
    blocks BLOB NOT NULL,
    losses BLOB NOT NULL,
    UNIQUE (run, chunk)
);
CREATE TABLE IF NOT EXISTS least_smooth (
    run TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    least REAL,
    UNIQUE (run, chunk)
);
CREATE TABLE IF NOT EXISTS smoothed (
    run TEXT NOT NULL,
    factor REAL NOT NULL,
    chunk INTEGER NOT NULL,
    ends BLOB NOT NULL,
    UNIQUE (run, factor, chunk)
);
CREATE TABLE IF NOT EXISTS training_time (
    run TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run, update_)
) WITHOUT ROWID;
"""

RENAMED_1 = """
ALTER TABLE kept RENAME TO saved_passages;
ALTER TABLE saved_passages RENAME COLUMN receipt TO fingerprint;
ALTER TABLE saved_passages RENAME COLUMN kept TO passage;
"""


def _rename_to_standard_terms(connection: sqlite3.Connection) -> None:
    """Rename a table, its columns, and the fields of stored JSON."""
    _execute_all(connection, TABLES_0 + RENAMED_1)
    _rename_key(connection, "runs", "run", "short_of_room", "disk_full")
    _rename_key(connection, "samples", "sample", "invented", "invented_words")
    _rename_key(connection, "saved_passages", "passage", "invented", "invented_words")
    _rename_key(connection, "saved_passages", "passage", "receipt", "fingerprint")
    _rename_key(connection, "saved_passages", "passage", "model_kept", "model_saved")


def _rename_key(
    connection: sqlite3.Connection, table: str, column: str, old: str, new: str
) -> None:
    """Rename a key of all objects in the JSON of a column.

    As text, which takes less time than parsing it. In JSON without spaces, as it is stored here,
    ``"old":`` can only be a key: inside a string its quotation marks are escaped, and no colon
    follows a string that is a value.
    """
    (last,) = connection.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()  # noqa: S608
    logged_s = time.monotonic()
    for first in range(0, last + 1, ROWS_PER_STATEMENT):
        connection.execute(
            f"UPDATE {table} SET {column} = replace({column}, ?, ?)"  # noqa: S608
            " WHERE rowid >= ? AND rowid < ?",
            (f'"{old}":', f'"{new}":', first, first + ROWS_PER_STATEMENT),
        )
        if time.monotonic() - logged_s > SECONDS_BETWEEN_LOGS:
            logged_s = time.monotonic()
            done = min(first + ROWS_PER_STATEMENT, last) / last
            log.warning("Migrating the database: %s, %.0f %%.", table, 100 * done)


# -- version 2 ------------------------------------------------------------------------------------


def _keep_loss_smoothing(connection: sqlite3.Connection) -> None:
    """Give every run the factor of its smooth loss, which was the same at all sizes."""
    connection.execute(
        "UPDATE runs SET run = json_set(run, '$.spec.loss_smoothing', 0.999)"
        " WHERE json_valid(run) AND json_type(run, '$.spec') = 'object'"
    )


# -- version 3 ------------------------------------------------------------------------------------


def _name_the_update_of_the_validation_loss(connection: sqlite3.Connection) -> None:
    """Store with each run the update at which its validation loss was measured: a sample's."""
    connection.execute(
        "UPDATE runs SET run = json_set(run, '$.validation_update',"
        " (SELECT max(update_) FROM samples WHERE samples.run = runs.id"
        " AND json_extract(sample, '$.validation_loss') IS NOT NULL))"
        " WHERE json_valid(run) AND json_type(run, '$.validation_loss') IN ('real', 'integer')"
    )


# -- version 4 ------------------------------------------------------------------------------------

QUEUE_4 = """
CREATE TABLE queue (
    run TEXT PRIMARY KEY,
    position INTEGER NOT NULL
);
INSERT INTO queue
    SELECT id, row_number() OVER (ORDER BY number) - 1 FROM runs
    WHERE json_valid(run) AND json_extract(run, '$.state') = 'queued'
"""


def _add_queue(connection: sqlite3.Connection) -> None:
    """Store the order of the runs that wait, which was that of their creation."""
    _execute_all(connection, QUEUE_4)


# -- version 5 ------------------------------------------------------------------------------------

REPORT_REMARKS_5 = """
CREATE TABLE report_remarks (
    run TEXT PRIMARY KEY,
    remarks TEXT NOT NULL
)
"""


def _add_report_remarks(connection: sqlite3.Connection) -> None:
    """Store the title, the author and the remarks of each run's report."""
    _execute_all(connection, REPORT_REMARKS_5)


# -- version 6 ------------------------------------------------------------------------------------

OWN_LOSSES_6 = """
CREATE TABLE own_losses (
    run TEXT PRIMARY KEY,
    rows BLOB NOT NULL
)
"""


def _add_own_losses(connection: sqlite3.Connection) -> None:
    """Store losses that a user measured elsewhere with the run that they are compared with."""
    _execute_all(connection, OWN_LOSSES_6)


# -- version 7 ------------------------------------------------------------------------------------

METRICS_7 = """
CREATE TABLE metrics (
    run TEXT NOT NULL,
    metric TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    length INTEGER NOT NULL,
    blocks BLOB NOT NULL,
    numbers BLOB NOT NULL,
    UNIQUE (run, metric, chunk)
)
"""


def _add_metrics(connection: sqlite3.Connection) -> None:
    """Store the metrics of the updates that are made from now on."""
    _execute_all(connection, METRICS_7)


# -- version 8 ------------------------------------------------------------------------------------

GROUPS_8 = """
CREATE TABLE run_groups (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE group_members (
    run TEXT PRIMARY KEY,
    group_id TEXT NOT NULL
)
"""


def _add_groups(connection: sqlite3.Connection) -> None:
    """Store which runs differ in their seeds alone."""
    _execute_all(connection, GROUPS_8)


# -- version 9 ------------------------------------------------------------------------------------

SWEEPS_9 = """
CREATE TABLE sweeps (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    sweep TEXT NOT NULL
);
CREATE TABLE sweep_runs (
    sweep TEXT NOT NULL,
    number INTEGER NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (sweep, number)
)
"""


def _add_sweeps(connection: sqlite3.Connection) -> None:
    """Store sweeps, and which runs belong to them."""
    _execute_all(connection, SWEEPS_9)


# -- version 10 -----------------------------------------------------------------------------------

PLACEMENTS_10 = """
CREATE TABLE placements (
    run TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    token TEXT,
    placement TEXT NOT NULL
)
"""


def _add_placements(connection: sqlite3.Connection) -> None:
    """Store where runs train in a cluster."""
    _execute_all(connection, PLACEMENTS_10)


# -- version 11 -----------------------------------------------------------------------------------

WEBHOOK_EVENTS_11 = """
CREATE TABLE webhook_events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    happened_at REAL NOT NULL,
    body TEXT NOT NULL
)
"""


def _add_webhook_events(connection: sqlite3.Connection) -> None:
    """Store the events that wait to be sent to the webhook."""
    _execute_all(connection, WEBHOOK_EVENTS_11)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _rename_to_standard_terms,
    _keep_loss_smoothing,
    _name_the_update_of_the_validation_loss,
    _add_queue,
    _add_report_remarks,
    _add_own_losses,
    _add_metrics,
    _add_groups,
    _add_sweeps,
    _add_placements,
    _add_webhook_events,
)
"""The migration at index n makes version n + 1 of version n."""

VERSION = len(MIGRATIONS)
