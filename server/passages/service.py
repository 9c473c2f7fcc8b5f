"""Passages, and the models that write them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from server.checkpoints.checkpoint_format import Which, fingerprint, load_model
from server.checkpoints.npz import DamagedArchiveError
from server.checkpoints.snapshots import Snapshots
from server.concurrency.admission import AdmissionLimiter
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.concurrency.json_lines import Message
from server.errors import ConflictError, UnknownModelError
from server.inference.client import InferenceClient, OnPiece
from server.passages.model_store import ModelStore
from server.passages.request import AtUpdate, PassageLimits, PassageRequest
from server.runs.downloads import BY_NAME, temporary
from server.runs.recovery import newest_file, whole_file
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError
from server.spec.schemas import Passage, PassageSource

__all__ = ["PASSAGE_FINGERPRINT_DIGITS", "Draft", "PassageService"]
# One is written at a time; while it is, the models of the next ones are fetched.
AT_ONCE = 3
PASSAGE_FINGERPRINT_DIGITS = 24
# What the operator had written last, and may keep.
MAX_DRAFTS = 24
BYTES_OF = {"float32": 4, "float64": 8}
# Seeds that JavaScript's numbers can hold, since the page shows them.
SEEDS = 2**53

Kind = Literal["best", "best_validation", "latest", "checkpoint", "snapshot"]


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a model is: in a file, or (path None) still unwritten because the run never began."""

    kind: Kind
    path: Path | None
    which: Which


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written for the operator just now, and may be kept.

    `request` asks for it in full: it names the very model, and the seed.
    """

    run: str
    request: PassageRequest
    passages: list[Passage]

    @property
    def model(self) -> str:
        """The fingerprint of the model that wrote it."""
        return self.passages[0].model


class PassageService:
    """Has passages written, for any run in any state.

    Parameters
    ----------
    limits : PassageLimits
        What may be asked for.
    models : ModelStore
        The models that are kept, or held for a while.
    """

    def __init__(self, limits: PassageLimits, models: ModelStore) -> None:
        self._inference = InferenceClient()
        # Another, since the first measure by a large book takes seconds, in which others can write.
        self._assessor = InferenceClient()
        self._limits = limits
        self._turns = AdmissionLimiter(AT_ONCE, limits.waiting, "passages")
        self._models = models
        self._drafts: OrderedDict[tuple[str, str], Draft] = OrderedDict()

    async def write(
        self,
        controller: RunController,
        request: PassageRequest,
        on_piece: OnPiece | None = None,
        *,
        hold: bool = False,
    ) -> list[Passage]:
        """Write what is asked for: one passage, or one for each of `temperatures`.

        Parameters
        ----------
        controller : RunController
            The run whose model writes.
        request : PassageRequest
            What is wanted.
        on_piece : callable or None
            Takes what each text goes on with, as it is written.
        hold : bool
            Whether it may be kept afterwards: it and its model are held for a while.

        Raises
        ------
        UnknownCheckpointError, UnknownModelError
            The source is a checkpoint, or a model, that is not there.
        SpecError
            It is longer than allowed.
        ConflictError
            The model can't be read.
        TooBusyError
            Too many ask at once.
        """
        limits = self._limits
        if request.length > limits.characters:
            raise SpecError("length", f"must be at most {limits.characters:,} here")
        if len(request.prime) > limits.prime_characters:
            raise SpecError("prime", f"must be at most {limits.prime_characters:,} characters here")
        run = controller.run.id
        seed = secrets.randbelow(SEEDS) if request.seed is None else request.seed
        temperatures = request.temperatures or [request.temperature]
        size = controller.run.parameters * BYTES_OF[controller.run.spec.dtype]
        folder = None
        if hold and self._models.fits(size):
            folder = await asyncio.to_thread(self._models.draft_directory, run)
        async with self._turns, self._model(controller, request.source) as found:
            try:
                written = await self._inference.write(
                    on_piece,
                    path=None if found.path is None else str(found.path),
                    which=found.which,
                    hold=None if folder is None else str(folder),
                    spec=controller.run.spec.model_dump(mode="json"),
                    corpus_path=str(controller.corpus_path),
                    length=request.length,
                    temperatures=temperatures,
                    top_k=request.top_k,
                    top_p=request.top_p,
                    seed=seed,
                    prime=request.prime,
                )
            except (ChildRefusedError, ChildExitedError) as error:
                raise ConflictError(f"The passage could not be written: {error}.") from error
        measured = await self._measure(controller, written["texts"])
        exact = AtUpdate(update=written["update"], model=written["model"])
        asked = request.model_copy(update={"source": exact, "seed": seed})
        passages = _passages(asked, written, measured, found.kind)
        if hold:
            await self._hold(Draft(run, asked, passages))
        return passages

    async def _measure(self, controller: RunController, texts: list[str]) -> list[Message]:
        try:
            return await self._assessor.assess(controller.corpus_path, texts)
        except (ChildRefusedError, ChildExitedError) as error:
            raise ConflictError(f"The passage could not be measured: {error}.") from error

    async def _hold(self, draft: Draft) -> None:
        before = {(each.run, each.model) for each in self._drafts.values()}
        key = draft.run, draft.passages[0].fingerprint
        self._drafts[key] = draft
        self._drafts.move_to_end(key)
        if len(self._drafts) > MAX_DRAFTS:
            self._drafts.popitem(last=False)
        # The newest first, each once.
        drafts = reversed(self._drafts.values())
        models = list(dict.fromkeys((each.run, each.model) for each in drafts))
        await asyncio.to_thread(self._models.retain_drafts, models, before.difference(models))

    def draft(self, run: str, fingerprint: str) -> Draft | None:
        """Return the passages written for the operator by their fingerprint, None if expired."""
        return self._drafts.get((run, fingerprint))

    async def leave(self) -> None:
        """End the scribes."""
        await asyncio.gather(self._inference.leave(), self._assessor.leave())

    # -- where models are -------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _model(
        self, controller: RunController, source: str | AtUpdate
    ) -> AsyncIterator[_Found]:
        """Find the model that is asked for; what had to be written for it goes afterwards."""
        if isinstance(source, AtUpdate) and source.model is not None:
            async with self._very_model(controller, source.update, source.model) as found:
                yield found
            return
        if isinstance(source, AtUpdate):
            snapshots = Snapshots.beside(controller.checkpoint_store.folder)
            snapshot = await asyncio.to_thread(snapshots.nearest_valid, source.update)
            source = await self._nearest(controller, source.update, snapshot)
            if source == "snapshot" and snapshot is not None:
                yield _Found("snapshot", snapshots.path(snapshot), "latest")
                return
        if source not in BY_NAME:
            yield _Found(
                "checkpoint",
                await whole_file(controller.recorder, controller.checkpoint_store, source),
                "latest",
            )
            return
        which = BY_NAME[source]
        if which == "best_validation" and not controller.run.spec.validation_fraction:
            raise SpecError("source", "can't be best_validation: the run holds nothing out")
        async with temporary(controller) as path:
            if await controller.export_model(path, which):
                yield _Found(which, path, which)
            else:
                yield _Found(
                    which,
                    await newest_file(controller.recorder, controller.checkpoint_store),
                    which,
                )

    @contextlib.asynccontextmanager
    async def _very_model(
        self, controller: RunController, update: int, mark: str
    ) -> AsyncIterator[_Found]:
        """Find the model with a fingerprint, wherever it still is."""
        kept = await asyncio.to_thread(self._models.find, controller.run.id, mark)
        standing = [] if kept is None else [kept]
        standing.append(Snapshots.beside(controller.checkpoint_store.folder).path(update))
        checkpoints = await controller.checkpoint_store.list()
        standing += [
            controller.checkpoint_store.path(each.id)
            for each in checkpoints
            if each.update == update
        ]
        for path in standing:
            if await asyncio.to_thread(_is_model, path, "latest", mark):
                yield _Found("snapshot", path, "latest")
                return
        run = controller.run
        moving: dict[Which, bool] = {
            "latest": run.update == update,
            "best": run.best is not None and run.best.update == update,
            "best_validation": run.spec.validation_fraction > 0,
        }
        for which in [which for which, possible in moving.items() if possible]:
            async with self._model(controller, which) as found:
                # A run that never began has but one model.
                if found.path is None or await asyncio.to_thread(
                    _is_model, found.path, which, mark
                ):
                    yield replace(found, kind="snapshot")
                    return
        raise UnknownModelError(update)

    async def _nearest(self, controller: RunController, update: int, snapshot: int | None) -> str:
        """Return what is nearest to `update`: a snapshot, a checkpoint's id, or "latest"."""
        places = {} if snapshot is None else {"snapshot": snapshot}
        places["latest"] = controller.run.update
        places |= {
            checkpoint.id: checkpoint.update
            for checkpoint in await controller.checkpoint_store.list()
            if not checkpoint.damaged
        }
        return min(places, key=lambda source: abs(places[source] - update))


def _passages(
    asked: PassageRequest, written: Message, measured: list[Message], kind: Kind
) -> list[Passage]:
    """Return what the scribe wrote, and its measure, as passages."""
    source = PassageSource(kind=kind, update=written["update"], smooth_loss=written["smooth_loss"])
    digest = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
    return [
        Passage(
            text=text,
            prime=asked.prime,
            seed=asked.seed or 0,
            source=source,
            temperature=temperature,
            quality=measure["quality"],
            unknown_characters=written["unknown_characters"],
            model=written["model"],
            fingerprint=digest[:PASSAGE_FINGERPRINT_DIGITS],
            invented_words=measure["invented_words"],
        )
        for text, measure, temperature in zip(
            written["texts"], measured, asked.temperatures or [asked.temperature], strict=True
        )
    ]


def _is_model(path: Path, which: Which, mark: str) -> bool:
    """Whether the model in a file is the one with this fingerprint."""
    try:
        return fingerprint(*load_model(path, which)) == mark
    except (DamagedArchiveError, OSError):
        return False
