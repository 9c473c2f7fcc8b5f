"""Telling everybody who looks on what happens, so that nobody who is slow costs the others.

What happens to a run is written, serialised once, into the run's channel: a short log. Each viewer
has a place of its own in it and reads on from there as fast as it can. Nothing is kept per viewer,
so a viewer that never reads costs no memory; one that finds its place gone from the log is told to
take a new snapshot.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

__all__ = ["Channel", "Fanout"]

# Some 20 s of the busiest run: a viewer that lags by less catches up without a snapshot.
MESSAGES_KEPT = 512
VIEWERS_EVERY_S = 1.0


class Channel:
    """The news of one run.

    Attributes
    ----------
    run : str
        Id of the run.
    seq : int
        Number of the last message. Numbers grow across restarts of the server, because they begin
        at its start time in milliseconds and a channel has fewer than a thousand messages a second;
        a `since` from an earlier life is therefore never mistaken for one of this life.
    viewers : int
        How many look on.
    closed : bool
        Whether the run is gone.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.seq = time.time_ns() // 1_000_000
        self.viewers = 0
        self.closed = False
        self._log: deque[str] = deque(maxlen=MESSAGES_KEPT)
        # The oldest place from which the log goes on without a gap.
        self._oldest = self.seq
        self._news = asyncio.Event()
        self._snapshot: tuple[int, str] | None = None
        self._viewers_told = 0
        self._telling_viewers: asyncio.TimerHandle | None = None

    def publish(self, message: dict[str, Any]) -> None:
        """Add a message; its number is given here."""
        self.seq += 1
        self._log.append(_dump(message | {"run": self.run, "seq": self.seq, "sent_at": _now_s()}))
        self._oldest = max(self._oldest, self.seq - len(self._log))
        self._wake()

    def restart(self) -> None:
        """Let every viewer find its place gone."""
        self._log.clear()
        # One number for `resync`, and a higher one for the snapshot.
        self.seq += 2
        self._oldest = self.seq - 1
        self._wake()

    def close(self) -> None:
        """Let every viewer go: the run is no more."""
        self.closed = True
        if self._telling_viewers is not None:
            self._telling_viewers.cancel()
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # -- reading ----------------------------------------------------------------------------------

    def holds(self, place: int) -> bool:
        """Whether everything after the message number `place` is still in the log."""
        return self._oldest <= place <= self.seq

    def resumes(self, since: int) -> bool:
        """Whether who comes back with this number can go on from there.

        Not who last heard `resync`: its number counts as held only for who waits for the snapshot.
        """
        return since == self.seq or (self._oldest < since and self.holds(since))

    def after(self, place: int) -> Iterator[str]:
        """Return the messages after the number `place`, of which `holds` must be true."""
        first = self.seq - len(self._log)
        return islice(tuple(self._log), max(0, place - first), None)

    async def news(self, place: int) -> None:
        """Wait until there is a message after the number `place`, or the run is gone."""
        while self.seq <= place and not self.closed:
            await self._news.wait()

    def resync(self) -> str:
        """Return the message for a viewer whose place is gone.

        Its number is that of the last message it lost, so that numbers go on growing for it.
        """
        return _dump({"type": "resync", "run": self.run, "seq": self._oldest, "sent_at": _now_s()})

    def snapshot(self) -> str | None:
        """Return the snapshot that was made since the last message, if there is one."""
        if self._snapshot is None or self._snapshot[0] != self.seq:
            return None
        return self._with_viewers(self._snapshot[1])

    def keep_snapshot(self, content: dict[str, Any]) -> str:
        """Serialise a snapshot of this moment, once for all who ask until the next message."""
        numbered = {"run": self.run, "seq": self.seq, "sent_at": _now_s()}
        message = {"type": "snapshot", **numbered, **content}
        text = _dump(message)
        self._snapshot = (self.seq, text)
        return self._with_viewers(text)

    def _with_viewers(self, snapshot: str) -> str:
        # How many look on changes without a message, and need not cost another serialisation.
        return f'{snapshot[:-1]},"viewers":{self.viewers}}}'

    # -- who looks on -----------------------------------------------------------------------------

    def join(self) -> None:
        """Count one more viewer."""
        self.viewers += 1
        self._tell_viewers_soon()

    def leave(self) -> None:
        """Count one viewer less."""
        self.viewers -= 1
        self._tell_viewers_soon()

    def _tell_viewers_soon(self) -> None:
        if self._telling_viewers is None and not self.closed:
            loop = asyncio.get_running_loop()
            self._telling_viewers = loop.call_later(VIEWERS_EVERY_S, self._tell_viewers)

    def _tell_viewers(self) -> None:
        self._telling_viewers = None
        if self.viewers != self._viewers_told:
            self._viewers_told = self.viewers
            self.publish({"type": "viewers", "viewers": self.viewers})


class Fanout:
    """The channels of all runs; a `server.runs.publishing.Publisher`."""

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}

    def channel(self, run: str) -> Channel:
        """Return a run's channel."""
        if run not in self._channels:
            self._channels[run] = Channel(run)
        return self._channels[run]

    def publish(self, run: str, message: dict[str, Any]) -> None:
        """Pass on a message about a run."""
        self.channel(run).publish(message)

    def restart(self, run: str) -> None:
        """Tell everybody that looks on to take a new snapshot."""
        self.channel(run).restart()

    def close(self, run: str) -> None:
        """Tell everybody that looks on that the run is gone."""
        if (channel := self._channels.pop(run, None)) is not None:
            channel.close()


def _now_s() -> float:
    """Return the Unix time, to the millisecond."""
    return round(time.time(), 3)


def _dump(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
