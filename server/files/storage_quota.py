"""How much the data directory may hold."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

from server.errors import LimitReachedError

__all__ = ["NoRoomError", "StorageQuota", "bytes_below"]

# Of the time, at most one part in so many goes into measuring.
MEASURING_SHARE = 20
MEASURED_FOR_S = 1.0


class NoRoomError(LimitReachedError):
    """As much is stored as may be."""


class StorageQuota:
    """What is stored in a folder, held to a limit.

    Parameters
    ----------
    folder : pathlib.Path
        All files below it count.
    limit_bytes : int or None
        What may be stored; None: whatever the disk holds.
    """

    def __init__(self, folder: Path, limit_bytes: int | None) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._stored_bytes = 0
        self._holds_until_s = 0.0
        self._measuring = asyncio.Lock()

    async def check(self, more_bytes: int = 0) -> None:
        """Return if so many bytes more may be stored.

        Raises
        ------
        NoRoomError
            They may not; the message names the limit.
        """
        limit = self._limit_bytes
        if limit is None:
            return
        async with self._measuring:
            if time.monotonic() >= self._holds_until_s:
                await self._measure()
            if self._stored_bytes + more_bytes > limit:
                # Something may have been deleted since.
                await self._measure()
            if self._stored_bytes + more_bytes > limit:
                raise NoRoomError(
                    f"The data directory may hold {_shown(limit)}, and holds"
                    f" {_shown(self._stored_bytes)}: delete runs or texts to make room."
                )
            self._stored_bytes += more_bytes

    def count(self, more_bytes: int) -> None:
        """Take into account what was stored since it was measured."""
        self._stored_bytes += more_bytes

    async def _measure(self) -> None:
        began_s = time.monotonic()
        self._stored_bytes = await asyncio.to_thread(bytes_below, self._folder)
        took_s = time.monotonic() - began_s
        self._holds_until_s = began_s + max(MEASURED_FOR_S, took_s * MEASURING_SHARE)


def bytes_below(folder: Path) -> int:
    """Return the size of all files below a folder; what vanishes meanwhile does not count.

    Nor do files with a dot in front, which are gone by themselves in a moment: they are being
    written under that name, or written to be sent away.
    """
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.startswith("."):
                continue
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total


def _shown(size: int) -> str:
    return f"{size:,} bytes" if size < 10**6 else f"{size / 1e6:,.0f} MB"
