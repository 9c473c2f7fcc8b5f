"""The sweeps of a database, and which runs belong to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from server.spec.schemas import Group
from server.store import groups

if TYPE_CHECKING:
    from server.store.database import Store

__all__ = [
    "SCHEMA",
    "add_run",
    "add_sweep",
    "delete_sweep",
    "insert_run",
    "list_runs",
    "list_sweeps",
    "save_run",
    "save_sweep",
]

SCHEMA = """
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
);
"""


def list_sweeps(store: Store) -> list[str]:
    """Return the JSON of all sweeps, oldest first."""
    rows = store.connection.execute("SELECT sweep FROM sweeps ORDER BY number")
    return [row[0] for row in rows]


def list_runs(store: Store, sweep: str) -> list[str]:
    """Return the JSON of all runs of a sweep, in the order in which they were added."""
    rows = store.connection.execute(
        "SELECT run FROM sweep_runs WHERE sweep = ? ORDER BY number", (sweep,)
    )
    return [row[0] for row in rows]


def add_sweep(store: Store, sweep: str, text: str) -> None:
    """Add a sweep; `text` is its JSON. Durable."""
    store.write_durably(
        lambda: store.connection.execute(
            "INSERT INTO sweeps VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM sweeps), ?)",
            (sweep, text),
        )
    )


def save_sweep(store: Store, sweep: str, text: str) -> None:
    """Replace the JSON of a sweep; durable."""
    store.write_durably(
        lambda: store.connection.execute("UPDATE sweeps SET sweep = ? WHERE id = ?", (text, sweep))
    )


def delete_sweep(store: Store, sweep: str) -> None:
    """Delete a sweep, but none of its runs, which then belong to no sweep; durable."""

    def delete() -> None:
        for table, column in (("sweeps", "id"), ("sweep_runs", "sweep")):
            store.connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (sweep,))  # noqa: S608
        # A report that is written later would name the sweep again.
        store.write_buffers(store.changed_runs())
        store.connection.execute(
            "UPDATE runs SET run = json_set(run, '$.sweep', NULL)"
            " WHERE json_valid(run) AND json_extract(run, '$.sweep') = ?",
            (sweep,),
        )

    store.write_durably(delete)


def insert_run(
    sweep: str, number: int, text: str, group: Group | None = None
) -> Callable[[sqlite3.Connection], None]:
    """Return a function that adds a run to a sweep, and to a group, for `Store.add_run`."""

    def insert(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO sweep_runs VALUES (?, ?, ?)", (sweep, number, text))
        if group is not None:
            groups.add_members(connection, group)

    return insert


def add_run(store: Store, sweep: str, number: int, text: str) -> None:
    """Add a run that does not exist to a sweep; durable."""
    insert = insert_run(sweep, number, text)
    store.write_durably(lambda: insert(store.connection))


def save_run(store: Store, sweep: str, number: int, text: str) -> None:
    """Replace the JSON of a run of a sweep; durable."""
    store.write_durably(
        lambda: store.connection.execute(
            "UPDATE sweep_runs SET run = ? WHERE sweep = ? AND number = ?", (text, sweep, number)
        )
    )
