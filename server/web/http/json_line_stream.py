"""A response of JSON lines: the parts of a result while it is computed, then the result."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from starlette.responses import StreamingResponse

from server.web.http.problems import problem_body_of

__all__ = ["JSON_LINES", "stream_json_lines"]

# The description of such a response.
JSON_LINES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
}

Part = TypeVar("Part")
Result = TypeVar("Result")


async def stream_json_lines(
    compute: Callable[[Callable[[Part], None]], Coroutine[Any, Any, Result]],
    as_json: Callable[[Part | Result], str],
) -> StreamingResponse:
    """Return a response with a line for each part and for the result.

    If the computation fails midway, the last line is a problem. If the client disconnects, the
    computation is cancelled.

    Parameters
    ----------
    compute : callable
        A coroutine function of a function that takes each part.
    as_json : callable
        Returns the line of a part or of the result, without the line end.

    Raises
    ------
    Exception
        The computation failed before the first part, so that the error can have its own status.
    """
    parts: asyncio.Queue[Part | None] = asyncio.Queue()
    task = asyncio.create_task(compute(parts.put_nowait))

    def end(done: asyncio.Task[Result]) -> None:
        if not done.cancelled():
            done.exception()  # Nothing awaits the task if the client has disconnected.
        parts.put_nowait(None)

    task.add_done_callback(end)
    try:
        first = await parts.get()
        if first is None:
            await task
    except asyncio.CancelledError:
        task.cancel()
        raise

    async def lines() -> AsyncIterator[str]:
        try:
            part = first
            while part is not None:
                yield as_json(part) + "\n"
                part = await parts.get()
            try:
                yield as_json(await task) + "\n"
            except Exception as error:  # noqa: BLE001 - the response has begun: its only report
                yield json.dumps(problem_body_of(error)) + "\n"
        finally:
            task.cancel()

    return StreamingResponse(lines(), media_type="application/x-ndjson")
