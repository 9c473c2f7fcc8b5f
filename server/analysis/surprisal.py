"""What was read at an update, and what the network made of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from server.checkpoints.snapshots import Snapshots
from server.concurrency.admission import AdmissionLimiter
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.concurrency.single_flight import SingleFlightCache
from server.errors import ConflictError, UnknownRunError
from server.inference.client import InferenceClient
from server.rnn.training.batches import BatchLayout
from server.rnn.training.validation import characters_to_learn
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError
from server.spec.schemas import Run
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreCalls

__all__ = ["SurprisalService", "UpdateSurprisal", "batch_layout"]

REMEMBERED = 200
# Networks that can't be read are passed over, so many of them.
ATTEMPTS = 3
# All who look at what is being read now are shown the same, for so long.
NOW_HOLDS_S = 2.0

Guess = tuple[str, float]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SurprisalSource(_Model):
    """Which network read it again: the nearest that was kept at or before the update."""

    kind: Literal["snapshot", "checkpoint", "beginning"]
    update: int


class SurprisingCharacter(_Model):
    """One of the most surprising characters.

    Attributes
    ----------
    index : int
        Which of the passage's `text`, from 0.
    character : str
        Itself.
    word : str or None
        The word that it stands in, if it stands in one.
    surprisal : float
        In bits.
    expected : list of (str, float)
        What was likeliest in its place, and how likely.
    """

    index: int
    character: str
    word: str | None
    surprisal: float
    expected: list[Guess]


class PassageSurprisal(_Model):
    """What one stream read, with the book around it.

    Attributes
    ----------
    stream : int
        Which, from 1.
    position : int
        Where `text` begins in the corpus, in characters.
    before, text, after : str
        `text` holds the characters whose surprisals make the update's loss; one more was read
        before them, the last of `before`.
    surprisal_before, surprisal, surprisal_after : list of float or None
        Of each character of these, in bits; None where it was not guessed, or is not finite.
    top : list of list of (str, float)
        For each character of `text`, what was likeliest in its place, and how likely.
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


class UpdateSurprisal(_Model):
    """What a run read at an update.

    Attributes
    ----------
    update, epoch : int
        When.
    position : int
        Where, in each stream's part of the corpus, in characters.
    loss, smooth_loss : float or None
        Of the update itself, in nats a sequence; None where they were not finite.
    streams : int
        How many read side by side.
    source : SurprisalSource
        Whose surprisals these are.
    passages : list of PassageSurprisal
        Of up to three streams, the most surprised first.
    """

    update: int
    epoch: int
    position: int
    loss: float | None
    smooth_loss: float | None
    streams: int
    source: SurprisalSource
    passages: list[PassageSurprisal]


def batch_layout(run: Run) -> BatchLayout:
    """Return the way a run walks through its corpus."""
    spec = run.spec
    characters = characters_to_learn(run.corpus_characters, spec.validation_fraction)
    return BatchLayout(characters, spec.batch_size, spec.sequence_length)


@dataclass(frozen=True, slots=True)
class _Moment:
    """An update and its losses."""

    update: int
    loss: float | None
    smooth_loss: float | None


