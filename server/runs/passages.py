"""Passages, and the models that write them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from server.runs.archive import write_archive
from server.runs.checkpoints import Which, load_model, model_contents
from server.runs.child import ChildGoneError, ChildRefusedError
from server.runs.errors import NotPossibleError, UnknownCheckpointError
from server.runs.live_run import LiveRun
from server.runs.models import Passage, PassageSource
from server.runs.snapshots import Snapshots
from server.runs.spec import SpecError, encodable
from server.runs.turns import Turns
from server.runs.writing import OnPiece, ScribeDesk

__all__ = ["AtUpdate", "PassageLimits", "PassageRequest", "Passages"]

MAX_LENGTH = 20_000
MAX_PRIME = 10_000
MAX_TEMPERATURE = 100.0
MAX_TEMPERATURES = 10
# One is written at a time; while it is, the models of the next ones are fetched.
AT_ONCE = 3
# Seeds that JavaScript's numbers can hold, since the page shows them.
SEEDS = 2**53

Temperature = Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)]
Kind = Literal["best", "best_validation", "latest", "checkpoint", "snapshot"]

# The models that are no checkpoints of their own.
BY_NAME: dict[str, Which] = {
    "best": "best",
    "best_validation": "best_validation",
    "latest": "latest",
}


class AtUpdate(BaseModel):
    """The model that stood nearest to an update."""

    model_config = ConfigDict(extra="forbid", strict=True)

    update: int = Field(ge=0)


class PassageRequest(BaseModel):
    """What text is wanted.

    Attributes
    ----------
    source : str or AtUpdate
        "best", "best_validation", "latest", the id of a checkpoint, or the update to be near to.
    length : int
        Characters, 1 to 20,000.
    temperature : float
        0 takes the likeliest character each time, 1 draws from the network's own distribution.
    top_k, top_p : int or None, float or None
        Draw only from so many of the likeliest characters; from the likeliest that together have
        this probability.
    prime : str
        Text to go on from; empty: where training stands in the book.
    seed : int or None
        Of the random numbers; None: made up, and named in the answer.
    temperatures : list of float or None
        One passage each, from the same seed.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    source: Annotated[str, Field(min_length=1, max_length=64)] | AtUpdate = "best"
    length: int = Field(1_000, ge=1, le=MAX_LENGTH)
    temperature: Temperature = 1.0
    top_k: int | None = Field(None, ge=1)
    top_p: float | None = Field(None, gt=0, le=1)
    prime: str = Field("", max_length=MAX_PRIME)
    seed: int | None = Field(None, ge=0, lt=2**63)
    temperatures: list[Temperature] | None = Field(None, min_length=1, max_length=MAX_TEMPERATURES)

    @field_validator("prime")
    @classmethod
    def _whole(cls, value: str) -> str:
        return encodable(value)

    @property
    def thousands(self) -> int:
        """How much work it is: thousands of characters, begun ones counted whole."""
        return ceil(self.length / 1_000) * len(self.temperatures or [self.temperature])


