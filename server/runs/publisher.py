"""The interface through which runs publish messages to their viewers."""

from __future__ import annotations

from typing import Protocol

from server.spec.live_messages import LiveMessage

__all__ = ["Publisher"]


class Publisher(Protocol):
    """Passes messages on to viewers, without ever waiting for one.

    Implemented by `server.web.live.broadcast.Broadcaster`.
    """

    def publish(self, run: str, message: LiveMessage) -> None:
        """Send a message to the run's viewers."""

    def is_watched(self, run: str) -> bool:
        """Whether a viewer may read the run's messages; without one, their content is not used."""
        ...

    def restart(self, run: str) -> None:
        """Make the run's viewers take a new snapshot, because the run went back in time."""

    def close(self, run: str) -> None:
        """Disconnect the run's viewers, because the run was deleted."""
