"""Lists of samples: how many are sent at once, and streaming a list of any length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from server.spec.schemas import Run
from server.store.queries import SampleSlice

__all__ = [
    "MAX_SAMPLES",
    "SLICE_CHARACTERS",
    "NextSlice",
    "fitting_sample_count",
    "stream_json_lines",
    "stream_json_list",
]

MAX_SAMPLES = 1_000
# A snapshot must stay small, however long a run and its samples are. A client can request the
# samples that were left out.
SNAPSHOT_CHARACTERS = 400_000
MIN_SAMPLES = 50
# One slice is in memory for each reader, and there may be thousands of slow readers.
SLICE_CHARACTERS = 65_536
# About as much as a connection accepts before the sender has to wait for its reader.
CHUNK_BYTES = 65_536

NextSlice = Callable[[int], Awaitable[SampleSlice]]


def fitting_sample_count(run: Run, limit: int = MAX_SAMPLES) -> int:
    """Return how many samples of a run are sent at once: `limit`, or fewer if they are long."""
    return min(limit, max(MIN_SAMPLES, SNAPSHOT_CHARACTERS // run.spec.sample_length))


async def stream_json_list(samples: SampleSlice, next_slice: NextSlice) -> AsyncIterator[bytes]:
    """Yield a list of samples as JSON, in chunks of at most `CHUNK_BYTES`.

    Parameters
    ----------
    samples : list of (int, str)
        The first samples, each as its update and its JSON; empty if there are none.
    next_slice : callable
        Returns the slice after an update; empty if there are no more.
    """
    separator = b"["
    while samples:
        last = samples[-1][0]
        content = separator + ",".join(text for _, text in samples).encode()
        # The slice must not stay in memory while its chunks are sent.
        samples = []
        for chunk in _chunks(content):
            yield chunk
        separator = b","
        samples = await next_slice(last)
    yield b"]" if separator == b"," else b"[]"


async def stream_json_lines(samples: SampleSlice, next_slice: NextSlice) -> AsyncIterator[bytes]:
    """Yield samples as JSON Lines, one a line, in chunks of at most `CHUNK_BYTES`.

    Parameters are those of `stream_json_list`.
    """
    while samples:
        last = samples[-1][0]
        content = "".join(f"{text}\n" for _, text in samples).encode()
        samples = []
        for chunk in _chunks(content):
            yield chunk
        samples = await next_slice(last)


def _chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]
