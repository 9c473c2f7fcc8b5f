"""The groups of runs in a database: adding members, and renaming."""

from __future__ import annotations

import sqlite3

from server.spec.schemas import Group

__all__ = ["add_members", "rename"]


def add_members(connection: sqlite3.Connection, group: Group) -> None:
    """Make `group.runs` members of a group, besides those that it has."""
    connection.execute(
        "INSERT OR IGNORE INTO run_groups VALUES (?, ?, ?)",
        (group.id, group.name, group.created_at),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO group_members VALUES (?, ?)",
        [(run, group.id) for run in group.runs],
    )


def rename(connection: sqlite3.Connection, group: str, name: str) -> None:
    """Give a group another name."""
    connection.execute("UPDATE run_groups SET name = ? WHERE id = ?", (name, group))
