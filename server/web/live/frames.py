"""Encoding of messages as WebSocket frames, and coalescing of progress messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from websockets.frames import Frame, Opcode

__all__ = [
    "EncodedMessage",
    "Message",
    "coalesce",
    "encode",
    "join_frames",
    "split_into_frames",
    "to_json",
]

Message = dict[str, Any]
"""A message of `server.spec.live_messages` with the fields of its `Envelope`."""

# A large message is written in frames of this size, each when the viewer has read enough.
FRAME_BYTES = 8_192
# A chart that adds more points than this at once looks the same.
MAX_COALESCED_POINTS = 200


@dataclass(frozen=True, slots=True)
class EncodedMessage:
    """A message encoded once for all viewers.

    Attributes
    ----------
    seq : int
        The message's sequence number.
    progress : dict or None
        The message if it is of type `progress`, which can be coalesced with the next; else None.
    frames : tuple of bytes
        The WebSocket frames of the message.
    """

    seq: int
    progress: Message | None
    frames: tuple[bytes, ...]

    @property
    def size_bytes(self) -> int:
        """Size of the frames."""
        return sum(map(len, self.frames))


def encode(message: Message) -> EncodedMessage:
    """Encode a message that has its sequence number."""
    progress = message if message["type"] == "progress" else None
    return EncodedMessage(message["seq"], progress, tuple(split_into_frames(to_json(message))))


def to_json(message: Message) -> bytes:
    """Return a message as JSON in UTF-8."""
    text = json.dumps(
        message, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_to_jsonable
    )
    return text.encode()


def _to_jsonable(value: object) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be part of a message")


def split_into_frames(data: bytes, *, begins: bool = True, ends: bool = True) -> Iterable[bytes]:
    """Yield the WebSocket frames of a message, or of a part of it.

    Parameters
    ----------
    data : bytes
        The message, or a part of it.
    begins, ends : bool
        Whether `data` includes the beginning of the message, and its end.
    """
    starts = range(0, len(data), FRAME_BYTES)
    for start in starts:
        opcode = Opcode.TEXT if begins and start == 0 else Opcode.CONT
        is_last = ends and start == starts[-1]
        yield Frame(opcode, data[start : start + FRAME_BYTES], is_last).serialize(mask=False)


def join_frames(frames: Iterable[bytes]) -> bytes:
    """Return the message in frames made by `split_into_frames`, without their headers."""
    # RFC 6455, 5.2: a length of 126 says that the length is in the next two bytes.
    return b"".join(frame[4:] if frame[1] == 126 else frame[2:] for frame in frames)


def coalesce(messages: Sequence[Message]) -> Message:
    """Return one progress message for several consecutive ones.

    Their curves are joined; all other fields are those of the last message.
    """
    curves = [message["curve"] for message in messages]
    joined = {name: [value for curve in curves for value in curve[name]] for name in curves[-1]}
    return messages[-1] | {"curve": _downsample(joined)}


def _downsample(curve: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Reduce a curve to at most `MAX_COALESCED_POINTS` points, keeping the extremes."""
    count = len(curve["update"])
    points_per_group = -(-count // MAX_COALESCED_POINTS)
    if points_per_group <= 1:
        return curve
    groups = [slice(start, start + points_per_group) for start in range(0, count, points_per_group)]
    extremes: dict[str, Callable[[list[float]], float]] = {"low": min, "high": max}

    def reduce(name: str, values: list[Any]) -> Any:  # noqa: ANN401 - a number or None
        if name not in extremes:
            return values[-1]
        # None is a loss that was not finite.
        finite = [value for value in values if value is not None]
        return extremes[name](finite) if finite else None

    return {
        name: [reduce(name, values[group]) for group in groups] for name, values in curve.items()
    }
