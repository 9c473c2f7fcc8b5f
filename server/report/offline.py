"""What a report without a server needs: a database of its own, and the processes that compute."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from server.analysis.gradient_check import GradientCheckService
from server.inference.client import InferenceClient
from server.store.executor import StoreExecutor

__all__ = ["RunNotFoundError", "open_processes", "open_store"]

CHECK_CHARACTERS, WAITING = 10_000, 4


class RunNotFoundError(LookupError):
    """The run cannot be read; the message is one sentence."""


@contextlib.asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[StoreExecutor]:
    """Open a database that nothing else uses; create it if it does not exist."""
    store = StoreExecutor(path)
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def open_processes() -> AsyncIterator[tuple[InferenceClient, GradientCheckService]]:
    """Yield what writes texts and what checks gradients; their processes end with the block."""
    inference, checks = InferenceClient(), GradientCheckService(CHECK_CHARACTERS, WAITING)
    try:
        yield inference, checks
    finally:
        await inference.terminate()
        await checks.close()
