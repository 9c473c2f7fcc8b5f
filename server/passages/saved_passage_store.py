"""Saved passages in the database. Like the methods of `Store`, these run on the store's thread."""

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
    "find_by_fingerprint",
    "find_passage",
    "gallery_state",
    "insert_passage",
    "list_passages",
    "required_models",
    "update_passage",
]

log = logging.getLogger(__name__)

# About how many characters of JSON one slice has at most.
MAX_SLICE_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class GalleryState:
    """The size of the gallery; any change to the gallery changes it.

    Attributes
    ----------
    total : int
        Number of saved passages.
    newest : int
        Number of the newest one.
    changes : int
        How often the present ones were changed.
    runs : dict of str to int
        Number of saved passages of each run; the run of the newest passage first.
    """

    total: int
    newest: int
    changes: int
    runs: dict[str, int]


def gallery_state(store: Store) -> GalleryState:
    """Return the size of the gallery."""
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


def insert_passage(store: Store, saved: SavedPassage) -> None:
    """Insert a passage, durably.

    Raises
    ------
    UnknownRunError
        Its run has been deleted.
    """
    inserted = _execute(
        store,
        "INSERT INTO saved_passages (id, run, fingerprint, model, passage)"
        " SELECT ?, id, ?, ?, ? FROM runs WHERE id = ?",
        (saved.id, saved.fingerprint, saved.model, saved.model_dump_json(), saved.run),
    )
    if not inserted:
        raise UnknownRunError(saved.run)


def update_passage(store: Store, saved: SavedPassage) -> None:
    """Replace a passage by its new version, durably."""
    _execute(
        store,
        "UPDATE saved_passages SET passage = ?, changes = changes + 1 WHERE id = ?",
        (saved.model_dump_json(), saved.id),
    )


def delete_passage(store: Store, identity: str) -> bool:
    """Delete a passage, durably; return whether it existed."""
    return _execute(store, "DELETE FROM saved_passages WHERE id = ?", (identity,)) > 0


def find_passage(store: Store, identity: str) -> SavedPassage | None:
    """Return a passage by its id."""
    row = store.connection.execute(
        "SELECT passage FROM saved_passages WHERE id = ?", (identity,)
    ).fetchone()
    return None if row is None else SavedPassage.model_validate_json(row[0])


def find_by_fingerprint(store: Store, run: str, fingerprint: str) -> SavedPassage | None:
    """Return a passage of a run by its fingerprint."""
    row = store.connection.execute(
        "SELECT passage FROM saved_passages WHERE run = ? AND fingerprint = ?", (run, fingerprint)
    ).fetchone()
    return None if row is None else SavedPassage.model_validate_json(row[0])


def list_passages(
    store: Store, run: str | None, before: str | None, limit: int
) -> tuple[list[SavedPassage], bool]:
    """Return a slice of saved passages, newest first.

    Unreadable passages, written by another version, are skipped.

    Parameters
    ----------
    store : Store
        The database.
    run : str or None
        Only passages of this run.
    before : str or None
        Only passages older than the one with this id.
    limit : int
        Maximum number of passages. Long ones are fewer, but at least one is returned.

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
    characters_left = MAX_SLICE_CHARACTERS
    for identity, text in rows:
        characters_left -= len(text)
        if len(found) == limit or (found and characters_left < 0):
            return found, True
        try:
            found.append(SavedPassage.model_validate_json(text))
        except ValidationError as error:
            log.warning("skipped saved passage %s: it cannot be read: %s", identity, error)
    return found, False


def required_models(store: Store) -> set[tuple[str, str]]:
    """Return the models that wrote saved passages, each as (run, fingerprint)."""
    return set(store.connection.execute("SELECT DISTINCT run, model FROM saved_passages"))


def _execute(store: Store, statement: str, values: tuple[str, ...]) -> int:
    """Change rows durably or not at all; return how many."""
    return store.write_durably(lambda: store.connection.execute(statement, values).rowcount)
