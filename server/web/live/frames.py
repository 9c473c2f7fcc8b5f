"""Encoding of messages as WebSocket frames, and coalescing of progress messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from websockets.frames import Frame, Opcode

from server.spec.live_messages import MetricPiece
from server.spec.schemas import MetricBuckets

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

    Their curves and metrics are joined; all other fields are those of the last message.
    """
    curves = [message["curve"] for message in messages]
    joined = {name: [value for curve in curves for value in curve[name]] for name in curves[-1]}
    metrics = _join_metrics([message["metrics"] for message in messages])
    return messages[-1] | {"curve": _downsample(joined), "metrics": metrics}


def _join_metrics(pieces: Sequence[MetricPiece]) -> MetricPiece:
    """Join pieces to one of at most `MAX_COALESCED_POINTS` points, keeping the extremes."""
    update = [value for piece in pieces for value in piece["update"]]
    count = [value for piece in pieces for value in piece["count"]]
    groups = _groups(len(update))
    metrics = {}
    for name in {name: None for piece in pieces for name in piece["metrics"]}:
        values = [piece["metrics"].get(name) or _unknown(len(piece["update"])) for piece in pieces]
        mean, low, high = (
            [value for each in values for value in getattr(each, field)]
            for field in ("mean", "low", "high")
        )
        metrics[name] = MetricBuckets.model_construct(
            mean=[_mean(mean[group], count[group]) for group in groups],
            low=[_extreme(min, low[group]) for group in groups],
            high=[_extreme(max, high[group]) for group in groups],
        )
    return MetricPiece(
        update=[update[group][-1] for group in groups],
        count=[sum(count[group]) for group in groups],
        metrics=metrics,
    )


def _unknown(points: int) -> MetricBuckets:
    none: list[float | None] = [None] * points
    return MetricBuckets.model_construct(mean=none, low=none, high=none)


def _groups(points: int) -> list[slice]:
    """Return how points are grouped so that at most `MAX_COALESCED_POINTS` are left."""
    size = max(1, -(-points // MAX_COALESCED_POINTS))
    return [slice(start, start + size) for start in range(0, points, size)]


def _extreme(extreme: Callable[[list[float]], float], values: list[float | None]) -> float | None:
    # None is a number that was not finite.
    finite = [value for value in values if value is not None]
    return extreme(finite) if finite else None


def _mean(values: list[float | None], counts: list[int]) -> float | None:
    known = [(each, count) for each, count in zip(values, counts, strict=True) if each is not None]
    if not known:
        return None
    mean = sum(each * count for each, count in known) / sum(count for _, count in known)
    # The mean of equal numbers may differ from them by rounding.
    numbers = [each for each, _ in known]
    return min(max(mean, min(numbers)), max(numbers))


def _downsample(curve: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Reduce a curve to at most `MAX_COALESCED_POINTS` points, keeping the extremes."""
    groups = _groups(len(curve["update"]))
    extremes: dict[str, Callable[[list[float]], float]] = {"low": min, "high": max}

    def reduce(name: str, values: list[Any]) -> Any:  # noqa: ANN401 - a number or None
        return _extreme(extremes[name], values) if name in extremes else values[-1]

    return {
        name: [reduce(name, values[group]) for group in groups] for name, values in curve.items()
    }
