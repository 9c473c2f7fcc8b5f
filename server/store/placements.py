"""The placements of runs in a cluster: where each trains, and with which token it connects.

The functions run on the store's thread, as the queries do. All writes are durable.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from server.store.database import Store

__all__ = ["Placement", "PlacementRecord", "begin", "end", "end_all", "live"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a worker of a run was started.

    Attributes
    ----------
    machine, address : str
        Name and address of the Dask worker.
    scheduler : str
        Identity of the scheduler that knew the Dask worker.
    slots : int
        How many threads of the Dask worker the run takes.
    """

    machine: str
    address: str
    scheduler: str
    slots: int


@dataclass(frozen=True, slots=True)
class PlacementRecord:
    """A placement that has not ended.

    Attributes
    ----------
    run : str
        Id of the run.
    number : int
        One more than that of the run's placement before.
    token : str
        The SHA-256 of the token, in hexadecimal.
    placement : Placement
        Where it is.
    """

    run: str
    number: int
    token: str
    placement: Placement


def begin(store: Store, run: str, token: str, placement: Placement) -> int:
    """Store a run's next placement, which ends the one before; return its number.

    Raises
    ------
    StorageError
        It cannot be made durable; nothing has changed.
    """

    def write() -> int:
        (number,) = store.connection.execute(
            "INSERT INTO placements VALUES (?, 1, ?, ?) ON CONFLICT (run) DO UPDATE"
            " SET number = number + 1, token = excluded.token, placement = excluded.placement"
            " RETURNING number",
            (run, token, json.dumps(asdict(placement))),
        ).fetchone()
        return int(number)

    return store.write_durably(write)


def end(store: Store, run: str, number: int) -> None:
    """Delete the token of a placement, so that its worker is refused; raises as `begin`."""

    def write() -> None:
        store.connection.execute(
            "UPDATE placements SET token = NULL WHERE run = ? AND number = ?", (run, number)
        )

    store.write_durably(write)


def end_all(store: Store) -> None:
    """End all placements, because the server has no cluster any more; raises as `begin`."""

    def write() -> None:
        store.connection.execute("UPDATE placements SET token = NULL")

    if live(store):
        store.write_durably(write)


def live(store: Store) -> list[PlacementRecord]:
    """Return the placements that have not ended."""
    rows = store.current().execute(
        "SELECT run, number, token, placement FROM placements WHERE token IS NOT NULL"
    )
    return [
        PlacementRecord(run, number, token, Placement(**json.loads(text)))
        for run, number, token, text in rows
    ]
