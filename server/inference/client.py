"""The server's end of an inference process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from server.concurrency.child_process import ChildExitedError, JsonChildProcess
from server.concurrency.json_lines import Message
from server.concurrency.typed_messages import Command
from server.inference.inspection.messages import InspectionCommand, ReadUnitHistory
from server.inference.messages import (
    CheckAnswer,
    CheckGradients,
    CompareStepSizes,
    MeasureSample,
    MeasureSurprisal,
    MeasureTestPart,
    MeasureTexts,
    Shutdown,
    TimeUpdates,
    TrainMistake,
    WritePassages,
)

__all__ = ["InferenceClient", "OnPiece"]

OnPiece = Callable[[Message], None]


class InferenceClient:
    """An inference process, started when it is first needed, and again if it dies.

    Every method raises `server.concurrency.child_process.ChildRefusedError` if the process cannot
    carry out the command, such as when a model cannot be read, and `ChildExitedError` if it ends
    before it replies, twice. The replies are described in `server.inference.messages`. When a task
    that awaits one is cancelled, the process cancels the command.
    """

    def __init__(self) -> None:
        self._process: JsonChildProcess | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the process, so that the first command does not have to wait for it."""
        await self._start_if_needed()

    async def write_passages(
        self, command: WritePassages, on_piece: OnPiece | None = None
    ) -> Message:
        """Write passages.

        Parameters
        ----------
        command : WritePassages
            What to write.
        on_piece : callable or None
            Called with the continuation of each text as it is written: ``{"pieces": [str, ...]}``.
        """
        return await self._request(command, on_piece)

    async def measure_texts(self, corpus_path: Path, texts: list[str]) -> list[Message]:
        """Measure texts: the `quality` and the spans of `invented_words` of each."""
        reply = await self._request(MeasureTexts(corpus_path=str(corpus_path), texts=texts))
        measured: list[Message] = reply["measured"]
        return measured

    async def measure_sample(self, command: MeasureSample) -> Message:
        """Measure a sample, and write its replay."""
        return await self._request(command)

    async def measure_surprisal(self, command: MeasureSurprisal) -> Message:
        """Measure how surprising what a run read is to one of its models."""
        return await self._request(command)

    async def measure_test_part(self, command: MeasureTestPart) -> Message:
        """Measure the loss of a model on a test part."""
        return await self._request(command)

    async def check_gradients(self, request: dict[str, Any]) -> Message:
        """Check the gradients of a random network."""
        reply = await self._request(CheckGradients(request=request))
        result: Message = reply["result"]
        return result

    async def check_answer(self, query: dict[str, Any], content: str) -> Message:
        """Compare a student's gradients, a file in base64, with a problem's."""
        reply = await self._request(CheckAnswer(query=query, content=content))
        result: Message = reply["result"]
        return result

    async def compare_step_sizes(self, cell: str) -> Message:
        """Measure how the error of each numerical derivative depends on its step size."""
        reply = await self._request(CompareStepSizes(cell=cell))
        result: Message = reply["result"]
        return result

    async def time_updates(self, specs: list[dict[str, Any]], distinct: int) -> list[float]:
        """Return the median time of an update in seconds for each spec."""
        reply = await self._request(TimeUpdates(specs=specs, distinct=distinct))
        updates_s: list[float] = reply["updates_s"]
        return updates_s

    async def train_mistake(self, command: TrainMistake, on_part: OnPiece) -> Message:
        """Train a network with a mistake beside the right one.

        Parameters
        ----------
        command : TrainMistake
            What to train.
        on_part : callable
            Called with each partial reply.
        """
        return await self._request(command, on_part)

    async def inspect(self, command: InspectionCommand) -> Message:
        """Look inside a network."""
        return await self._request(command)

    async def read_unit_history(self, command: ReadUnitHistory) -> Message:
        """Correlate a unit with a feature of the text in models of a run."""
        return await self._request(command)

    async def terminate(self) -> None:
        """End the process, even in the middle of a passage: it has nothing to save."""
        if self._process is not None:
            self._process.notify(Shutdown())
            await self._process.terminate(timeout_s=1.0)

    async def _request(self, command: Command, on_piece: OnPiece | None = None) -> Message:
        try:
            process = await self._start_if_needed()
            return await process.request(command, on_piece, cancellable=True)
        except ChildExitedError:
            # The next process may succeed, unless a reader has seen the first pieces already.
            if on_piece is not None:
                raise
            process = await self._start_if_needed()
            return await process.request(command, cancellable=True)

    async def _start_if_needed(self) -> JsonChildProcess:
        async with self._starting:
            if self._process is None or not self._process.alive:
                self._process = await JsonChildProcess.start(
                    "server.inference", _on_event, _on_exit
                )
            return self._process


async def _on_event(event: Message) -> None:
    raise RuntimeError(f"the inference process sent an unexpected event: {event}")


async def _on_exit(_how: str) -> None:
    """Do nothing: the next command starts another process."""
