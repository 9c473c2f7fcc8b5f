"""The marks on a run's curve, as the store keeps them; an id is the number of its row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from server.errors import ConflictError, LimitReachedError, UnknownMilestoneError
from server.spec.schemas import Milestone

__all__ = ["SCHEMA", "add", "add_note", "change_note", "go_back", "of_run", "remove_note"]

# Each viewer is sent all of them.
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
    """Keep milestones, and return them with their ids."""
    kept = []
    for mark in milestones:
        added = connection.execute(
            "INSERT INTO milestones (run, update_, milestone) VALUES (?, ?, ?)",
            (run, mark.update, _text(mark)),
        )
        kept.append(mark.model_copy(update={"id": str(added.lastrowid)}))
    return kept


def of_run(connection: sqlite3.Connection, run: str) -> list[Milestone]:
    """Return a run's milestones in order."""
    rows = connection.execute(
        "SELECT number, milestone FROM milestones WHERE run = ? ORDER BY update_, number", (run,)
    )
    return [_milestone(*row) for row in rows]


def add_note(connection: sqlite3.Connection, run: str, update: int, text: str) -> Milestone:
    """Keep what the operator has to say of an update.

    Raises
    ------
    LimitReachedError
        The run has as many notes as it can have.
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
    """Let a note say something else.

    Raises
    ------
    UnknownMilestoneError
        There is none of this id.
    ConflictError
        It is no note.
    """
    note = _note(connection, run, identity).model_copy(update={"text": text})
    connection.execute(
        "UPDATE milestones SET milestone = ? WHERE number = ?", (_text(note), int(identity))
    )
    return note


def remove_note(connection: sqlite3.Connection, run: str, identity: str) -> None:
    """Take a note away; raises as `change_note`."""
    _note(connection, run, identity)
    connection.execute("DELETE FROM milestones WHERE number = ?", (int(identity),))


def go_back(connection: sqlite3.Connection, run: str, update: int) -> None:
    """Forget the milestones after `update` that will come again, or mark what is there no more.

    What a person changed will not come again, and is in force: it is remembered as of `update`.
    Notes stay where they are.
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
    found = _milestone(*row)
    if found.kind != "note":
        raise ConflictError(f"Only notes can be changed or removed; this is a {found.kind}.")
    return found


def _text(milestone: Milestone) -> str:
    return milestone.model_dump_json(exclude={"id"})


def _milestone(number: int, text: str) -> Milestone:
    return Milestone.model_validate_json(text).model_copy(update={"id": str(number)})
