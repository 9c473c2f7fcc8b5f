"""Milestones in the database; the id of a milestone is the number of its row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from server.errors import ConflictError, LimitReachedError, UnknownMilestoneError
from server.spec.schemas import Milestone

__all__ = ["SCHEMA", "add", "add_note", "change_note", "of_run", "remove_note", "rewind"]

# Every viewer receives all of them.
MAX_NOTES = 500
MAX_ID_DIGITS = 18

SCHEMA = """
CREATE TABLE milestones (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    milestone TEXT NOT NULL
);
CREATE INDEX milestones_of_run ON milestones (run, update_);
"""


def add(
    connection: sqlite3.Connection, run: str, milestones: Sequence[Milestone]
) -> list[Milestone]:
    """Add milestones, and return them with their ids."""
    added = []
    for milestone in milestones:
        cursor = connection.execute(
            "INSERT INTO milestones (run, update_, milestone) VALUES (?, ?, ?)",
            (run, milestone.update, _to_json(milestone)),
        )
        added.append(milestone.model_copy(update={"id": str(cursor.lastrowid)}))
    return added


def of_run(connection: sqlite3.Connection, run: str) -> list[Milestone]:
    """Return the milestones of a run, in order of their updates."""
    rows = connection.execute(
        "SELECT number, milestone FROM milestones WHERE run = ? ORDER BY update_, number", (run,)
    )
    return [_from_row(*row) for row in rows]


def add_note(connection: sqlite3.Connection, run: str, update: int, text: str) -> Milestone:
    """Add a note about an update.

    Raises
    ------
    LimitReachedError
        The run has the greatest number of notes.
    """
    (count,) = connection.execute(
        "SELECT count(*) FROM milestones WHERE run = ?"
        " AND json_extract(milestone, '$.kind') = 'note'",
        (run,),
    ).fetchone()
    if count >= MAX_NOTES:
        raise LimitReachedError(f"A run has at most {MAX_NOTES:,} notes: remove some first.")
    (note,) = add(connection, run, [Milestone(update=update, kind="note", text=text)])
    return note


def change_note(connection: sqlite3.Connection, run: str, identity: str, text: str) -> Milestone:
    """Replace the text of a note.

    Raises
    ------
    UnknownMilestoneError
        The run has no milestone with this id.
    ConflictError
        The milestone is not a note.
    """
    note = _note(connection, run, identity).model_copy(update={"text": text})
    connection.execute(
        "UPDATE milestones SET milestone = ? WHERE number = ?", (_to_json(note), int(identity))
    )
    return note


def remove_note(connection: sqlite3.Connection, run: str, identity: str) -> None:
    """Delete a note; raises as `change_note`."""
    _note(connection, run, identity)
    connection.execute("DELETE FROM milestones WHERE number = ?", (int(identity),))


def rewind(connection: sqlite3.Connection, run: str, update: int) -> None:
    """Delete the milestones after `update` that the run will repeat, or whose checkpoint is gone.

    Changes that a person made are not repeated and stay in force: their milestones are moved to
    `update`. Notes stay where they are.
    """
    after = (run, update)
    connection.execute(
        "DELETE FROM milestones WHERE run = ? AND update_ > ?"
        " AND json_extract(milestone, '$.kind') IN ('epoch', 'hurrah', 'checkpoint')",
        after,
    )
    connection.execute(
        "UPDATE milestones SET update_ = ?, milestone = json_set(milestone, '$.update', ?)"
        " WHERE run = ? AND update_ > ? AND json_extract(milestone, '$.kind') <> 'note'",
        (update, update, *after),
    )


def _note(connection: sqlite3.Connection, run: str, identity: str) -> Milestone:
    row = None
    if identity.isascii() and identity.isdigit() and len(identity) <= MAX_ID_DIGITS:
        row = connection.execute(
            "SELECT number, milestone FROM milestones WHERE run = ? AND number = ?",
            (run, int(identity)),
        ).fetchone()
    if row is None:
        raise UnknownMilestoneError(identity)
    found = _from_row(*row)
    if found.kind != "note":
        raise ConflictError(f"Only notes can be changed or removed; this is a {found.kind}.")
    return found


def _to_json(milestone: Milestone) -> str:
    return milestone.model_dump_json(exclude={"id"})


def _from_row(number: int, text: str) -> Milestone:
    return Milestone.model_validate_json(text).model_copy(update={"id": str(number)})
