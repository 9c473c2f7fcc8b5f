"""Messages to viewers: serialised and framed once, and several of them made one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from websockets.frames import Frame, Opcode

__all__ = ["EncodedMessage", "Message", "framed", "merged", "told"]

Message = dict[str, Any]

# A large message is handed to a viewer's connection in such pieces, as it reads.
FRAME_BYTES = 8_192
# A curve of more points than this is drawn no finer.
MERGED_POINTS = 200


@dataclass(frozen=True, slots=True)
class EncodedMessage:
    """A message as it is told to everybody.

    Attributes
    ----------
    seq : int
        Its number.
    progress : dict or None
        What it says, if it is progress, for which a later one of its kind can stand.
    frames : tuple of bytes
        The WebSocket frames that carry it.
    """

    seq: int
    progress: Message | None
    frames: tuple[bytes, ...]

    @property
    def size_bytes(self) -> int:
        """Size of the frames."""
        return sum(map(len, self.frames))


def told(message: Message) -> EncodedMessage:
    """Serialise a message, which has its number."""
    progress = message if message["type"] == "progress" else None
    return EncodedMessage(message["seq"], progress, tuple(framed(serialised(message))))


def serialised(message: Message) -> bytes:
    """Return a message as JSON."""
    text = json.dumps(
        message, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
    )
    return text.encode()


def _plain(value: object) -> dict[str, Any]:
    """Return what JSON can hold of a value in a message that it can't."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} can't be part of a message")


def framed(data: bytes, *, begins: bool = True, ends: bool = True) -> Iterable[bytes]:
    """Cut a message into the frames that carry it.

    Parameters
    ----------
    data : bytes
        The message, or a part of it.
    begins, ends : bool
        Whether this is the message's beginning, and its end.
    """
    starts = range(0, len(data), FRAME_BYTES)
    for start in starts:
        opcode = Opcode.TEXT if begins and start == 0 else Opcode.CONT
        last = ends and start == starts[-1]
        yield Frame(opcode, data[start : start + FRAME_BYTES], last).serialize(mask=False)


def merged(messages: Sequence[Message]) -> Message:
    """Make one progress message of several that follow each other, their curves joined.

    All it says but for the curve is what the last one says.
    """
    curves = [message["curve"] for message in messages]
    joined = {name: [value for curve in curves for value in curve[name]] for name in curves[-1]}
    return messages[-1] | {"curve": _thinned(joined)}


def _thinned(curve: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Put neighbouring points together where there are too many; extremes are kept."""
    count = len(curve["update"])
    each = -(-count // MERGED_POINTS)
    if each <= 1:
        return curve
    groups = [slice(start, start + each) for start in range(0, count, each)]
    extremes: dict[str, Callable[[list[float]], float]] = {"low": min, "high": max}

    def point(name: str, values: list[Any]) -> Any:  # noqa: ANN401 - a number or null
        if name not in extremes:
            return values[-1]
        # Null stands for a loss that was not finite.
        known = [value for value in values if value is not None]
        return extremes[name](known) if known else None

    return {
        name: [point(name, values[group]) for group in groups] for name, values in curve.items()
    }
