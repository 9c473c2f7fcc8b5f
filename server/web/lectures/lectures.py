"""The lectures of a server, and what the presenter of each looks at.

Ids and hashes of keys are in a file, so that a restart of the server ends no lecture. What the
presenter looks at is in memory alone: a page that presents sends it again when it reconnects.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from server.errors import ConflictError, UnknownLectureError
from server.files.durable import replacing
from server.web.lectures.messages import (
    LectureLiveMessage,
    LecturePointer,
    LectureViewMessage,
    PointerMessage,
    PresentersMessage,
)
from server.web.live.broadcast import Channel
from server.web.live.frames import to_json
from server.web.security.link_keys import ID_PATTERN, hash_key, is_key, new_id, new_key

__all__ = ["Lecture", "Lectures", "Presenter"]

log = logging.getLogger(__name__)

FILE = "lectures.json"
MAX_LECTURES = 100
# A link can be on a slide that is prepared some days before.
LIFETIME_S = 7 * 86_400
# A viewer that lags by more gets the newest state alone.
MAX_LOG_MESSAGES = 16


class _StoredLecture(BaseModel):
    """A lecture in the file; times are Unix times in seconds."""

    id: str = Field(pattern=ID_PATTERN)
    key_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    started_at: float


_STORED = TypeAdapter(list[_StoredLecture])


class Presenter:
    """A page that presents, compared by identity."""


class Lecture:
    """One lecture.

    Attributes
    ----------
    stored : _StoredLecture
        What the file has of it.
    channel : Channel
        The messages to the viewers.
    view : str or None
        Path and query of what the presenter looks at.
    """

    def __init__(self, stored: _StoredLecture) -> None:
        self.stored = stored
        self.channel = Channel(None, max_messages=MAX_LOG_MESSAGES)
        self.view: str | None = None
        self._pointer: LecturePointer | None = None
        self._pointing: Presenter | None = None
        self._presenters: set[Presenter] = set()

    def is_key(self, key: str) -> bool:
        """Whether this is the presenter's key, compared in constant time."""
        return is_key(key, self.stored.key_sha256)

    def add_presenter(self) -> Presenter:
        """Add a page that presents."""
        presenter = Presenter()
        self._presenters.add(presenter)
        self._publish_presenters()
        return presenter

    def remove_presenter(self, presenter: Presenter) -> None:
        """Remove a page that presents, and its pointer."""
        self._presenters.remove(presenter)
        self._publish_presenters()
        self.point(None, presenter)

    def show(self, view: str) -> None:
        """Show a page to everyone who follows."""
        if view != self.view:
            self.view = view
            self._publish(LectureViewMessage(type="view", view=view))

    def point(self, pointer: LecturePointer | None, presenter: Presenter) -> None:
        """Point somewhere; None: nowhere, unless another presenter points."""
        if pointer is None and presenter is not self._pointing:
            return
        self._pointing = None if pointer is None else presenter
        if pointer != self._pointer:
            self._pointer = pointer
            self._publish(PointerMessage(type="pointer", pointer=pointer))

    async def read_snapshot(self) -> tuple[int, list[bytes]]:
        """Return a snapshot's number and frames; all later messages have higher numbers."""
        snapshot = self.channel.cached_snapshot(running=False)
        if snapshot is None:
            content = {
                "view": self.view,
                "pointer": self._pointer,
                "presenters": len(self._presenters),
            }
            snapshot = self.channel.cache_snapshot(to_json(content))
        return snapshot

    def _publish_presenters(self) -> None:
        self._publish(PresentersMessage(type="presenters", presenters=len(self._presenters)))

    def _publish(self, message: LectureLiveMessage) -> None:
        if not self.channel.closed:
            self.channel.publish(message)


class Lectures:
    """All lectures of a server.

    Parameters
    ----------
    data_dir : pathlib.Path
        The data directory, which has the file.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._lectures = {each.id: Lecture(each) for each in self._read()}
        self._writing = asyncio.Lock()

    def get(self, lecture_id: str) -> Lecture:
        """Return a lecture; raises `UnknownLectureError`."""
        lecture = self._lectures.get(lecture_id.lower())
        if lecture is None or _is_over(lecture):
            raise UnknownLectureError
        return lecture

    async def start(self) -> tuple[Lecture, str]:
        """Start a lecture; return it and the presenter's key, which is not stored.

        Raises
        ------
        ConflictError
            There are as many lectures as there may be.
        """
        for lecture in [each for each in self._lectures.values() if _is_over(each)]:
            self._remove(lecture)
        if len(self._lectures) >= MAX_LECTURES:
            raise ConflictError(f"The limit is {MAX_LECTURES} lectures: end one first.")
        key = new_key()
        lecture_id = new_id(self._lectures)
        lecture = Lecture(
            _StoredLecture(id=lecture_id, key_sha256=hash_key(key), started_at=time.time())
        )
        self._lectures[lecture.stored.id] = lecture
        try:
            await self._write()
        except OSError:
            self._remove(lecture)
            raise
        return lecture, key

    async def end(self, lecture_id: str) -> None:
        """End a lecture for everyone; raises `UnknownLectureError`."""
        self._remove(self.get(lecture_id))
        await self._write()

    def _remove(self, lecture: Lecture) -> None:
        self._lectures.pop(lecture.stored.id, None)
        lecture.channel.close()

    def _read(self) -> Iterable[_StoredLecture]:
        try:
            return _STORED.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValidationError):
            log.warning("Cannot read %s: its lectures have ended.", self._path)
            return []

    async def _write(self) -> None:
        async with self._writing:
            content = [each.stored.model_dump() for each in self._lectures.values()]
            await asyncio.to_thread(self._replace, json.dumps(content).encode())

    def _replace(self, content: bytes) -> None:
        with replacing(self._path) as file:
            file.write(content)


def _is_over(lecture: Lecture) -> bool:
    return time.time() - lecture.stored.started_at > LIFETIME_S
