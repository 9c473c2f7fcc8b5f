"""The surprisal of the text that a run was trained on at an update."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Literal

from server.checkpoints.snapshots import Snapshots
from server.concurrency.admission import AdmissionLimiter
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.concurrency.single_flight import SingleFlightCache
from server.errors import ConflictError, UnknownRunError
from server.inference.client import InferenceClient
from server.inference.messages import MeasureSurprisal
from server.inference.surprisal import multiply_adds
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError
from server.spec.schemas import ApiModel, Run
from server.spec.sizing import batch_layout
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreCalls

__all__ = ["SurprisalService", "UpdateSurprisal"]

CACHE_SIZE = 200
# How many unreadable model files are skipped.
MAX_UNREADABLE = 3
# All viewers of the latest update get the same result for this long.
LATEST_INTERVAL_S = 2.0
# The work that counts as one request: a tenth of a second. The default network takes less.
REQUEST_MULTIPLY_ADDS = 2 * 10**8

Guess = tuple[str, float]
Charge = Callable[[int], None]


class SurprisalSource(ApiModel):
    """The model that was used: the newest stored one from before the update."""

    kind: Literal["snapshot", "checkpoint", "beginning"]
    update: int


class SurprisingCharacter(ApiModel):
    """One of the most surprising characters.

    Attributes
    ----------
    index : int
        Index in the passage's `text`, from 0.
    character : str
        The character.
    word : str or None
        The word that contains it, if any.
    surprisal : float
        In bits.
    expected : list of (str, float)
        The most likely characters in its place and their probabilities.
    """

    index: int
    character: str
    word: str | None
    surprisal: float
    expected: list[Guess]


class PassageSurprisal(ApiModel):
    """The text of one stream at an update, with its context in the corpus.

    Attributes
    ----------
    stream : int
        The stream, from 1.
    position : int
        The start of `text` in the corpus, in characters.
    before, text, after : str
        `text` has the characters whose surprisals make up the update's loss. The first input was
        the character before it, the last of `before`.
    surprisal_before, surprisal, surprisal_after : list of float or None
        Of each character of these texts, in bits; None if it was not predicted or is not finite.
    top : list of list of (str, float)
        For each character of `text`, the most likely characters and their probabilities.
    most_surprising : list of SurprisingCharacter
        The most surprising first.
    """

    stream: int
    position: int
    before: str
    text: str
    after: str
    surprisal_before: list[float | None]
    surprisal: list[float | None]
    surprisal_after: list[float | None]
    top: list[list[Guess]]
    most_surprising: list[SurprisingCharacter]


class UpdateSurprisal(ApiModel):
    """The text that a run was trained on at an update, and its surprisal.

    Attributes
    ----------
    update, epoch : int
        The update and its epoch.
    position : int
        The position in each stream's part of the corpus, in characters.
    loss, smooth_loss : float or None
        Of the update itself, in nats per sequence; None if they were not finite.
    streams : int
        Number of streams.
    source : SurprisalSource
        The model that was used.
    passages : list of PassageSurprisal
        Of up to three streams, the greatest surprisal first.
    """

    update: int
    epoch: int
    position: int
    loss: float | None
    smooth_loss: float | None
    streams: int
    source: SurprisalSource
    passages: list[PassageSurprisal]


@dataclass(frozen=True, slots=True)
class _UpdateLoss:
    """An update and its losses; None if they are not finite."""

    update: int
    loss: float | None
    smooth_loss: float | None


class SurprisalService:
    """Computes surprisals in a process of its own.

    Parameters
    ----------
    store : StoreCalls
        The database of losses and checkpoints.
    find : callable
        Returns the run with an id; raises `UnknownRunError` if there is none.
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(
        self, store: StoreCalls, find: Callable[[str], RunController], waiting: int
    ) -> None:
        self._inference = InferenceClient()
        self._store = store
        self._find = find
        self._admission = AdmissionLimiter(1, waiting, "surprisal requests")
        self._by_update: SingleFlightCache[UpdateSurprisal] = SingleFlightCache(CACHE_SIZE)
        self._latest: SingleFlightCache[UpdateSurprisal] = SingleFlightCache(CACHE_SIZE)

    async def at(
        self, controller: RunController, update: int, charge: Charge = lambda _: None
    ) -> UpdateSurprisal:
        """Return the surprisal at an update.

        Parameters
        ----------
        controller : RunController
            The run.
        update : int
            The update.
        charge : callable
            Called with the number of requests that the work counts as, if the result is not
            cached; it may raise.

        Raises
        ------
        SpecError
            The run has not made this update.
        ConflictError
            No model can be read.
        TooBusyError
            Too many requests are waiting.
        """
        return await self._cached(controller, await self._loss(controller.run, update), charge)

    async def latest(self, controller: RunController) -> UpdateSurprisal:
        """Return the surprisal at the latest update, the same for two seconds.

        Raises
        ------
        ConflictError
            The run has made no update. Otherwise as for `at`.
        """

        async def compute() -> UpdateSurprisal:
            last = await self._store(Store.history_end, controller.run.id)
            if not last:
                raise ConflictError("Nothing has been read yet: no update has been made.")
            return await self.at(controller, last)

        update = controller.run.update if controller.run.updates_per_second == 0 else None
        interval = int(time.monotonic() / LATEST_INTERVAL_S)
        return await self._latest.get((controller.run.id, update, interval), compute)

    async def at_position(
        self,
        controller: RunController,
        epoch: int,
        position: int,
        charge: Charge = lambda _: None,
    ) -> UpdateSurprisal:
        """Return the surprisal at the update of an epoch that read a position of each stream.

        Raises
        ------
        SpecError
            The run has not made this update. Otherwise as for `at`.
        """
        layout = batch_layout(controller.run.spec, controller.run.corpus_characters)
        update = await asyncio.to_thread(layout.find_update, epoch, position)
        if update > controller.run.update:
            raise SpecError("position", f"has not been read in epoch {epoch:,} yet")
        return await self.at(controller, update, charge)

    async def at_highest_loss(
        self,
        controller: RunController,
        first: int,
        last: int,
        charge: Charge = lambda _: None,
    ) -> UpdateSurprisal:
        """Return the surprisal at the update with the greatest loss from `first` to `last`.

        Raises
        ------
        SpecError
            The run has made none of these updates. Otherwise as for `at`.
        """
        update = await self._store(queries.highest_loss, controller.run.id, first, last)
        if update is None:
            raise _not_made("from", controller.run.update)
        return await self.at(controller, update, charge)

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()

    async def _loss(self, run: Run, update: int) -> _UpdateLoss:
        found = await self._store(queries.reduced_loss, run.id, update, update, points=1)
        if not len(found.update):
            raise _not_made("update", run.update)
        loss, smooth = float(found.low[0]), float(found.smooth[0])
        return _UpdateLoss(
            update, loss if isfinite(loss) else None, smooth if isfinite(smooth) else None
        )

    async def _cached(
        self, controller: RunController, loss: _UpdateLoss, charge: Charge
    ) -> UpdateSurprisal:
        unreadable: set[Path] = set()
        while True:
            # After a rollback, the same update has another model and another loss.
            source, path = await self._source(controller, loss.update - 1, unreadable)
            key = (controller.run.id, loss, path)
            compute = partial(self._compute, controller, loss, source, path)
            if key not in self._by_update:
                charge(_requests(controller.run))
            try:
                return await self._by_update.get(key, compute)
            except ChildRefusedError as error:
                # Snapshots may be thinned meanwhile, and a crash may have damaged the newest.
                if path is None or len(unreadable) == MAX_UNREADABLE:
                    raise ConflictError(f"The surprisal could not be computed: {error}.") from error
                unreadable.add(path)
            except ChildExitedError as error:
                raise ConflictError(f"The surprisal could not be computed: {error}.") from error

    async def _compute(
        self,
        controller: RunController,
        loss: _UpdateLoss,
        source: SurprisalSource,
        path: Path | None,
    ) -> UpdateSurprisal:
        run = controller.run
        layout = batch_layout(run.spec, run.corpus_characters)
        # In a thread, because a shuffled order takes time.
        epoch, position = await asyncio.to_thread(layout.locate, loss.update)
        from_zero = await asyncio.to_thread(layout.starts_from_zero, loss.update)
        command = MeasureSurprisal(
            path=None if path is None else str(path),
            spec=run.spec.model_dump(mode="json"),
            corpus_path=str(controller.corpus_path),
            parts=layout.text_positions(0),
            part_length=layout.stream_length,
            position=position,
            sequence_length=layout.sequence_length,
            from_zero=from_zero,
        )
        async with self._admission:
            answer = await self._inference.measure_surprisal(command)
        return UpdateSurprisal(
            update=loss.update,
            epoch=epoch,
            position=position,
            loss=loss.loss,
            smooth_loss=loss.smooth_loss,
            streams=layout.streams,
            source=SurprisalSource(kind=source.kind, update=answer["model_update"]),
            passages=[PassageSurprisal.model_validate(passage) for passage in answer["passages"]],
        )

    async def _source(
        self, controller: RunController, update: int, unreadable: set[Path]
    ) -> tuple[SurprisalSource, Path | None]:
        """Find the newest stored model at or before an update, and its file.

        A fork may have none that early; then it is searched for in the runs it was forked from, of
        which there may be any number.
        """
        while True:
            found = await self._stored(controller, update, unreadable)
            if found is not None:
                return found
            if (origin := controller.run.forked_from) is None:
                return SurprisalSource(kind="beginning", update=0), None
            try:
                controller = self._find(origin.run)
            except UnknownRunError:
                raise ConflictError(
                    "The model of that update was deleted with the run that this one was forked"
                    " from."
                ) from None

    async def _stored(
        self, controller: RunController, update: int, unreadable: set[Path]
    ) -> tuple[SurprisalSource, Path] | None:
        """Find the newest model of one run at or before an update; None if there is none."""
        snapshots = Snapshots.of_checkpoints(controller.checkpoint_store.directory)
        found: list[tuple[SurprisalSource, Path]] = [
            (SurprisalSource(kind="snapshot", update=known), snapshots.path(known))
            for known in await asyncio.to_thread(snapshots.updates)
            if known <= update and snapshots.path(known) not in unreadable
        ][-1:]
        # Automatic checkpoints are deleted, and a link to this page must keep working.
        found += [
            (
                SurprisalSource(kind="checkpoint", update=made.update),
                controller.checkpoint_store.path(made.id),
            )
            for made in await self._store(queries.list_checkpoints, controller.run.id)
            if made.update <= update
            and not made.automatic
            and controller.checkpoint_store.path(made.id) not in unreadable
        ]
        return max(found, key=lambda each: each[0].update, default=None)


def _requests(run: Run) -> int:
    """Return the number of requests that the work for an update counts as."""
    work = multiply_adds(run.parameters, run.spec.sequence_length, run.spec.batch_size)
    return max(1, work // REQUEST_MULTIPLY_ADDS)


def _not_made(field: str, made: int) -> SpecError:
    if not made:
        return SpecError(field, "cannot be set yet: no update has been made")
    return SpecError(field, f"must be at most {made:,}, the updates made so far")
