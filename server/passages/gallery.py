"""The gallery: passages that the operator saves, and models of shared passages."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from server.errors import (
    ConflictError,
    LimitReachedError,
    UnknownModelError,
    UnknownSavedPassageError,
)
from server.passages.model_store import ModelStore
from server.passages.saved_passage import SavedPassage
from server.passages.saved_passage_store import (
    GalleryState,
    delete_passage,
    find_by_fingerprint,
    find_passage,
    gallery_state,
    insert_passage,
    list_passages,
    required_models,
    update_passage,
)
from server.passages.service import Draft, PassageService
from server.runs.run_controller import RunController
from server.runs.supervisor import Supervisor
from server.store.executor import StoreCalls

__all__ = ["SLICE_SIZE", "Gallery"]

SLICE_SIZE = 20


class Gallery:
    """Saves passages and, where there is space, the models that wrote them.

    A client cannot save a text of its own: it names a draft of the server by its fingerprint.

    Parameters
    ----------
    supervisor : Supervisor
        Provides the store and the storage quota.
    reads : StoreCalls
        The store for viewers' reads.
    passages : PassageService
        Provides the drafts.
    models : ModelStore
        The stored models.
    max_passages : int
        Maximum number of saved passages.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        reads: StoreCalls,
        passages: PassageService,
        models: ModelStore,
        max_passages: int,
    ) -> None:
        self._store = supervisor.store
        self._reads = reads
        self._quota = supervisor.quota
        self._passages = passages
        self._models = models
        self._max_passages = max_passages
        self._saving = asyncio.Lock()

    async def save(
        self, controller: RunController, fingerprint: str, title: str | None
    ) -> SavedPassage:
        """Save a draft; it is durable when this returns.

        A passage that is saved already is returned as it is.

        Raises
        ------
        ConflictError
            The draft has expired.
        LimitReachedError
            The gallery or the data directory is full.
        """
        async with self._saving:
            run = controller.run.id
            known = await self._store(find_by_fingerprint, run, fingerprint)
            if known is not None:
                return await self._with_model_status(known)
            draft = self._passages.find_draft(run, fingerprint)
            if draft is None:
                raise ConflictError("That passage is no longer available: generate it again.")
            if (await self._store(gallery_state)).total >= self._max_passages:
                raise LimitReachedError(
                    f"The gallery is full: its limit is {self._max_passages:,} passages"
                    " (HURRAH_MAX_SAVED_PASSAGES)."
                )
            await self._quota.check()
            model_saved = await self._store_model(draft.run, draft.model)
            saved = _saved_passage(controller, draft, title, model_saved=model_saved)
            await self._store(insert_passage, saved)
            return saved

    async def save_model(self, controller: RunController, model: str) -> None:
        """Store the model with a fingerprint, so that links to its passages keep working.

        Raises
        ------
        UnknownModelError
            It is neither stored nor the model of a draft.
        LimitReachedError
            There is no space for it.
        """
        async with self._saving:
            if await asyncio.to_thread(self._models.find, controller.run.id, model) is None:
                raise UnknownModelError
            await self._quota.check()
            if not await self._store_model(controller.run.id, model):
                raise LimitReachedError(
                    "There is no space for this model (HURRAH_MAX_SAVED_MODELS,"
                    " HURRAH_MAX_SAVED_MODELS_BYTES): saved passages need all stored models."
                )

    async def state(self) -> GalleryState:
        """Return the size of the gallery."""
        return await self._reads(gallery_state)

    async def slice(
        self, run: str | None = None, before: str | None = None, limit: int = SLICE_SIZE
    ) -> tuple[list[SavedPassage], bool]:
        """Return some saved passages and whether there are older ones; see `list_passages`."""
        found, more = await self._reads(list_passages, run, before, limit)
        return [await self._with_model_status(saved) for saved in found], more

    async def all(self, run: str | None = None) -> AsyncIterator[SavedPassage]:
        """Yield all saved passages, newest first; reads one slice at a time."""
        before, more = None, True
        while more:
            # Not with `_reads`, which may refuse: the response has begun.
            found, more = await self._store.low_priority(list_passages, run, before, SLICE_SIZE)
            for saved in found:
                yield saved
                before = saved.id

    async def find(self, identity: str) -> SavedPassage:
        """Return a saved passage by its id.

        Raises
        ------
        UnknownSavedPassageError
            It does not exist.
        """
        return await self._find(self._reads, identity)

    async def rename(self, identity: str, title: str | None) -> SavedPassage:
        """Change or remove the title of a saved passage; raises as `find`."""
        saved = (await self._find(self._store, identity)).model_copy(update={"title": title})
        await self._store(update_passage, saved)
        return saved

    async def delete(self, identity: str) -> None:
        """Delete a saved passage; its model may be deleted when space is needed.

        Raises
        ------
        UnknownSavedPassageError
            It does not exist.
        """
        if not await self._store(delete_passage, identity):
            raise UnknownSavedPassageError(identity)

    async def _find(self, calls: StoreCalls, identity: str) -> SavedPassage:
        saved = await calls(find_passage, identity)
        if saved is None:
            raise UnknownSavedPassageError(identity)
        return await self._with_model_status(saved)

    async def _store_model(self, run: str, model: str) -> bool:
        source = await asyncio.to_thread(self._models.find, run, model)
        if source is None:
            return False
        required = await self._store(required_models)
        return await asyncio.to_thread(self._models.store, run, model, source, required)

    async def _with_model_status(self, saved: SavedPassage) -> SavedPassage:
        exists = await asyncio.to_thread(self._models.path(saved.run, saved.model).exists)
        return saved.model_copy(update={"model_saved": exists})


def _saved_passage(
    controller: RunController, draft: Draft, title: str | None, *, model_saved: bool
) -> SavedPassage:
    return SavedPassage(
        id=secrets.token_hex(6),
        run=controller.run.id,
        run_name=controller.run.name,
        corpus_name=controller.run.corpus_name,
        title=title,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        request=draft.request,
        model_saved=model_saved,
        passages=draft.passages,
    )
