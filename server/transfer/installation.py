"""The steps by which a staged run becomes a run of this server, and what a crash leaves of them.

The staging directory names the text that is added, so that the next start can remove it if the run
was not added.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from server.corpora.library import Corpus, CorpusLibrary, UnknownCorpusError
from server.files.durable import sync_directory
from server.passages.saved_passage import SavedPassage
from server.spec.run_spec import MAX_NAME_CHARACTERS
from server.spec.schemas import Run
from server.store.database import Store

__all__ = [
    "EXPORTS",
    "IMPORTS",
    "insert_rows",
    "note_text",
    "on_corpus",
    "remove_leftovers",
    "renewed",
]

EXPORTS, IMPORTS = "exports", "imports"
"""The directories of exports and imports in progress, in the data directory."""
ADDED_TEXT = "added-text.json"
COPY = " (copy)"
"""Added to the name of a run that is there already."""


def insert_rows(store: Store, run: Run, rows: Path) -> None:
    """Add a staged run to the database; durable, in one transaction.

    Parameters
    ----------
    store : Store
        The database.
    run : Run
        The run, with its new id.
    rows : pathlib.Path
        The staged database.
    """

    def add_passages(connection: sqlite3.Connection, source: sqlite3.Connection) -> None:
        for (text,) in source.execute("SELECT passage FROM saved_passages ORDER BY number"):
            saved = SavedPassage.model_validate_json(text)
            known = connection.execute("SELECT 1 FROM saved_passages WHERE id = ?", (saved.id,))
            identity = saved.id if known.fetchone() is None else secrets.token_hex(6)
            saved = saved.model_copy(update={"id": identity, "run": run.id})
            connection.execute(
                "INSERT INTO saved_passages (id, run, fingerprint, model, passage)"
                " VALUES (?, ?, ?, ?, ?)",
                (saved.id, run.id, saved.fingerprint, saved.model, saved.model_dump_json()),
            )

    store.add_imported(run.id, run.model_dump_json(), rows, add_passages)


def remove_leftovers(data_dir: Path, library: CorpusLibrary, uses: Callable[[str], bool]) -> None:
    """Remove what a crash left of imports and exports.

    Parameters
    ----------
    data_dir : pathlib.Path
        The data directory.
    library : CorpusLibrary
        The texts.
    uses : callable
        Whether a run uses a text, by its id.
    """
    for path in (data_dir / IMPORTS).glob(f"*/{ADDED_TEXT}"):
        with contextlib.suppress(OSError, ValueError, UnknownCorpusError):
            added = json.loads(path.read_bytes())
            if not uses(added):
                library.remove(added)
    for name in (IMPORTS, EXPORTS):
        shutil.rmtree(data_dir / name, ignore_errors=True)


def renewed(run: Run, known: set[str]) -> Run:
    """Return the run with an id that is new here, and a name that says so if it changes."""
    if run.id not in known:
        return run
    name = run.name[: MAX_NAME_CHARACTERS - len(COPY)] + COPY
    spec = run.spec.model_copy(update={"name": name})
    return run.model_copy(update={"id": secrets.token_hex(6), "name": name, "spec": spec})


def on_corpus(run: Run, corpus: Corpus) -> Run:
    """Return the run with a text of this server."""
    return run.model_copy(
        update={
            "spec": run.spec.model_copy(update={"corpus": corpus.id}),
            "corpus": corpus.id,
            "corpus_name": corpus.name,
            "corpus_characters": corpus.characters,
        }
    )


def note_text(staging: Path, identity: str) -> None:
    """Note durably which text is about to be added."""
    with (staging / ADDED_TEXT).open("x", encoding="utf-8") as file:
        json.dump(identity, file)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(staging)
