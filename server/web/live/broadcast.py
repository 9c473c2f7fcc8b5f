"""Telling everybody who looks on what happens, so that nobody who is slow costs the others.

What happens to a run is written, serialised and framed once, into the run's channel: a short log.
Each viewer has a place of its own in it and reads on from there as fast as it can. Nothing is kept
per viewer, so a viewer that never reads costs no memory. Progress that follows progress is told to
a viewer that reads slowly as one message; what must not be missed stays as it is. Who finds its
place gone from the log is told to take a new snapshot.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from server.spec.live_messages import LiveMessage, ResyncMessage, ViewersMessage
from server.web.live.frames import EncodedMessage, Message, framed, merged, serialised, told

__all__ = ["Broadcaster", "Channel"]

# Some 20 s of the busiest run: a viewer that lags by less catches up without a snapshot.
MESSAGES_KEPT = 512
# Samples may be long.
BYTES_KEPT = 4_000_000
# How long what happened is kept for those who might come back, when nobody looks on.
REMEMBERED_S = 60.0
VIEWERS_EVERY_S = 1.0
SNAPSHOT_HOLDS_S = 1.0
# From so many viewers on, progress is told less often: what they take of the processor is what
# training lacks. It comes 20 times a second, so that each second piece is told, as soon as it is
# there, together with the one before; that one waits a little longer if the next is late.
CROWD_VIEWERS = 100
CROWD_PAUSE_S = 0.08
HELD_AT_MOST_S = 0.08


class Channel:
    """The news of one run.

    Attributes
    ----------
    run : str
        Id of the run.
    seq : int
        Number of the last message. Numbers grow across restarts of the server, because they begin
        at the time in microseconds and nobody tells a million messages a second; a `since` from an
        earlier life is therefore never mistaken for one of this life. A browser reads them exactly
        until the year 2255, below 2**53.
    viewers : int
        How many look on.
    closed : bool
        Whether the run is gone.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.seq = time.time_ns() // 1_000
        self.viewers = 0
        self.closed = False
        self._log: deque[EncodedMessage] = deque()
        self._log_bytes = 0
        # The oldest place from which the log goes on without a gap. A snapshot's number is higher:
        # this one may be that of a `resync`.
        self._oldest = self.seq - 1
        self._news = asyncio.Event()
        self._snapshot: tuple[int, list[bytes]] | None = None
        # Whether anything came after it, and until when it is told nevertheless.
        self._moved = False
        self._snapshot_until_s = 0.0
        # What was last made of several messages, for all who are behind by the same.
        self._merged: tuple[int, EncodedMessage] | None = None
        # Progress that is held back for a moment, and when more may be told.
        self._held: list[Message] = []
        self._progress_due_s = 0.0
        self._telling_progress: asyncio.TimerHandle | None = None
        self._viewers_told = 0
        self._telling_viewers: asyncio.TimerHandle | None = None
        # Whether it is kept for anybody.
        self._remembers = True
        self._forgetting: asyncio.TimerHandle | None = None
        self._forget_later()

    def publish(self, message: LiveMessage) -> None:
        """Add a message; its number is given here."""
        kind = message["type"]
        addressed = {"type": kind, "run": self.run, **message, "sent_at": _now_s()}
        if kind != "progress":
            self.release()
            self._add(addressed)
            return
        self._held.append(addressed)
        loop = asyncio.get_running_loop()
        if self.viewers < CROWD_VIEWERS or loop.time() >= self._progress_due_s:
            self.release()
        elif self._telling_progress is None:
            self._telling_progress = loop.call_later(HELD_AT_MOST_S, self.release)

    def release(self) -> None:
        """Tell the progress that is held back, if there is any."""
        if self._telling_progress is not None:
            self._telling_progress.cancel()
            self._telling_progress = None
        if self._held:
            loop = asyncio.get_running_loop()
            self._progress_due_s = loop.time() + CROWD_PAUSE_S
            held, self._held = self._held, []
            self._add(merged(held))

    def _add(self, message: Message) -> None:
        self.seq += 1
        if not self._remembers:
            self._oldest = self.seq - 1
            return
        self._merged = None
        # How many look on is no part of it.
        if message["type"] != "viewers":
            self._moved = True
            if time.monotonic() >= self._snapshot_until_s:
                self._snapshot = None
        self._log.append(told(message | {"seq": self.seq}))
        self._log_bytes += self._log[-1].size_bytes
        while len(self._log) > MESSAGES_KEPT or self._log_bytes > BYTES_KEPT:
            gone = self._log.popleft()
            self._log_bytes -= gone.size_bytes
            self._oldest = gone.seq
        self._wake()

    def restart(self) -> None:
        """Let every viewer find its place gone."""
        self.release()
        self._drop()
        # One number for `resync`, and a higher one for the snapshot.
        self.seq += 2
        self._oldest = self.seq - 1
        self._wake()

    def close(self) -> None:
        """Let every viewer go: the run is no more."""
        self.closed = True
        for timer in (self._telling_viewers, self._telling_progress, self._forgetting):
            if timer is not None:
                timer.cancel()
        self._wake()

    def _forget_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._forgetting = loop.call_later(REMEMBERED_S, self._forget)

    def _forget(self) -> None:
        """Keep but the number: the log and the snapshot of every run ever seen would add up."""
        self._drop()
        self._oldest = self.seq - 1
        self._remembers = False

    def _drop(self) -> None:
        self._log.clear()
        self._log_bytes = 0
        self._snapshot = self._merged = None

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

    def after(self, place: int, *, merge: bool) -> EncodedMessage | None:
        """Return what comes after the message number `place`, of which `holds` must be true.

        With `merge`, progress that follows progress becomes one message, with the number of the
        last.
        """
        if place == self.seq:
            return None
        index = max(0, place - self.seq + len(self._log))
        first = self._log[index]
        if not merge or first.progress is None:
            return first
        if self._merged is None or self._merged[0] != place:
            pieces = []
            while index < len(self._log) and (piece := self._log[index].progress) is not None:
                pieces.append(piece)
                index += 1
            self._merged = place, first if len(pieces) == 1 else told(merged(pieces))
        return self._merged[1]

    async def news(self, place: int) -> None:
        """Wait until there is a message after the number `place`, or the run is gone."""
        while self.seq <= place and not self.closed:
            await self._news.wait()

    def resync(self) -> EncodedMessage:
        """Return the message for a viewer whose place is gone.

        Its number is that of the last message it lost, so that numbers go on growing for it.
        """
        message = ResyncMessage(type="resync")
        return told({**message, "run": self.run, "seq": self._oldest, "sent_at": _now_s()})

    def snapshot(self, *, moving: bool) -> tuple[int, list[bytes]] | None:
        """Return the number and the frames of the snapshot made last, if it still holds.

        It does as long as nothing has happened since; while the run is `moving`, anything may have,
        for a second: it is told after it. So a hall that comes in at once is told the same one, and
        those who come one after the other and never read hold few of them.
        """
        if self._snapshot is None or not self.resumes(self._snapshot[0]):
            return None
        if self._moved and not (moving and time.monotonic() < self._snapshot_until_s):
            return None
        seq, frames = self._snapshot
        return seq, self._with_viewers(frames)

    def keep_snapshot(self, content: bytes) -> tuple[int, list[bytes]]:
        """Frame a snapshot of this moment, once for all who ask soon; return what `snapshot` does.

        Parameters
        ----------
        content : bytes
            What it holds: a JSON object that is not empty.
        """
        numbered = {"run": self.run, "seq": self.seq, "sent_at": _now_s()}
        head = serialised({"type": "snapshot", **numbered})
        # Without the last brace, since one thing is still to come.
        frames = list(framed(head[:-1] + b"," + content[1:-1], ends=False))
        self._snapshot = (self.seq, frames)
        self._moved, self._snapshot_until_s = False, time.monotonic() + SNAPSHOT_HOLDS_S
        return self.seq, self._with_viewers(frames)

    def _with_viewers(self, frames: list[bytes]) -> list[bytes]:
        # How many look on changes without a message, and need not cost another serialisation.
        return [*frames, *framed(f',"viewers":{self.viewers}}}'.encode(), begins=False)]

    # -- who looks on -----------------------------------------------------------------------------

    def join(self) -> None:
        """Count one more viewer."""
        self.viewers += 1
        self._remembers = True
        if self._forgetting is not None:
            self._forgetting.cancel()
            self._forgetting = None
        self._tell_viewers_soon()

    def leave(self) -> None:
        """Count one viewer less."""
        self.viewers -= 1
        if not self.viewers and not self.closed:
            self._forget_later()
        self._tell_viewers_soon()

    def _tell_viewers_soon(self) -> None:
        if self._telling_viewers is None and not self.closed:
            loop = asyncio.get_running_loop()
            self._telling_viewers = loop.call_later(VIEWERS_EVERY_S, self._tell_viewers)

    def _tell_viewers(self) -> None:
        self._telling_viewers = None
        if self.viewers != self._viewers_told:
            self._viewers_told = self.viewers
            self.publish(ViewersMessage(type="viewers", viewers=self.viewers))


class Broadcaster:
    """The channels of all runs; a `server.runs.publisher.Publisher`."""

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}

    def channel(self, run: str) -> Channel:
        """Return a run's channel."""
        if run not in self._channels:
            self._channels[run] = Channel(run)
        return self._channels[run]

    def publish(self, run: str, message: LiveMessage) -> None:
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
