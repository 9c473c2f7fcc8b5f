"""Reports of a worker on their way to the server: in binary, and several merged into one.

A report is the JSON object of `server.worker.messages.Report`, with bytes in place of the Base64 of
its losses and metrics. The agent handles no arrays, so this module needs no NumPy.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from server.cluster.frames import Frame, FrameError
from server.concurrency.json_lines import Message

__all__ = ["from_frame", "from_line", "merge", "to_frame", "without_history"]

MAX_CURVE_POINTS = 100
JOINED = ("notices", "samples", "epochs")


def from_line(event: Message) -> Message:
    """Return a report as the worker has written it, with its numbers as bytes."""
    metrics = {name: base64.b64decode(text) for name, text in event["metrics"].items()}
    return event | {"losses": base64.b64decode(event["losses"]), "metrics": metrics}


def to_frame(report: Message, number: int) -> Frame:
    """Return the frame of a report."""
    arrays = {"losses": report["losses"], **report["metrics"]}
    header = {
        "type": "report",
        "number": number,
        "report": {key: value for key, value in report.items() if key not in {"losses", "metrics"}},
        "arrays": {name: len(values) for name, values in arrays.items()},
    }
    return header, b"".join(arrays.values())


def from_frame(header: Message, content: bytes) -> Message:
    """Return the report in a frame.

    Raises
    ------
    FrameError
        It has no losses, or not as many bytes as it says.
    """
    arrays, start = {}, 0
    for name, length in header["arrays"].items():
        arrays[name] = content[start : start + length]
        start += length
    if start != len(content) or "losses" not in arrays:
        raise FrameError("a report is malformed")
    losses = arrays.pop("losses")
    return {**header["report"], "losses": losses, "metrics": arrays}


def merge(first: Message, second: Message) -> Message:
    """Return one report in place of two consecutive ones."""
    names = dict.fromkeys([*first["metrics"], *second["metrics"]])
    return second | {
        "first": first["first"],
        "losses": first["losses"] + second["losses"],
        "metrics": {
            name: first["metrics"].get(name, b"") + second["metrics"].get(name, b"")
            for name in names
        },
        "curve": _merged_curve(first["curve"], second["curve"]),
        **{name: first[name] + second[name] for name in JOINED},
    }


def without_history(report: Message) -> Message:
    """Return how the run is after a report, without what happened before."""
    curve: dict[str, list[float]] = {name: [] for name in report["curve"]}
    return report | {
        "first": report["update"] + 1,
        "losses": b"",
        "metrics": {},
        "curve": curve,
        **{name: [] for name in JOINED},
    }


def _merged_curve(first: Message, second: Message) -> Message:
    """Join two pieces of the curve; if they have too many points, two become one."""
    curve: dict[str, list[float | None]] = {name: first[name] + second[name] for name in first}
    if len(curve["update"]) <= MAX_CURVE_POINTS:
        return curve
    return {
        name: [
            _extreme(name, values[start : start + 2]) if name in {"low", "high"} else each
            for start, each in zip(
                range(0, len(values), 2), [*values[1::2], *values[-1:]], strict=False
            )
        ]
        for name, values in curve.items()
    }


def _extreme(name: str, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return min(known) if name == "low" else max(known)
