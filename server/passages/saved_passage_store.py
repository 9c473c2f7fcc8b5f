"""Kept passages in the database; like the methods of `Store`, to be called on its thread."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pydantic import ValidationError

from server.errors import UnknownRunError
from server.passages.saved_passage import SavedPassage
from server.store.database import Store

__all__ = [
    "GalleryState",
    "delete_passage",
    "find_fingerprint",
    "find_passage",
    "gallery_state",
    "insert_passage",
    "list_passages",
    "required_models",
    "update_passage",
]

log = logging.getLogger(__name__)

# Characters of JSON that are given out at once, about.
MOST_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class GalleryState:
    """How much is kept, and what tells this state of it from those before.

    `runs` holds how many passages there are of each run, those of the newest passage first.
    """

    total: int
    newest: int
    changes: int
    runs: dict[str, int]


def gallery_state(store: Store) -> GalleryState:
    """Return how much is kept."""
    rows = store.connection.execute(
        "SELECT run, count(*), max(number), sum(changes) FROM saved_passages"
        " GROUP BY run ORDER BY 3 DESC"
    ).fetchall()
    return GalleryState(
        total=sum(row[1] for row in rows),
        newest=max((row[2] for row in rows), default=0),
        changes=sum(row[3] for row in rows),
        runs={row[0]: row[1] for row in rows},
    )


def insert_passage(store: Store, kept: SavedPassage) -> None:
    """Keep a passage; durable.

    Raises
    ------
    UnknownRunError
        Its run was deleted meanwhile.
    """
    added = _durably(
        store,
        "INSERT INTO saved_passages (id, run, fingerprint, model, passage)"
        " SELECT ?, id, ?, ?, ? FROM runs WHERE id = ?",
        (kept.id, kept.fingerprint, kept.model, kept.model_dump_json(), kept.run),
    )
    if not added:
        raise UnknownRunError(kept.run)


def update_passage(store: Store, kept: SavedPassage) -> None:
    """Keep a passage as it now is; durable."""
    _durably(
        store,
        "UPDATE saved_passages SET passage = ?, changes = changes + 1 WHERE id = ?",
        (kept.model_dump_json(), kept.id),
    )


def delete_passage(store: Store, identity: str) -> bool:
    """Forget a passage, durably; whether there was one."""
    return _durably(store, "DELETE FROM saved_passages WHERE id = ?", (identity,)) > 0


def find_passage(store: Store, identity: str) -> SavedPassage | None:
    """Return a kept passage by its id."""
    row = store.connection.execute(
        "SELECT passage FROM saved_passages WHERE id = ?", (identity,)
    ).fetchone()
    return None if row is None else SavedPassage.model_validate_json(row[0])


def find_fingerprint(store: Store, run: str, fingerprint: str) -> SavedPassage | None:
    """Return what was kept of a run by a fingerprint."""
    row = store.connection.execute(
        "SELECT passage FROM saved_passages WHERE run = ? AND fingerprint = ?", (run, fingerprint)
    ).fetchone()
    return None if row is None else SavedPassage.model_validate_json(row[0])


def list_passages(
    store: Store, run: str | None, before: str | None, limit: int
) -> tuple[list[SavedPassage], bool]:
    """Return kept passages, newest first: of all runs or of one, those kept before another.

    Fewer than `limit` where they are long, but one at least; what another version left unreadable
    is passed over.

    Returns
    -------
    passages : list of SavedPassage
    more : bool
        Whether there are older ones.
    """
    rows = store.connection.execute(
        "SELECT id, passage FROM saved_passages WHERE (?1 IS NULL OR run = ?1)"
        " AND (?2 IS NULL OR number < (SELECT number FROM saved_passages WHERE id = ?2))"
        " ORDER BY number DESC LIMIT ?3",
        (run, before, limit + 1),
    )
    found: list[SavedPassage] = []
    room = MOST_AT_ONCE
    for identity, text in rows:
        room -= len(text)
        if len(found) == limit or (found and room < 0):
            return found, True
        try:
            found.append(SavedPassage.model_validate_json(text))
        except ValidationError as error:
            log.warning("kept passage %s is left out, it can't be read: %s", identity, error)
    return found, False


def required_models(store: Store) -> set[tuple[str, str]]:
    """Return the models that wrote kept passages, each with its run."""
    return set(store.connection.execute("SELECT DISTINCT run, model FROM saved_passages"))


def _durably(store: Store, statement: str, values: tuple[str, ...]) -> int:
    """Change rows, durably or not at all; return how many."""
    return store.write_durably(lambda: store.connection.execute(statement, values).rowcount)
