"""The gallery: passages that the operator keeps, and the models that others are shared of."""

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
    find_fingerprint,
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

__all__ = ["Gallery"]

AT_ONCE = 20


class Gallery:
    """Keeps passages: the very text that a network wrote, and where there is room its model.

    Nobody can hang a text of their own in it: what is kept is what the server had written and
    still holds, and a client names it by its fingerprint.

    Parameters
    ----------
    supervisor : Supervisor
        Who has the store, and knows what room there is.
    reads : StoreCalls
        The store for those who only look.
    passages : Passages
        Who wrote them.
    models : ModelStore
        Where the models are.
    most : int
        How many passages may be kept.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        reads: StoreCalls,
        passages: PassageService,
        models: ModelStore,
        most: int,
    ) -> None:
        self._store = supervisor.store
        self._reads = reads
        self._room = supervisor.room
        self._passages = passages
        self._models = models
        self._most = most
        self._keeping = asyncio.Lock()

    async def keep(
        self, controller: RunController, fingerprint: str, title: str | None
    ) -> SavedPassage:
        """Keep what was written under a fingerprint; durable when this returns.

        Keeping twice is keeping once.

        Raises
        ------
        ConflictError
            It is no longer at hand.
        LimitReachedError
            The gallery is full, or the data directory is.
        """
        async with self._keeping:
            if (
                known := await self._store(find_fingerprint, controller.run.id, fingerprint)
            ) is not None:
                return await self._as_it_stands(known)
            draft = self._passages.draft(controller.run.id, fingerprint)
            if draft is None:
                raise ConflictError("That passage is no longer at hand: have it written again.")
            if (await self._store(gallery_state)).total >= self._most:
                raise LimitReachedError(
                    f"The gallery is full: it holds {self._most:,} passages"
                    " (HURRAH_MAX_KEPT_PASSAGES)."
                )
            await self._room.check()
            model_saved = await self._keep_model(draft.run, draft.model)
            kept = _kept(controller, draft, title, model_saved=model_saved)
            await self._store(insert_passage, kept)
            return kept

    async def share(self, controller: RunController, mark: str) -> None:
        """Keep a model, so that a link to what it wrote stays true.

        Raises
        ------
        UnknownModelError
            It is neither kept nor held.
        LimitReachedError
            There is no room for it.
        """
        async with self._keeping:
            if await asyncio.to_thread(self._models.find, controller.run.id, mark) is None:
                raise UnknownModelError
            await self._room.check()
            if not await self._keep_model(controller.run.id, mark):
                raise LimitReachedError(
                    "There is no room to keep this model (HURRAH_MAX_KEPT_MODELS,"
                    " HURRAH_MAX_KEPT_MODELS_BYTES): kept passages need all that are there."
                )

    async def state(self) -> GalleryState:
        """Return how much is kept."""
        return await self._reads(gallery_state)

    async def page(
        self, run: str | None = None, before: str | None = None, limit: int = AT_ONCE
    ) -> tuple[list[SavedPassage], bool]:
        """Return saved passages, newest first, and whether there are more."""
        found, more = await self._reads(list_passages, run, before, limit)
        return [await self._as_it_stands(kept) for kept in found], more

    async def all(self, run: str | None = None) -> AsyncIterator[SavedPassage]:
        """Return all kept passages, newest first, a few at a time."""
        before, more = None, True
        while more:
            # What has begun to be sent is not refused midway.
            found, more = await self._store.low_priority(list_passages, run, before, AT_ONCE)
            for kept in found:
                yield kept
                before = kept.id

    async def find(self, identity: str) -> SavedPassage:
        """Return a kept passage by its id.

        Raises
        ------
        UnknownSavedPassageError
            There is none.
        """
        return await self._found(self._reads, identity)

    async def rename(self, identity: str, title: str | None) -> SavedPassage:
        """Give a kept passage another title, or none."""
        kept = (await self._found(self._store, identity)).model_copy(update={"title": title})
        await self._store(update_passage, kept)
        return kept

    async def remove(self, identity: str) -> None:
        """Forget a kept passage; its model gives way when room is needed."""
        if not await self._store(delete_passage, identity):
            raise UnknownSavedPassageError(identity)

    async def _found(self, calls: StoreCalls, identity: str) -> SavedPassage:
        kept = await calls(find_passage, identity)
        if kept is None:
            raise UnknownSavedPassageError(identity)
        return await self._as_it_stands(kept)

    async def _keep_model(self, run: str, mark: str) -> bool:
        source = await asyncio.to_thread(self._models.find, run, mark)
        if source is None:
            return False
        needed = await self._store(required_models)
        return await asyncio.to_thread(self._models.keep, run, mark, source, needed)

    async def _as_it_stands(self, kept: SavedPassage) -> SavedPassage:
        found = await asyncio.to_thread(self._models.path(kept.run, kept.model).exists)
        return kept.model_copy(update={"model_saved": found})


def _kept(
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
