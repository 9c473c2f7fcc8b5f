"""The limits on runs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on runs.

    Attributes
    ----------
    training_runs : int
        Slots for runs that train at the same time; a run takes `RunSpec.slots`. Further runs are
        queued.
    network_bytes : int
        The approximate memory of one run's network.
    runs : int
        Runs in the data directory.
    stored_bytes : int or None
        The size of the data directory; None: the free space on the disk.
    """

    training_runs: int
    network_bytes: int
    runs: int = 1_000
    stored_bytes: int | None = None
