"""Writing passages."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.background_tasks import run_to_end
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.concurrency.json_lines import Message
from server.corpora.library import CorpusLibrary
from server.errors import ConflictError
from server.inference.client import InferenceClient, OnPiece
from server.inference.messages import WritePassages
from server.passages.model_locator import Kind, ModelLocator
from server.passages.model_store import ModelStore
from server.passages.request import AtUpdate, NetworkSize, PassageLimits, PassageRequest
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError
from server.spec.schemas import Passage, PassageSource

__all__ = ["PASSAGE_FINGERPRINT_DIGITS", "Draft", "PassageService"]
# One passage is written at a time. Meanwhile, the models of the next ones are prepared.
MAX_CONCURRENT = 3
PASSAGE_FINGERPRINT_DIGITS = 24
MAX_DRAFTS = 24
DTYPE_BYTES = {"float32": 4, "float64": 8}
# JavaScript represents integers exactly up to this, and the page shows the seed.
MAX_SEED = 2**53


@dataclass(frozen=True, slots=True)
class Draft:
    """Passages that were written for the operator recently and can be saved.

    The request reproduces them: it names the exact model and the seed.
    """

    run: str
    request: PassageRequest
    passages: list[Passage]

    @property
    def model(self) -> str:
        """The fingerprint of the model that wrote them."""
        return self.passages[0].model


class PassageService:
    """Writes passages with the models of any run, in any state.

    Parameters
    ----------
    limits : PassageLimits
        Limits on the requests.
    models : ModelStore
        The stored models and the draft models.
    locator : ModelLocator
        Finds the model of a request.
    corpora : CorpusLibrary
        The texts of the runs.
    """

    def __init__(
        self,
        limits: PassageLimits,
        models: ModelStore,
        locator: ModelLocator,
        corpora: CorpusLibrary,
    ) -> None:
        self._inference = InferenceClient()
        # A second process: indexing a large corpus takes seconds, and need not delay the writing.
        self._measuring = InferenceClient()
        self._limits = limits
        self._admission = AdmissionLimiter(MAX_CONCURRENT, limits.waiting, "passages")
        self._models = models
        self._locator = locator
        self._corpora = corpora
        self._drafts: OrderedDict[tuple[str, str], Draft] = OrderedDict()
        # Passages in progress whose models are kept, by run.
        self._drafting: Counter[str] = Counter()
        self._drafting_lock = asyncio.Lock()

    def cost(self, controller: RunController, request: PassageRequest) -> int:
        """Return the work of a request, in passages of 1,000 characters; see `PassageRequest`.

        Raises
        ------
        SpecError
            The request exceeds a limit.
        """
        limits = self._limits
        if request.length > limits.characters:
            raise SpecError("length", f"must be at most {limits.characters:,} here")
        if len(request.prime) > limits.prime_characters:
            raise SpecError("prime", f"must be at most {limits.prime_characters:,} characters here")
        run = controller.run
        distinct = self._corpora.get(run.corpus).distinct
        network = NetworkSize(run.parameters, distinct, run.corpus_characters)
        if request.length > (longest := request.max_length(network)):
            raise SpecError("length", f"must be at most {longest:,} with this network")
        return request.tokens(network)

    async def write(
        self,
        controller: RunController,
        request: PassageRequest,
        on_piece: OnPiece | None = None,
        *,
        keep_draft: bool = False,
    ) -> list[Passage]:
        """Write one passage, or one for each of the request's `temperatures`.

        Parameters
        ----------
        controller : RunController
            The run.
        request : PassageRequest
            The request.
        on_piece : callable or None
            Called with the continuation of each text as it is written.
        keep_draft : bool
            Whether to keep the passages and their model for a while, so that they can be saved.

        Raises
        ------
        UnknownCheckpointError, UnknownModelError
            The source does not exist.
        SpecError
            The request exceeds a limit, or the run has no such model.
        ConflictError
            The model cannot be read.
        TooBusyError
            Too many requests are waiting.
        """
        self.cost(controller, request)
        run = controller.run.id
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        temperatures = request.temperatures or [request.temperature]
        size = controller.run.parameters * DTYPE_BYTES[controller.run.spec.dtype]
        keeps_model = keep_draft and self._models.fits(size)
        async with self._draft_directory(run, keep=keeps_model) as directory:
            async with self._admission, self._locator.locate(controller, request.source) as found:
                command = WritePassages(
                    path=None if found.path is None else str(found.path),
                    which=found.which,
                    save_to=None if directory is None else str(directory),
                    spec=controller.run.spec.model_dump(mode="json"),
                    corpus_path=str(controller.corpus_path),
                    length=request.length,
                    temperatures=temperatures,
                    top_k=request.top_k,
                    top_p=request.top_p,
                    seed=seed,
                    prime=request.prime,
                )
                try:
                    written = await self._inference.write_passages(command, on_piece)
                except (ChildRefusedError, ChildExitedError) as error:
                    raise ConflictError(f"The passage could not be written: {error}.") from error
            measured = await self._measure(controller, written["texts"])
            exact = AtUpdate(update=written["update"], model=written["model"])
            asked = request.model_copy(update={"source": exact, "seed": seed})
            passages = _passages(asked, written, measured, found.kind)
            if keep_draft:
                await self._keep_draft(Draft(run, asked, passages))
        return passages

    async def _measure(self, controller: RunController, texts: list[str]) -> list[Message]:
        try:
            return await self._measuring.measure_texts(controller.corpus_path, texts)
        except (ChildRefusedError, ChildExitedError) as error:
            raise ConflictError(f"The passage could not be measured: {error}.") from error

    async def _keep_draft(self, draft: Draft) -> None:
        before = {(each.run, each.model) for each in self._drafts.values()}
        key = draft.run, draft.passages[0].fingerprint
        self._drafts[key] = draft
        self._drafts.move_to_end(key)
        if len(self._drafts) > MAX_DRAFTS:
            self._drafts.popitem(last=False)
        # Newest first, without duplicates.
        drafts = reversed(self._drafts.values())
        models = list(dict.fromkeys((each.run, each.model) for each in drafts))
        await asyncio.to_thread(self._models.retain_drafts, models, before.difference(models))

    @contextlib.asynccontextmanager
    async def _draft_directory(self, run: str, *, keep: bool) -> AsyncIterator[Path | None]:
        """Yield the directory for a draft model, which is deleted unless it becomes a draft."""
        if not keep:
            yield None
            return
        async with self._drafting_lock:
            self._drafting[run] += 1
        try:
            yield await asyncio.to_thread(self._models.draft_directory, run)
        finally:
            await run_to_end(self._end_drafting(run))

    async def _end_drafting(self, run: str) -> None:
        # Under the lock, because the next passage must not write a model meanwhile.
        async with self._drafting_lock:
            self._drafting[run] -= 1
            if not self._drafting[run]:
                del self._drafting[run]
                known = {draft.model for draft in self._drafts.values() if draft.run == run}
                await asyncio.to_thread(self._models.delete_drafts_except, run, known)

    def find_draft(self, run: str, fingerprint: str) -> Draft | None:
        """Return a draft by the fingerprint of its passages; None if it has expired."""
        return self._drafts.get((run, fingerprint))

    async def prepare(self) -> None:
        """Start the inference processes."""
        await asyncio.gather(self._inference.start(), self._measuring.start())

    async def close(self) -> None:
        """End the inference processes."""
        await asyncio.gather(self._inference.terminate(), self._measuring.terminate())


def _passages(
    asked: PassageRequest, written: Message, measured: list[Message], kind: Kind
) -> list[Passage]:
    """Combine the texts and their measures into passages."""
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
