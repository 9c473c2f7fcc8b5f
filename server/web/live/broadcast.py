"""Sending what happens in a run to all its viewers, without a slow viewer delaying the others.

Each message is encoded once and appended to the log of the run's channel. Each viewer has a cursor,
the number of the last message that it received, and reads the log from there at its own speed.
Nothing else is stored per viewer, so a viewer that does not read costs no memory. A slow viewer
gets consecutive progress messages coalesced into one; all other messages are delivered as they are.
A viewer whose cursor has been evicted from the log gets a `resync` and a new snapshot.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from server.runs.publisher import Publisher
from server.spec.live_messages import (
    HeartbeatMessage,
    LiveMessage,
    ResyncMessage,
    ViewersMessage,
)
from server.web.games.messages import GameLiveMessage
from server.web.lectures.messages import LectureLiveMessage
from server.web.live.frames import (
    EncodedMessage,
    Message,
    coalesce,
    encode,
    split_into_frames,
    to_json,
)
from server.web.live.wall_messages import WallLiveMessage

__all__ = ["Broadcaster", "Channel"]

# The log of a fast run covers some 20 s: a viewer that lags by less needs no new snapshot.
MAX_LOG_MESSAGES = 512
# Samples may be long.
MAX_LOG_BYTES = 4_000_000
# How long the log of a run without viewers is kept for viewers that reconnect.
LOG_RETENTION_S = 60.0
VIEWER_COUNT_INTERVAL_S = 1.0
# After so long without a message the viewers get a heartbeat. The page waits three times as long
# before it calls its data outdated.
HEARTBEAT_INTERVAL_S = 1.0
# Messages that leave a snapshot as current as it was.
_NOT_IN_SNAPSHOT = frozenset({"viewers", "heartbeat"})
SNAPSHOT_CACHE_S = 1.0
# With so many viewers, sending takes processor time that training lacks. Progress arrives up to 20
# times a second; with the interval below, every second message is sent, coalesced with the one
# before. A message waits longer than the interval only if the next one is late.
CROWD_VIEWERS = 100
CROWD_PROGRESS_INTERVAL_S = 0.08
MAX_PROGRESS_DELAY_S = 0.08


class Channel:
    """The log of one run's messages, and the number of its viewers.

    Parameters
    ----------
    run : str or None
        Id of the run, which is part of every message; None for the channel of all runs.
    max_messages : int
        Length of the log, at most.

    Attributes
    ----------
    seq : int
        Number of the last message. Numbers start at the time in microseconds, and there are fewer
        than a million messages a second, so they grow across restarts of the server: a `since`
        from before a restart never equals a number from after it. They stay below 2**53, the
        largest integers that a browser represents exactly, until the year 2255.
    viewers : int
        Number of viewers.
    closed : bool
        Whether the run was deleted.
    """

    def __init__(self, run: str | None, *, max_messages: int = MAX_LOG_MESSAGES) -> None:
        self._address: Message = {} if run is None else {"run": run}
        self._max_messages = max_messages
        self.seq = time.time_ns() // 1_000
        self.viewers = 0
        self.closed = False
        self._log: deque[EncodedMessage] = deque()
        self._log_bytes = 0
        # The lowest cursor after which the log has no gap. It may be the number of a `resync`; the
        # snapshot that follows has a higher one.
        self._oldest_cursor = self.seq - 1
        self._appended = asyncio.Event()
        self._snapshot: tuple[int, list[bytes]] | None = None
        # Whether the snapshot is out of date, and until when it is sent nevertheless.
        self._snapshot_outdated = False
        self._snapshot_expires_s = 0.0
        # The latest coalesced message, shared by all viewers with the same cursor.
        self._coalesced: tuple[int, EncodedMessage] | None = None
        # Progress that is delayed, and the time from which progress is sent without delay.
        self._delayed_progress: list[Message] = []
        self._progress_due_s = 0.0
        self._progress_timer: asyncio.TimerHandle | None = None
        self._published_viewers = 0
        self._viewers_timer: asyncio.TimerHandle | None = None
        self._heartbeat_timer: asyncio.TimerHandle | None = None
        self._appended_s = 0.0
        # Whether messages are added to the log. Nobody has a cursor of a new channel.
        self._logging = False
        self._stop_logging_timer: asyncio.TimerHandle | None = None

    # -- publishing -------------------------------------------------------------------------------

    @property
    def logging(self) -> bool:
        """Whether messages are kept, because there are viewers, or were until recently."""
        return self._logging

    def publish(
        self, message: LiveMessage | WallLiveMessage | LectureLiveMessage | GameLiveMessage
    ) -> None:
        """Number a message and send it to all viewers."""
        if not self._logging:
            self.seq += 1
            self._oldest_cursor = self.seq - 1
            return
        kind = message["type"]
        addressed = {"type": kind, **self._address, **message, "sent_at": _unix_time_s()}
        if kind != "progress":
            self.flush_progress()
            self._append(addressed)
            return
        self._delayed_progress.append(addressed)
        loop = asyncio.get_running_loop()
        if self.viewers < CROWD_VIEWERS or loop.time() >= self._progress_due_s:
            self.flush_progress()
        elif self._progress_timer is None:
            self._progress_timer = loop.call_later(MAX_PROGRESS_DELAY_S, self.flush_progress)

    def flush_progress(self) -> None:
        """Send the delayed progress, if there is any."""
        if self._progress_timer is not None:
            self._progress_timer.cancel()
            self._progress_timer = None
        if self._delayed_progress:
            loop = asyncio.get_running_loop()
            self._progress_due_s = loop.time() + CROWD_PROGRESS_INTERVAL_S
            delayed, self._delayed_progress = self._delayed_progress, []
            self._append(delayed[0] if len(delayed) == 1 else coalesce(delayed))

    def _append(self, message: Message) -> None:
        self.seq += 1
        self._appended_s = asyncio.get_running_loop().time()
        self._coalesced = None
        if message["type"] not in _NOT_IN_SNAPSHOT:
            self._snapshot_outdated = True
            if time.monotonic() >= self._snapshot_expires_s:
                self._snapshot = None
        self._log.append(encode(message | {"seq": self.seq}))
        self._log_bytes += self._log[-1].size_bytes
        while len(self._log) > self._max_messages or self._log_bytes > MAX_LOG_BYTES:
            evicted = self._log.popleft()
            self._log_bytes -= evicted.size_bytes
            self._oldest_cursor = evicted.seq
        self._wake_viewers()

    def restart(self) -> None:
        """Invalidate every cursor, so that all viewers get a new snapshot."""
        self.flush_progress()
        self._clear()
        # One number for the `resync`, and a higher one for the snapshot.
        self.seq += 2
        self._oldest_cursor = self.seq - 1
        self._wake_viewers()

    def close(self) -> None:
        """Disconnect every viewer: the run was deleted."""
        self.closed = True
        for timer in (
            self._viewers_timer,
            self._progress_timer,
            self._stop_logging_timer,
            self._heartbeat_timer,
        ):
            if timer is not None:
                timer.cancel()
        self._wake_viewers()

    def _schedule_stop_logging(self) -> None:
        loop = asyncio.get_running_loop()
        self._stop_logging_timer = loop.call_later(LOG_RETENTION_S, self._stop_logging)

    def _cancel_stop_logging(self) -> None:
        if self._stop_logging_timer is not None:
            self._stop_logging_timer.cancel()
            self._stop_logging_timer = None

    def _stop_logging(self) -> None:
        """Free the log and the snapshot: those of all runs together would add up."""
        self.flush_progress()
        self._clear()
        self._oldest_cursor = self.seq - 1
        self._logging = False

    def _clear(self) -> None:
        self._log.clear()
        self._log_bytes = 0
        self._snapshot = self._coalesced = None

    def _wake_viewers(self) -> None:
        self._appended.set()
        self._appended = asyncio.Event()

    # -- reading ----------------------------------------------------------------------------------

    def contains(self, cursor: int) -> bool:
        """Whether every message after the number `cursor` is still in the log."""
        return self._oldest_cursor <= cursor <= self.seq

    def can_resume(self, since: int) -> bool:
        """Whether a viewer that reconnects with this number can continue without a snapshot.

        The number of a `resync` does not count: its viewer still needs the snapshot.
        """
        return since == self.seq or (self._oldest_cursor < since and self.contains(since))

    def next_message(self, cursor: int, *, coalesced: bool) -> EncodedMessage | None:
        """Return the message after the number `cursor`, None if there is none yet.

        Parameters
        ----------
        cursor : int
            A number for which `contains` is true.
        coalesced : bool
            Whether consecutive progress messages are joined into one, with the number of the last.
        """
        if cursor == self.seq:
            return None
        index = max(0, cursor - self.seq + len(self._log))
        first = self._log[index]
        if not coalesced or first.progress is None:
            return first
        if self._coalesced is None or self._coalesced[0] != cursor:
            messages = []
            while index < len(self._log) and (progress := self._log[index].progress) is not None:
                messages.append(progress)
                index += 1
            self._coalesced = cursor, first if len(messages) == 1 else encode(coalesce(messages))
        return self._coalesced[1]

    async def wait(self, cursor: int) -> None:
        """Wait until there is a message after the number `cursor`, or the run is deleted."""
        while self.seq <= cursor and not self.closed:
            await self._appended.wait()

    def resync(self) -> EncodedMessage:
        """Return the message for a viewer whose cursor has been evicted.

        Its number is that of the last evicted message, so that the viewer's numbers keep growing.
        """
        message = ResyncMessage(type="resync")
        seq = self._oldest_cursor
        return encode({**message, **self._address, "seq": seq, "sent_at": _unix_time_s()})

    def cached_snapshot(self, *, running: bool) -> tuple[int, list[bytes]] | None:
        """Return the number and the frames of the latest snapshot if it can be sent again.

        It can until the next message; while the run is `running`, for a second, followed by the
        messages after it. A lecture hall that connects at once thus shares one snapshot, and
        viewers that connect one after the other and never read keep few of them in memory.
        """
        if self._snapshot is None or not self.can_resume(self._snapshot[0]):
            return None
        still_valid = running and time.monotonic() < self._snapshot_expires_s
        if self._snapshot_outdated and not still_valid:
            return None
        seq, frames = self._snapshot
        return seq, self._append_viewers(frames)

    def cache_snapshot(self, content: bytes) -> tuple[int, list[bytes]]:
        """Encode a snapshot of this moment and cache it; return its number and frames.

        Parameters
        ----------
        content : bytes
            Its content: a JSON object that is not empty.
        """
        envelope = {**self._address, "seq": self.seq, "sent_at": _unix_time_s()}
        head = to_json({"type": "snapshot", **envelope})
        # Without the closing brace: the number of viewers is still to be appended.
        frames = list(split_into_frames(head[:-1] + b"," + content[1:-1], ends=False))
        self._snapshot = (self.seq, frames)
        self._snapshot_outdated = False
        self._snapshot_expires_s = time.monotonic() + SNAPSHOT_CACHE_S
        return self.seq, self._append_viewers(frames)

    def _append_viewers(self, frames: list[bytes]) -> list[bytes]:
        # The number of viewers changes without a message; the rest need not be encoded again.
        return [*frames, *split_into_frames(f',"viewers":{self.viewers}}}'.encode(), begins=False)]

    # -- viewers ----------------------------------------------------------------------------------

    def keep_logging(self) -> None:
        """Log messages for `LOG_RETENTION_S` from now, as after the last viewer has left."""
        self._logging = True
        self._cancel_stop_logging()
        if not self.viewers:
            self._schedule_stop_logging()

    def join(self) -> None:
        """Add a viewer."""
        self.viewers += 1
        self._logging = True
        self._cancel_stop_logging()
        if self._heartbeat_timer is None:
            self._schedule_heartbeat()
        self._schedule_viewer_count()

    def leave(self) -> None:
        """Remove a viewer."""
        self.viewers -= 1
        if not self.viewers and not self.closed:
            self._schedule_stop_logging()
        self._schedule_viewer_count()

    def _schedule_viewer_count(self) -> None:
        if self._viewers_timer is None and not self.closed:
            loop = asyncio.get_running_loop()
            self._viewers_timer = loop.call_later(
                VIEWER_COUNT_INTERVAL_S, self._publish_viewer_count
            )

    def _publish_viewer_count(self) -> None:
        self._viewers_timer = None
        if self.viewers != self._published_viewers:
            self._published_viewers = self.viewers
            self.publish(ViewersMessage(type="viewers", viewers=self.viewers))

    def _schedule_heartbeat(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = max(self._appended_s, loop.time() - HEARTBEAT_INTERVAL_S) + HEARTBEAT_INTERVAL_S
        self._heartbeat_timer = loop.call_at(due_s, self._send_heartbeat)

    def _send_heartbeat(self) -> None:
        self._heartbeat_timer = None
        if self.closed or not self.viewers:
            return
        if asyncio.get_running_loop().time() - self._appended_s >= HEARTBEAT_INTERVAL_S:
            self.publish(HeartbeatMessage(type="heartbeat"))
        self._schedule_heartbeat()


class Broadcaster:
    """The channels of all runs; a `server.runs.publisher.Publisher`."""

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}
        self._followers: list[Publisher] = []

    def follow(self, publisher: Publisher) -> None:
        """Pass every message on to another publisher, too."""
        self._followers.append(publisher)

    def channel(self, run: str) -> Channel:
        """Return a run's channel, created at the first call."""
        if run not in self._channels:
            self._channels[run] = Channel(run)
        return self._channels[run]

    @property
    def viewers(self) -> int:
        """The number of viewers of all runs together."""
        return sum(channel.viewers for channel in self._channels.values())

    def publish(self, run: str, message: LiveMessage) -> None:
        """Send a message to all viewers of a run."""
        self.channel(run).publish(message)
        for follower in self._followers:
            follower.publish(run, message)

    def is_watched(self, run: str) -> bool:
        """Whether a run's messages are kept for viewers."""
        return self.channel(run).logging

    def restart(self, run: str) -> None:
        """Send all viewers of a run a new snapshot."""
        self.channel(run).restart()
        for follower in self._followers:
            follower.restart(run)

    def close(self, run: str) -> None:
        """Disconnect all viewers of a deleted run."""
        if (channel := self._channels.pop(run, None)) is not None:
            channel.close()
        for follower in self._followers:
            follower.close(run)


def _unix_time_s() -> float:
    """Return the Unix time in seconds, rounded to milliseconds."""
    return round(time.time(), 3)
