"""What happens to runs, passed on to their viewers and noted for the sweeps."""

from __future__ import annotations

import asyncio

from server.runs.publisher import Publisher
from server.spec.live_messages import LiveMessage

__all__ = ["RunEvents"]


class RunEvents:
    """A `Publisher` that passes everything on to another one.

    Parameters
    ----------
    publisher : Publisher
        The other one.

    Attributes
    ----------
    happened : asyncio.Event
        Set when the state of any run has changed, one was deleted, or a followed one has made
        progress.
    followed : set of str
        Runs whose progress matters.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.happened = asyncio.Event()
        self.followed: set[str] = set()

    def publish(self, run: str, message: LiveMessage) -> None:
        """Send a message to the run's viewers."""
        self._publisher.publish(run, message)
        kind = message["type"]
        if kind == "state" or (kind == "progress" and run in self.followed):
            self.happened.set()

    def is_watched(self, run: str) -> bool:
        """Whether a viewer may read the run's messages."""
        return self._publisher.is_watched(run)

    def restart(self, run: str) -> None:
        """Make the run's viewers take a new snapshot, because the run went back in time."""
        self._publisher.restart(run)

    def close(self, run: str) -> None:
        """Disconnect the run's viewers, because the run was deleted."""
        self._publisher.close(run)
        self.happened.set()
