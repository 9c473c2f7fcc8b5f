"""The tables of a new database; `server.store.migrations` changes those of an existing one."""

from __future__ import annotations

from server.history import (
    loss_history,
    metric_history,
    smoothing,
    threshold_search,
    training_time,
)
from server.history.summaries import CHUNK_UPDATES
from server.store import milestones, sweeps, webhook_events
from server.store.sample_selection import HAS_HURRAHS, HAS_REPLAY, VALIDATION_LOSS

__all__ = ["COPIED_TO_FORKS", "IMPORTED", "RUN_TABLES", "SCHEMA"]

SCHEMA = (
    f"""
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    run TEXT NOT NULL
);
CREATE TABLE queue (
    run TEXT PRIMARY KEY,
    position INTEGER NOT NULL
);
CREATE TABLE samples (
    run TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    sample TEXT NOT NULL,
    UNIQUE (run, update_)
);
CREATE INDEX samples_with_hurrahs ON samples (run, update_)
    WHERE {HAS_HURRAHS};
CREATE INDEX samples_with_replays ON samples (run, update_)
    WHERE {HAS_REPLAY};
CREATE INDEX samples_with_validation ON samples (run, update_, {VALIDATION_LOSS})
    WHERE {VALIDATION_LOSS} IS NOT NULL;
CREATE TABLE checkpoints (
    run TEXT NOT NULL,
    id TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    UNIQUE (run, id)
);
CREATE TABLE saved_passages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    run TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    model TEXT NOT NULL,
    changes INTEGER NOT NULL DEFAULT 0,
    passage TEXT NOT NULL,
    UNIQUE (run, fingerprint)
);
CREATE TABLE report_remarks (
    run TEXT PRIMARY KEY,
    remarks TEXT NOT NULL
);
CREATE TABLE own_losses (
    run TEXT PRIMARY KEY,
    rows BLOB NOT NULL
);
CREATE TABLE run_groups (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE group_members (
    run TEXT PRIMARY KEY,
    group_id TEXT NOT NULL
);
CREATE TABLE placements (
    run TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    token TEXT,
    placement TEXT NOT NULL
);
"""
    + milestones.SCHEMA
    + sweeps.SCHEMA
    + webhook_events.SCHEMA
    + loss_history.SCHEMA
    + metric_history.SCHEMA
    + threshold_search.SCHEMA
    + smoothing.SCHEMA
    + training_time.SCHEMA
)

# What a fork copies from its parent: tables, their columns, and the update to which a row belongs.
COPIED_TO_FORKS = (
    ("losses", "chunk, updates, blocks, losses", f"chunk * {CHUNK_UPDATES}"),
    (
        *("metrics", "metric, chunk, length, blocks, numbers"),
        f"chunk * {metric_history.CHUNK_UPDATES}",
    ),
    ("least_smooth", "chunk, least", f"chunk * {CHUNK_UPDATES}"),
    # All rows: the time between two of them is interpolated.
    ("training_time", "update_, seconds", "0"),
    ("samples", "update_, sample", "update_"),
    ("milestones", "update_, milestone", "update_"),
)
# What an import copies from the database of the imported run: tables, columns and their order.
IMPORTED = (
    ("losses", "chunk, updates, blocks, losses", "chunk"),
    ("metrics", "metric, chunk, length, blocks, numbers", "metric, chunk"),
    ("training_time", "update_, seconds", "update_"),
    ("samples", "update_, sample", "update_"),
    ("milestones", "update_, milestone", "number"),
    ("checkpoints", "id, update_, checkpoint", "rowid"),
    ("report_remarks", "remarks", "run"),
    ("own_losses", "rows", "run"),
)
# Tables with a column `run`: the rows that are deleted with a run.
RUN_TABLES = (
    *("losses", "metrics", "least_smooth", "smoothed", "training_time"),
    *("samples", "milestones", "checkpoints", "saved_passages", "queue"),
    *("report_remarks", "own_losses", "group_members", "placements"),
)
