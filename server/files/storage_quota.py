"""A limit on the size of the data directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

from server.errors import LimitReachedError

__all__ = ["QuotaExceededError", "StorageQuota", "bytes_below"]

MEASUREMENT_SHARE = 20
"""Measuring takes at most one part in so many of the time."""
MEASUREMENT_VALID_S = 1.0


class QuotaExceededError(LimitReachedError):
    """The data directory has reached its limit."""


class StorageQuota:
    """A limit on the total size of the files in a directory.

    Parameters
    ----------
    directory : pathlib.Path
        The directory; all files below it count.
    limit_bytes : int or None
        The limit; None: the size of the disk.
    """

    def __init__(self, directory: Path, limit_bytes: int | None) -> None:
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._stored_bytes = 0
        self._valid_until_s = 0.0
        self._measuring = asyncio.Lock()

    async def check(self, more_bytes: int = 0) -> None:
        """Check that so many more bytes may be stored.

        Raises
        ------
        QuotaExceededError
            They may not; the message names the limit.
        """
        limit = self._limit_bytes
        if limit is None:
            return
        async with self._measuring:
            if time.monotonic() >= self._valid_until_s:
                await self._measure()
            if self._stored_bytes + more_bytes > limit:
                # Files may have been deleted since.
                await self._measure()
            if self._stored_bytes + more_bytes > limit:
                raise QuotaExceededError(
                    f"The data directory may contain {_shown(limit)}, and contains"
                    f" {_shown(self._stored_bytes)}: delete runs or texts to free space."
                )
            self._stored_bytes += more_bytes

    def count(self, more_bytes: int) -> None:
        """Add the size of a file that was stored since the last measurement."""
        self._stored_bytes += more_bytes

    async def _measure(self) -> None:
        started_s = time.monotonic()
        self._stored_bytes = await asyncio.to_thread(bytes_below, self._directory)
        took_s = time.monotonic() - started_s
        self._valid_until_s = started_s + max(MEASUREMENT_VALID_S, took_s * MEASUREMENT_SHARE)


def bytes_below(directory: Path) -> int:
    """Return the total size of all files below a directory.

    Files deleted meanwhile do not count. Nor do files whose names start with a dot: they are
    temporary files, of a write or of a download.
    """
    total = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            if name.startswith("."):
                continue
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total


def _shown(size: int) -> str:
    return f"{size:,} bytes" if size < 10**6 else f"{size / 1e6:,.0f} MB"
