"""What runs may take."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What runs may take.

    Attributes
    ----------
    training_runs : int
        How many train at the same time; the others wait their turn.
    network_bytes : int
        About how much memory the network of one of them may take.
    runs : int
        How many are kept.
    stored_bytes : int or None
        How much the data directory may hold; None: whatever the disk does.
    """

    training_runs: int
    network_bytes: int
    runs: int = 1_000
    stored_bytes: int | None = None
