"""Asking the scribe: passages and the measure of texts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from server.concurrency.child_process import ChildExitedError, JsonChildProcess
from server.concurrency.json_lines import Message

__all__ = ["InferenceClient"]


OnPiece = Callable[[Message], None]


class InferenceClient:
    """A scribe that is started when first needed, and again should it die."""

    def __init__(self) -> None:
        self._child: JsonChildProcess | None = None
        self._starting = asyncio.Lock()

    async def measure(
        self, corpus_path: Path, sample: Message, watched: list[str], *, snapshot: Path, length: int
    ) -> Message:
        """Measure a sample, and write its replay.

        Parameters
        ----------
        corpus_path : pathlib.Path
            The text to measure it against.
        sample : dict
            As a worker reports it: its `text` and `update`.
        watched : list of str
            The words to look for.
        snapshot : pathlib.Path
            Where the network is, as it stood then, if it was kept.
        length : int
            Characters of a replay.

        Returns
        -------
        dict
            `quality`, the spans of `invented_words`, the watched words `found`, and the `replay`
            (its text, quality and invented spans), None where the network was not kept.
        """
        return await self._ask(
            "measure",
            corpus_path=str(corpus_path),
            text=sample["text"],
            update=sample["update"],
            watched=watched,
            snapshot=str(snapshot),
            length=length,
        )

    async def write(self, on_piece: OnPiece | None = None, **request: Any) -> Message:  # noqa: ANN401
        """Write passages; see `server.inference`.

        Parameters
        ----------
        on_piece : callable or None
            Takes what each text goes on with, as it is written: ``{"pieces": [str, ...]}``.
        **request
            What the scribe's command `write` needs.

        Raises
        ------
        server.concurrency.child_process.ChildRefusedError
            The model can't be read.
        """
        return await self._ask("write", on_piece, **request)

    async def read(self, **request: Any) -> Message:  # noqa: ANN401
        """Say how surprising what a run read was to it; see `server.inference.surprisal`."""
        return await self._ask("read", **request)

    async def assess(self, corpus_path: Path, texts: list[str]) -> list[Message]:
        """Measure texts: of each its `quality`, and the spans of `invented_words`."""
        answer = await self._ask("assess", corpus_path=str(corpus_path), texts=texts)
        measured: list[Message] = answer["measured"]
        return measured

    async def prove(self, what: str, request: dict[str, Any]) -> Message:
        """Check gradients ("check"), compare the methods ("curve"), or time updates ("time")."""
        return await self._ask(what, request=request)

    async def leave(self) -> None:
        """End the scribe, in the middle of a passage if need be: it keeps nothing."""
        if self._child is not None:
            self._child.tell("leave")
            await self._child.leave(timeout_s=1.0)

    async def _ask(
        self,
        command: str,
        on_piece: OnPiece | None = None,
        **arguments: Any,  # noqa: ANN401 - JSON values
    ) -> Message:
        for attempt in range(2):
            child = await self._inference()
            try:
                return await child.ask(command, on_piece, **arguments)
            except ChildExitedError:
                # Whatever ended it (memory, a signal), a fresh one deserves one more try; but not
                # over pieces that somebody has read.
                if attempt or on_piece is not None:
                    raise
        raise AssertionError("unreachable")

    async def _inference(self) -> JsonChildProcess:
        async with self._starting:
            if self._child is None or not self._child.alive:
                self._child = await JsonChildProcess.start("server.inference", _no_event, _no_exit)
            return self._child


async def _no_event(event: Message) -> None:
    raise RuntimeError(f"the scribe said something that nobody asked for: {event}")


async def _no_exit(_how: str) -> None:
    """Nothing to do: the next question starts another."""
