"""Events of runs that wait to be sent to the webhook.

An event is stored in the transaction of what happened, so that neither is lost without the other.
Times are Unix times in seconds.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from server.spec.schemas import RunState, Sample

__all__ = ["SCHEMA", "Moment", "WebhookEvent", "add_hurrah", "add_state", "oldest", "remove"]

# Beyond this the oldest are deleted: the receiver may never answer again.
MAX_EVENTS = 1_000
EVENTS = {
    RunState.FINISHED: "run.finished",
    RunState.STOPPED: "run.stopped",
    RunState.FAILED: "run.failed",
    RunState.INTERRUPTED: "run.interrupted",
}

SCHEMA = """
CREATE TABLE webhook_events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    happened_at REAL NOT NULL,
    body TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event that is not delivered.

    Attributes
    ----------
    number : int
        The number of its row.
    id : str
        The same at each attempt to send it.
    happened_at : float
        When it happened.
    body : str
        JSON: what is sent.
    """

    number: int
    id: str
    happened_at: float
    body: str


class Moment:
    """When something happened, and an id for it: both stay the same if its write is repeated."""

    def __init__(self) -> None:
        self.time = time.time()
        self.id = f"msg_{secrets.token_hex(12)}"


def add_state(connection: sqlite3.Connection, run: str, text: str, moment: Moment) -> None:
    """Add an event if a run ends with its new JSON `text`, which is not stored yet."""
    after = json.loads(text)
    event = EVENTS.get(RunState(after["state"]))
    row = connection.execute(
        "SELECT json_extract(run, '$.state') FROM runs WHERE id = ?", (run,)
    ).fetchone()
    if event is None or row is None or row[0] == after["state"]:
        return
    fields = ("name", "state", "update", "smooth_loss", "error")
    data = {"run": run} | {field: after[field] for field in fields}
    _add(connection, moment.id, moment.time, event, data)


def add_hurrah(connection: sqlite3.Connection, run: str, sample: Sample, moment: Moment) -> None:
    """Add an event if a sample has names for the first time.

    Its id depends on the run and the update alone: a run that went back to a checkpoint writes the
    same sample again.
    """
    if not sample.hurrahs:
        return
    row = connection.execute(
        "SELECT json_extract(run, '$.name'), json_extract(run, '$.state') FROM runs WHERE id = ?",
        (run,),
    ).fetchone()
    if row is None:
        return
    name, state = row
    data = {"run": run, "name": name, "state": state, "update": sample.update}
    data |= {"smooth_loss": sample.smooth_loss, "error": None, "words": sample.hurrahs}
    _add(connection, f"msg_{run}_{sample.update}", moment.time, "run.hurrah", data)


def oldest(connection: sqlite3.Connection) -> WebhookEvent | None:
    """Return the event that waits longest."""
    row = connection.execute(
        "SELECT number, id, happened_at, body FROM webhook_events ORDER BY number LIMIT 1"
    ).fetchone()
    return None if row is None else WebhookEvent(*row)


def remove(connection: sqlite3.Connection, number: int) -> None:
    """Delete an event by its number."""
    connection.execute("DELETE FROM webhook_events WHERE number = ?", (number,))


def _add(
    connection: sqlite3.Connection, identity: str, time_s: float, event: str, data: dict[str, Any]
) -> None:
    timestamp = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
    body = json.dumps({"type": event, "timestamp": timestamp, "data": data}, ensure_ascii=False)
    connection.execute(
        "INSERT INTO webhook_events (id, happened_at, body) VALUES (?, ?, ?)",
        (identity, time_s, body),
    )
    connection.execute(
        "DELETE FROM webhook_events WHERE number <= (SELECT max(number) FROM webhook_events) - ?",
        (MAX_EVENTS,),
    )
