"""Samples as they are sent: how many at once, and a list of any length in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from server.spec.schemas import Run
from server.store.queries import SamplesPage

__all__ = ["MAX_SAMPLES", "PAGE_CHARACTERS", "json_pieces", "samples_that_fit"]

MAX_SAMPLES = 1_000
# The others can be asked for; what is shown at once must stay small however long a run goes on, and
# however long its samples are.
SHOWN_CHARACTERS = 400_000
SHOWN_AT_LEAST = 50
# Each reader of a list has one page in memory, and there may be thousands who read slowly.
PAGE_CHARACTERS = 65_536
# About what a connection takes before whoever sends has to wait for its reader.
PIECE_BYTES = 65_536


def samples_that_fit(run: Run, most: int = MAX_SAMPLES) -> int:
    """Return how many samples of a run are shown at once: `most`, or fewer if they are long."""
    return min(most, max(SHOWN_AT_LEAST, SHOWN_CHARACTERS // run.spec.sample_length))


async def json_pieces(
    page: SamplesPage, after: Callable[[int], Awaitable[SamplesPage]]
) -> AsyncIterator[bytes]:
    """Yield a list of samples, which may be long, as JSON, in pieces of `PIECE_BYTES` at the most.

    Parameters
    ----------
    page : list of (int, str)
        The first samples, each as its update and its JSON; empty if there are none.
    after : callable
        Returns the page that begins after an update; empty if there are no more.
    """
    before = b"["
    while page:
        last = page[-1][0]
        content = before + ",".join(text for _, text in page).encode()
        page = []
        for start in range(0, len(content), PIECE_BYTES):
            yield content[start : start + PIECE_BYTES]
        before = b","
        page = await after(last)
    yield b"]" if before == b"," else b"[]"