@dataclass(frozen=True, slots=True)
class PassageLimits:
    """What may be asked for.

    Attributes
    ----------
    characters : int
        Length of a passage at most.
    prime_characters : int
        Length of the text to go on from at most.
    waiting : int
        Passages that are under way or waited for at most.
    """

    characters: int = MAX_LENGTH
    prime_characters: int = MAX_PRIME
    waiting: int = 400


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a model is: in a file, or (path None) still unwritten because the run never began."""

    kind: Kind
    path: Path | None
    which: Which


class Passages:
    """Has passages written, and gives out models, for any run in any state.

    Parameters
    ----------
    limits : PassageLimits
        What may be asked for.
    """

    def __init__(self, limits: PassageLimits) -> None:
        self._scribe = ScribeDesk()
        self._limits = limits
        self._turns = Turns(AT_ONCE, limits.waiting, "passages")

    async def write(
        self, life: LiveRun, request: PassageRequest, on_piece: OnPiece | None = None
    ) -> list[Passage]:
        """Write what is asked for: one passage, or one for each of `temperatures`.

        Parameters
        ----------
        life : LiveRun
            The run whose model writes.
        request : PassageRequest
            What is wanted.
        on_piece : callable or None
            Takes what each text goes on with, as it is written.

        Raises
        ------
        UnknownCheckpointError
            The source is a checkpoint that is not there.
        SpecError
            It is longer than allowed.
        NotPossibleError
            The model can't be read.
        TooBusyError
            Too many ask at once.
        """
        limits = self._limits
        if request.length > limits.characters:
            raise SpecError("length", f"must be at most {limits.characters:,} here")
        if len(request.prime) > limits.prime_characters:
            raise SpecError("prime", f"must be at most {limits.prime_characters:,} characters here")
        seed = secrets.randbelow(SEEDS) if request.seed is None else request.seed
        temperatures = request.temperatures or [request.temperature]
        async with self._turns, self._model(life, request.source) as found:
            try:
                written = await self._scribe.write(
                    on_piece,
                    path=None if found.path is None else str(found.path),
                    which=found.which,
                    spec=life.run.spec.model_dump(mode="json"),
                    corpus_path=str(life.corpus_path),
                    length=request.length,
                    temperatures=temperatures,
                    top_k=request.top_k,
                    top_p=request.top_p,
                    seed=seed,
                    prime=request.prime,
                )
            except (ChildRefusedError, ChildGoneError) as error:
                raise NotPossibleError(f"The passage could not be written: {error}.") from error
        source = PassageSource(
            kind=found.kind, update=written["update"], smooth_loss=written["smooth_loss"]
        )
        return [
            Passage(
                text=text["text"],
                prime=request.prime,
                seed=seed,
                source=source,
                temperature=temperature,
                quality=text["quality"],
                unknown_characters=written["unknown_characters"],
                invented=text["invented"],
            )
            for text, temperature in zip(written["texts"], temperatures, strict=True)
        ]

    async def leave(self) -> None:
        """End the scribe."""
        await self._scribe.leave()

    # -- where models are -------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _model(self, life: LiveRun, source: str | AtUpdate) -> AsyncIterator[_Found]:
        """Find the model that is asked for; what had to be written for it goes afterwards."""
        if isinstance(source, AtUpdate):
            snapshots = Snapshots.beside(life.shelf.folder)
            snapshot = await asyncio.to_thread(snapshots.nearest, source.update)
            source = await self._nearest(life, source.update, snapshot)
            if source == "snapshot" and snapshot is not None:
                yield _Found("snapshot", snapshots.path(snapshot), "latest")
                return
        if source not in BY_NAME:
            checkpoint = await life.shelf.find(source)
            yield _Found("checkpoint", life.shelf.path(checkpoint.id), "latest")
            return
        which = BY_NAME[source]
        if which == "best_validation" and not life.run.spec.validation_fraction:
            raise SpecError("source", "can't be best_validation: the run holds nothing out")
        async with _temporary(life) as path:
            if await life.export_model(path, which):
                yield _Found(which, path, which)
            elif (newest := await life.shelf.newest()) is not None:
                yield _Found(which, life.shelf.path(newest.id), which)
            else:
                yield _Found(which, None, which)

    async def _nearest(self, life: LiveRun, update: int, snapshot: int | None) -> str:
        """Return what is nearest to `update`: a snapshot, a checkpoint's id, or "latest"."""
        places = {} if snapshot is None else {"snapshot": snapshot}
        places["latest"] = life.run.update
        places |= {checkpoint.id: checkpoint.update for checkpoint in await life.shelf.list()}
        return min(places, key=lambda source: abs(places[source] - update))

    @contextlib.asynccontextmanager
    async def file(self, life: LiveRun, checkpoint: str) -> AsyncIterator[Path]:
        """Give out the file of a checkpoint, of "latest", or of a best model.

        Raises
        ------
        UnknownCheckpointError
            There is none.
        """
        if checkpoint not in BY_NAME:
            yield life.shelf.path((await life.shelf.find(checkpoint)).id)
            return
        which = BY_NAME[checkpoint]
        latest = which == "latest"
        if which == "best_validation" and not life.run.spec.validation_fraction:
            raise UnknownCheckpointError(checkpoint)
        async with _temporary(life) as path:
            if await (life.export(path) if latest else life.export_model(path, which)):
                yield path
                return
            if (newest := await life.shelf.newest()) is None:
                raise UnknownCheckpointError(checkpoint)
            if latest:
                yield life.shelf.path(newest.id)
                return
            await asyncio.to_thread(_extract, life, life.shelf.path(newest.id), path, which)
            yield path


@contextlib.asynccontextmanager
async def _temporary(life: LiveRun) -> AsyncIterator[Path]:
    # The dot marks it as nobody's checkpoint: should the server die now, the shelf clears it away.
    path = life.shelf.folder / f".{secrets.token_hex(6)}.npz"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _extract(life: LiveRun, source: Path, target: Path, which: Which) -> None:
    model, vocabulary = load_model(source, which)
    spec = life.run.spec.model_dump(mode="json")
    write_archive(target, *model_contents(model, vocabulary, spec), durable=False)
