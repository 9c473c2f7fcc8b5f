"""What a shell completes for the arguments of the command `hurrah`."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path

import typer
from pydantic import ValidationError

from server.settings import Settings

__all__ = ["complete_run"]

DATABASE = "hurrah.db"
MAX_RUNS = 200


def complete_run(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of the newest runs in the data directory, and their names.

    Parameters
    ----------
    context : typer.Context
        The command line so far, which may have ``--data-dir``.
    incomplete : str
        The beginning of the id.

    Returns
    -------
    list of (str, str)
        None if there is no data directory, or if it cannot be read.
    """
    with contextlib.suppress(sqlite3.Error, ValidationError, OSError):
        given = context.params.get("data_dir")
        directory = Path(given) if given is not None else Settings().data_dir
        uri = f"{(directory / DATABASE).absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            rows = database.execute(
                "SELECT id, run FROM runs WHERE substr(id, 1, ?) = ? ORDER BY number DESC LIMIT ?",
                (len(incomplete), incomplete, MAX_RUNS),
            ).fetchall()
        # zsh evaluates what it is given, and a name may come from a stranger's file.
        return [(run, re.sub(r"[^\w .,-]", "", json.loads(data)["name"])) for run, data in rows]
    return []
