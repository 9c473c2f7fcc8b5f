"""The texts that show the evolution: samples, or texts written from snapshots."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from server.report.content import EvolutionPart, EvolutionText
from server.report.parts.writing import UnwritableError, Writer
from server.spec.schemas import Sample

__all__ = ["LENGTH", "TARGETS", "Candidates", "Choice", "choose", "gather_evolution"]

LENGTH = 200
"""Characters of each text."""
EVERY, LAST = 10_000, 100_000
TARGETS = (0, *range(EVERY, LAST + 1, EVERY))
"""The updates before which the course asks for a sample: updates made by then."""

ReadSamples = Callable[[list[int]], Awaitable[list[Sample]]]
Locate = Callable[[int], Awaitable[tuple[int, float | None]]]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The updates near a target that have a sample long enough, and those that have a snapshot."""

    samples: Sequence[int]
    snapshots: Sequence[int]


@dataclass(frozen=True, slots=True)
class Choice:
    """The text for a target: a sample, or a text to write from a snapshot."""

    update: int
    snapshot: bool


def choose(target: int, candidates: Candidates) -> Choice | None:
    """Return the nearest text to a target; None if the nearest belongs to another target.

    A sample is preferred to a snapshot of the same update.
    """
    choices = [
        *(Choice(update, snapshot=False) for update in candidates.samples),
        *(Choice(update, snapshot=True) for update in candidates.snapshots),
    ]
    nearest = min(
        choices, key=lambda each: (abs(each.update - target), each.snapshot), default=None
    )
    if nearest is None or abs(nearest.update - target) >= EVERY // 2:
        return None
    # The text before the first update is the noise of an untrained network, and no other is.
    if not target and nearest.update:
        return None
    return nearest


async def gather_evolution(
    made: int,
    candidates: Callable[[int], Awaitable[Candidates]],
    read: ReadSamples,
    locate: Locate,
    writer: Writer,
) -> EvolutionPart:
    """Gather the texts of all targets that the run has reached.

    Parameters
    ----------
    made : int
        Updates that the run has made.
    candidates : callable
        Returns what there is near a target.
    read : callable
        Returns the samples of some updates.
    locate : callable
        Returns epoch and smooth loss of an update.
    writer : Writer
        Writes from snapshots.
    """
    texts: list[EvolutionText] = []
    absent: list[int] = []
    reasons: list[str] = []
    for target in (each for each in TARGETS if each <= made):
        choice = choose(target, await candidates(target))
        if choice is None:
            absent.append(target)
        elif not choice.snapshot:
            (sample,) = await read([choice.update])
            texts.append(_of_sample(sample, target))
        else:
            try:
                texts.append(await _written(choice.update, target, locate, writer))
            except UnwritableError as error:
                reasons.append(f"Update {target:,} has no text: {error}")
    return EvolutionPart(texts=texts, missing=[*reasons, *_missing(made, absent)])


def _of_sample(sample: Sample, target: int) -> EvolutionText:
    origin = None
    if sample.update != target:
        origin = f"The sample nearest to update {target:,}: the run sampled at other updates."
    return EvolutionText(
        update=sample.update,
        epoch=sample.epoch,
        smooth_loss=sample.smooth_loss,
        text=sample.text[:LENGTH],
        hurrahs=sample.hurrahs,
        origin=origin,
    )


async def _written(update: int, target: int, locate: Locate, writer: Writer) -> EvolutionText:
    written = await writer.at_update(update, LENGTH)
    epoch, smooth_loss = await locate(update)
    nearest = "" if update == target else f", the nearest to update {target:,}"
    return EvolutionText(
        update=update,
        epoch=epoch,
        smooth_loss=smooth_loss,
        text=written.text,
        hurrahs=[],
        origin=f"Written for this report from a snapshot of the network{nearest}: the run has no"
        f" sample of {LENGTH} characters there.",
    )


def _missing(made: int, absent: list[int]) -> list[str]:
    missing = []
    if absent:
        missing.append(
            f"There is neither a sample of {LENGTH} characters nor a snapshot near"
            f" {_listed(absent)}. Train again with the defaults: a sample every {EVERY:,} updates,"
            f" of {LENGTH} characters."
        )
    if made < LAST:
        first = next(target for target in TARGETS if target > made)
        updates = "update" if made == 1 else "updates"
        missing.append(
            f"The run has made {made:,} {updates}, so the texts from update {first:,} on are"
            f" missing. Train it up to update {LAST:,}."
        )
    return missing


def _listed(updates: list[int]) -> str:
    names = [f"{update:,}" for update in updates]
    if len(names) == 1:
        return f"update {names[0]}"
    return f"updates {', '.join(names[:-1])} and {names[-1]}"
