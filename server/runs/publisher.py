"""The seam between what happens to runs and whoever looks on."""

from __future__ import annotations

from typing import Protocol

from server.spec.live_messages import LiveMessage

__all__ = ["Publisher"]


class Publisher(Protocol):
    """Takes what happens to runs; must not wait, and must not be slowed by who listens."""

    def publish(self, run: str, message: LiveMessage) -> None:
        """Pass on a message about a run."""

    def restart(self, run: str) -> None:
        """Tell everybody that looks on to take a new snapshot: the run went back in time."""

    def close(self, run: str) -> None:
        """Tell everybody that looks on that the run is gone."""