class SurprisalService:
    """Has read again what runs have read, in a process apart.

    Parameters
    ----------
    store : StoreCalls
        Where the losses and the checkpoints are.
    find : callable
        Returns the run of an id; raises `UnknownRunError` if there is none.
    waiting : int
        Readings that are under way or waited for at most.
    """

    def __init__(
        self, store: StoreCalls, find: Callable[[str], RunController], waiting: int
    ) -> None:
        self._inference = InferenceClient()
        self._store = store
        self._find = find
        self._turns = AdmissionLimiter(1, waiting, "readings")
        self._answers: SingleFlightCache[UpdateSurprisal] = SingleFlightCache(REMEMBERED)
        self._nows: SingleFlightCache[UpdateSurprisal] = SingleFlightCache(REMEMBERED)

    async def at(
        self, controller: RunController, update: int, charge: Callable[[], None] = lambda: None
    ) -> UpdateSurprisal:
        """Return what was read at an update.

        Parameters
        ----------
        controller : RunController
            The run.
        update : int
            When.
        charge : callable
            Called before a reading that nobody has asked for before; what it raises, is raised.

        Raises
        ------
        SpecError
            The update has not been made.
        ConflictError
            The network can't be read.
        TooBusyError
            Too many ask at once.
        """
        return await self._reading(controller, await self._moment(controller.run, update), charge)

    async def now(self, controller: RunController) -> UpdateSurprisal:
        """Return what was read at the newest update; the same for all who ask within two seconds.

        Raises
        ------
        ConflictError
            Nothing has been read yet; otherwise as for `at`.
        """

        async def read() -> UpdateSurprisal:
            last = await self._store(Store.history_end, controller.run.id)
            if not last:
                raise ConflictError("Nothing has been read yet: no update has been made.")
            return await self.at(controller, last)

        training = controller.run.update if controller.run.updates_per_second == 0 else None
        moment = training, int(time.monotonic() / NOW_HOLDS_S)
        return await self._nows.get((controller.run.id, moment), read)

    async def highest(
        self,
        controller: RunController,
        first: int,
        last: int,
        charge: Callable[[], None] = lambda: None,
    ) -> UpdateSurprisal:
        """Return what was read at the update of the greatest loss from `first` to `last`.

        Raises
        ------
        SpecError
            None of these updates has been made; otherwise as for `at`.
        """
        update = await self._store(queries.highest_loss, controller.run.id, first, last)
        if update is None:
            raise _not_made("from", controller.run.update)
        return await self.at(controller, update, charge)

    async def leave(self) -> None:
        """End the process."""
        await self._inference.leave()

    async def _moment(self, run: Run, update: int) -> _Moment:
        found = await self._store(queries.reduced_loss, run.id, update, update, points=1)
        if not len(found.update):
            raise _not_made("update", run.update)
        loss, smooth = float(found.low[0]), float(found.smooth[0])
        return _Moment(
            update, loss if isfinite(loss) else None, smooth if isfinite(smooth) else None
        )

    async def _reading(
        self, controller: RunController, moment: _Moment, charge: Callable[[], None]
    ) -> UpdateSurprisal:
        unreadable: set[Path] = set()
        while True:
            # A run that goes back reads the same again, but by another network, with other losses.
            source, path = await self._source(controller, moment.update - 1, unreadable)
            question = (controller.run.id, moment, path)
            read = partial(self._read, controller, moment, source, path)
            if not self._answers.knows(question):
                charge()
            try:
                return await self._answers.get(question, read)
            except ChildRefusedError as error:
                # Snapshots are thinned while one looks, and a crash may have damaged the newest.
                if path is None or len(unreadable) == ATTEMPTS:
                    raise ConflictError(f"It could not be read again: {error}.") from error
                unreadable.add(path)
            except ChildExitedError as error:
                raise ConflictError(f"It could not be read again: {error}.") from error

    async def _read(
        self, controller: RunController, moment: _Moment, source: SurprisalSource, path: Path | None
    ) -> UpdateSurprisal:
        run = controller.run
        route = batch_layout(run)
        epoch, position = route.locate(moment.update)
        request: dict[str, Any] = {
            "path": None if path is None else str(path),
            "spec": run.spec.model_dump(mode="json"),
            "corpus_path": str(controller.corpus_path),
            "parts": route.text_positions(0),
            "part_length": route.stream_length,
            "position": position,
            "sequence_length": route.sequence_length,
        }
        async with self._turns:
            answer = await self._inference.read(**request)
        return UpdateSurprisal(
            update=moment.update,
            epoch=epoch,
            position=position,
            loss=moment.loss,
            smooth_loss=moment.smooth_loss,
            streams=route.streams,
            source=SurprisalSource(kind=source.kind, update=answer["model_update"]),
            passages=[PassageSurprisal.model_validate(passage) for passage in answer["passages"]],
        )

    async def _source(
        self, controller: RunController, update: int, unreadable: set[Path]
    ) -> tuple[SurprisalSource, Path | None]:
        """Find the network that stood nearest, at or before an update; the path of its file."""
        snapshots = Snapshots.beside(controller.checkpoint_store.folder)
        found: list[tuple[SurprisalSource, Path]] = [
            (SurprisalSource(kind="snapshot", update=known), snapshots.path(known))
            for known in await asyncio.to_thread(snapshots.updates)
            if known <= update and snapshots.path(known) not in unreadable
        ][-1:]
        # Automatic checkpoints go without a word, and with them what a copied link showed.
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
        if found:
            return max(found, key=lambda one: one[0].update)
        if (origin := controller.run.forked_from) is None:
            return SurprisalSource(kind="beginning", update=0), None
        try:
            return await self._source(self._find(origin.run), update, unreadable)
        except UnknownRunError:
            raise ConflictError(
                "The network as it stood then went with the run that this one was forked from."
            ) from None


def _not_made(field: str, made: int) -> SpecError:
    if not made:
        return SpecError(field, "can't be any yet: no update has been made")
    return SpecError(field, f"must be at most {made:,}, the updates made so far")
