"""Checks that a viewer received everything, against the data that the server stored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["StoredRun", "received_everything"]

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """The stored data of a paused run, and the changes that its operator made.

    Attributes
    ----------
    samples, milestones, checkpoints : list of dict
        All of them, as the API returns them.
    states : list of (str, str)
        The run's name and state after each change since the viewers joined.
    loss : callable
        Returns the curve from an update to the end, as one point.
    """

    samples: list[Message]
    milestones: list[Message]
    checkpoints: list[Message]
    states: list[tuple[str, str]]
    loss: Callable[[int], Message]


def received_everything(received: list[Message], stored: StoredRun) -> bool:
    """Whether a viewer's messages, in order, contain everything since it joined.

    After a `resync`, the snapshot that follows replaces the messages that the viewer missed.
    """
    numbers = [message["seq"] for message in received]
    segments = list(_segments(received))
    return (
        bool(received)
        and received[0]["type"] == "snapshot"
        and numbers == sorted(set(numbers))
        and all(_samples_in_order(segment, stored.samples) for segment in segments)
        and _all_samples(segments[-1], stored.samples)
        and _final_state(segments[-1], "milestone", "milestone_removed")
        == _by_id(stored.milestones)
        and _all_checkpoints(segments[-1], stored.checkpoints)
        and _states_in_order(received, stored.states)
        and _curve_is_complete(segments[-1], stored.loss)
    )


def _segments(received: list[Message]) -> Iterator[list[Message]]:
    """Yield the messages from each snapshot up to the next."""
    starts = [n for n, message in enumerate(received) if message["type"] == "snapshot"]
    for start, end in zip(starts, [*starts, len(received)][1:], strict=True):
        yield received[start:end]


def _expected_samples(segment: list[Message], stored: list[Message]) -> list[Message]:
    known = max((sample["update"] for sample in segment[0]["samples"]), default=-1)
    return [sample for sample in stored if sample["update"] > known]


def _received_samples(segment: list[Message]) -> list[Message]:
    return [message["sample"] for message in segment if message["type"] == "sample"]


def _samples_in_order(segment: list[Message], stored: list[Message]) -> bool:
    received = _received_samples(segment)
    return received == _expected_samples(segment, stored)[: len(received)]


def _all_samples(segment: list[Message], stored: list[Message]) -> bool:
    return len(_received_samples(segment)) == len(_expected_samples(segment, stored))


def _all_checkpoints(segment: list[Message], stored: list[Message]) -> bool:
    known, existing = _final_state(segment, "checkpoint", "checkpoint_deleted"), _by_id(stored)
    # Newer automatic checkpoints replace older ones without a message.
    return existing == {
        id_: one for id_, one in known.items() if id_ in existing or not one["automatic"]
    }


def _final_state(segment: list[Message], kind: str, deletion: str) -> dict[str, Message]:
    """Return the milestones or checkpoints that a viewer knows at the end, by id."""
    known = _by_id(segment[0][f"{kind}s"])
    for message in segment:
        if message["type"] == kind:
            known[message[kind]["id"]] = message[kind]
        elif message["type"] == deletion:
            known.pop(message[f"{kind}_id"], None)
    return known


def _by_id(items: list[Message]) -> dict[str, Message]:
    return {item["id"]: item for item in items}


def _states_in_order(received: list[Message], made: list[tuple[str, str]]) -> bool:
    """Whether every state was received in order, or replaced by a later snapshot."""
    left = list(made)
    for message in received[1:]:
        if message["type"] not in {"state", "snapshot"}:
            continue
        now = (message["run_state"]["name"], message["run_state"]["state"])
        if message["type"] == "snapshot" and now in left:
            del left[: left.index(now) + 1]
        elif left and now == left[0]:
            del left[0]
    return not left


def _curve_is_complete(segment: list[Message], loss: Callable[[int], Message]) -> bool:
    """Whether the curve's segments are complete, in order, and contain every extreme."""
    pieces = [message["curve"] for message in segment if message["type"] == "progress"]
    updates = [update for piece in pieces for update in piece["update"]]
    whole = loss(segment[0]["loss"]["to"] + 1)
    if not updates:
        return not whole["update"]
    return bool(
        updates == sorted(set(updates))
        and updates[-1:] == whole["update"]
        and min(low for piece in pieces for low in piece["low"]) == whole["low"][0]
        and max(high for piece in pieces for high in piece["high"]) == whole["high"][0]
    )
