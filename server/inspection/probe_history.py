"""The probability of a character over the training, from the stored snapshots."""

from __future__ import annotations

import asyncio
import math
from array import array
from functools import partial

from server.checkpoints.snapshots import Snapshots
from server.concurrency.admission import AdmissionLimiter
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.concurrency.single_flight import SingleFlightCache
from server.errors import ConflictError
from server.inference.client import InferenceClient
from server.inference.inspection.messages import MeasureProbabilities
from server.inspection.commands import run_fields
from server.inspection.probe import Charge, ProbeHistoryRequest, check_text, requests
from server.inspection.snapshots import spread_over_training
from server.runs.run_controller import RunController
from server.spec.schemas import ApiModel

__all__ = ["ProbeHistory", "ProbeHistoryService"]

MAX_SNAPSHOTS = 60
CACHE_SIZE = 20 * MAX_SNAPSHOTS
"""Snapshots that have read a text; a text of 2,000 characters has 8 kB."""
MAX_MULTIPLY_ADDS = 10**10
"""Of all snapshots together: about five seconds. With a large network, fewer are read."""
LEAST_SNAPSHOTS = 8


class ProbeHistory(ApiModel):
    """The probability of a character at some snapshots.

    Attributes
    ----------
    update : list of int
        Of each snapshot, ascending: up to 60, spread over the training.
    probability : list of float or None
        Of the character, given those before it; None if it was not predicted, such as the first
        known one and unknown ones, or is not finite.
    """

    update: list[int]
    probability: list[float | None]


class ProbeHistoryService:
    """Reads texts with the snapshots of any run, in a process of its own.

    Every snapshot reads a whole text once; then the curves of all its characters are known.

    Parameters
    ----------
    characters : int
        Maximum length of a text, if it is less than `MAX_PROBE_CHARACTERS`.
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(self, characters: int, waiting: int) -> None:
        self._characters = characters
        self._inference = InferenceClient()
        self._admission = AdmissionLimiter(1, waiting, "curves over the training")
        self._read: SingleFlightCache[array[float]] = SingleFlightCache(CACHE_SIZE)

    async def read(
        self,
        controller: RunController,
        request: ProbeHistoryRequest,
        charge: Charge = lambda _: None,
    ) -> ProbeHistory:
        """Return the probability of a character over the training.

        Parameters
        ----------
        controller : RunController
            The run.
        request : ProbeHistoryRequest
            The text and the character.
        charge : callable
            As for `ProbeService.probe`.

        Raises
        ------
        SpecError
            The text is too long, or has no such character.
        ConflictError
            The process ended.
        TooBusyError
            Too many requests are waiting.
        """
        check_text(request, self._characters)
        work = len(request.text) * controller.run.parameters
        most = min(MAX_SNAPSHOTS, max(LEAST_SNAPSHOTS, MAX_MULTIPLY_ADDS // work))
        snapshots = Snapshots.of_checkpoints(controller.checkpoint_store.directory)
        chosen = spread_over_training(await asyncio.to_thread(snapshots.updates), most)
        found: list[tuple[int, float]] = []
        charged = False
        for update in chosen:
            path = snapshots.path(update)
            try:
                changed_ns = (await asyncio.to_thread(path.stat)).st_mtime_ns
            except FileNotFoundError:
                # It was thinned out meanwhile.
                continue
            key = str(path), changed_ns, request.text
            if key not in self._read and not charged:
                charge(requests(work * len(chosen)))
                charged = True
            command = MeasureProbabilities(
                path=str(path),
                which="latest",
                **run_fields(controller),
                text=request.text,
            )
            try:
                row = await self._read.get(key, partial(self._compute, command))
            except ChildRefusedError:
                # Damaged, or thinned out meanwhile.
                continue
            except ChildExitedError as error:
                raise ConflictError(f"The snapshots could not be read: {error}.") from error
            found.append((update, row[request.index]))
        return ProbeHistory(
            update=[update for update, _ in found],
            probability=[round(p, 4) if math.isfinite(p) else None for _, p in found],
        )

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()

    async def _compute(self, command: MeasureProbabilities) -> array[float]:
        async with self._admission:
            answer = await self._inference.inspect(command)
        return array("f", (math.nan if p is None else p for p in answer["probability"]))
