"""Whether a viewer was told everything that happened, held against what the server keeps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Kept", "was_told_all"]

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a server keeps of a run that stands still, and what it was made to do.

    Attributes
    ----------
    samples, milestones, checkpoints : list of dict
        All of them, as the server gives them.
    states : list of (str, str)
        The run's name and state after each change that was made while the viewers looked on.
    loss : callable
        Returns the whole curve from an update on, as one point.
    """

    samples: list[Message]
    milestones: list[Message]
    checkpoints: list[Message]
    states: list[tuple[str, str]]
    loss: Callable[[int], Message]


def was_told_all(told: list[Message], kept: Kept) -> bool:
    """Whether a viewer's messages, in order, hold all that happened since it came.

    To a viewer that was told to begin anew (`resync`), the snapshot that follows stands for what
    it then missed.
    """
    numbers = [message["seq"] for message in told]
    stretches = list(_stretches(told))
    return (
        bool(told)
        and told[0]["type"] == "snapshot"
        and numbers == sorted(set(numbers))
        and all(_samples_follow(stretch, kept.samples) for stretch in stretches)
        and _all_samples(stretches[-1], kept.samples)
        and _stands(stretches[-1], "milestone", "milestone_removed") == _by_id(kept.milestones)
        and _all_checkpoints(stretches[-1], kept.checkpoints)
        and _all_states(told, kept.states)
        and _whole_curve(stretches[-1], kept.loss)
    )


def _stretches(told: list[Message]) -> Iterator[list[Message]]:
    """Yield what was told from each snapshot to the next."""
    starts = [n for n, message in enumerate(told) if message["type"] == "snapshot"]
    for start, end in zip(starts, [*starts, len(told)][1:], strict=True):
        yield told[start:end]


def _samples_to_come(stretch: list[Message], kept: list[Message]) -> list[Message]:
    known = max((sample["update"] for sample in stretch[0]["samples"]), default=-1)
    return [sample for sample in kept if sample["update"] > known]


def _samples_told(stretch: list[Message]) -> list[Message]:
    return [message["sample"] for message in stretch if message["type"] == "sample"]


def _samples_follow(stretch: list[Message], kept: list[Message]) -> bool:
    told = _samples_told(stretch)
    return told == _samples_to_come(stretch, kept)[: len(told)]


def _all_samples(stretch: list[Message], kept: list[Message]) -> bool:
    return len(_samples_told(stretch)) == len(_samples_to_come(stretch, kept))


def _all_checkpoints(stretch: list[Message], kept: list[Message]) -> bool:
    known, there = _stands(stretch, "checkpoint", "checkpoint_deleted"), _by_id(kept)
    # Automatic ones give way to newer ones, of which no message tells.
    return there == {
        mark: made for mark, made in known.items() if mark in there or not made["automatic"]
    }


def _stands(stretch: list[Message], kind: str, gone: str) -> dict[str, Message]:
    """Return what a viewer knows at the end of marks of a kind, by id."""
    known = _by_id(stretch[0][f"{kind}s"])
    for message in stretch:
        if message["type"] == kind:
            known[message[kind]["id"]] = message[kind]
        elif message["type"] == gone:
            known.pop(message[f"{kind}_id"], None)
    return known


def _by_id(marks: list[Message]) -> dict[str, Message]:
    return {mark["id"]: mark for mark in marks}


def _all_states(told: list[Message], made: list[tuple[str, str]]) -> bool:
    """Whether each state was told in its turn, or was passed by a snapshot that came later."""
    left = list(made)
    for message in told[1:]:
        if message["type"] not in {"state", "snapshot"}:
            continue
        now = (message["run_state"]["name"], message["run_state"]["state"])
        if message["type"] == "snapshot" and now in left:
            del left[: left.index(now) + 1]
        elif left and now == left[0]:
            del left[0]
    return not left


def _whole_curve(stretch: list[Message], loss: Callable[[int], Message]) -> bool:
    """Whether the pieces follow each other to the end, with every loss's extremes."""
    pieces = [message["curve"] for message in stretch if message["type"] == "progress"]
    updates = [update for piece in pieces for update in piece["update"]]
    whole = loss(stretch[0]["loss"]["to"] + 1)
    if not updates:
        return not whole["update"]
    return bool(
        updates == sorted(set(updates))
        and updates[-1:] == whole["update"]
        and min(low for piece in pieces for low in piece["low"]) == whole["low"][0]
        and max(high for piece in pieces for high in piece["high"]) == whole["high"][0]
    )
