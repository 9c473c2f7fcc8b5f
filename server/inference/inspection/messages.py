"""The commands that look inside a network, and the replies to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.checkpoints.checkpoint_format import Which
from server.concurrency.typed_messages import Command

__all__ = [
    "FindSpans",
    "FindUnits",
    "InspectionCommand",
    "MeasureHealth",
    "MeasureMemory",
    "MeasureProbabilities",
    "MeasureUpdateRatios",
    "PredictCharacters",
    "ProbeText",
    "ReadUnitHistory",
    "UnrollUpdate",
    "WriteHeld",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionCommand(Command):
    """Base class of the commands that look inside one model of a run.

    Attributes
    ----------
    path : str or None
        The file of the model; None for a new network, of a run that never trained.
    which : str
        Which of the file's models: "best", "best_validation" or "latest".
    spec : dict
        The run's spec.
    corpus_path : str
        The run's text.
    """

    path: str | None
    which: Which
    spec: dict[str, Any]
    corpus_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeText(InspectionCommand):
    """Read a text and return what the network computes at each character.

    The reply has `update`, and the fields of `server.inspection.probe.Probe` but `model` and
    `characters`.

    Attributes
    ----------
    text : str
        Any characters; those that the vocabulary lacks are skipped.
    top : int
        How many of the likeliest next characters to name.
    temperature : float
        Of their probabilities.
    layer : int or None
        Whose hidden states to send; None: the last one's.
    saliency : bool
        Whether to compute the gradients with respect to earlier characters.
    index : int or None
        A character that the gradients must contain; None: the first.
    """

    text: str
    top: int
    temperature: float
    layer: int | None
    saliency: bool
    index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindSpans(InspectionCommand):
    """Find the units that are active in a stretch of a text, and the same in the run's text.

    The reply has `update`, and the fields of `server.inspection.spans.UnitSpans` but `model`. If
    the network knows no character of the stretch, it is ``{"known": False}``.

    Attributes
    ----------
    text : str
        Any characters; those that the vocabulary lacks are skipped.
    start, end : int
        The stretch of it.
    threshold : float
        Of the activation.
    edges : bool
        Whether the units must not be active just before and just after the stretch.
    layer : int
        Whose units, from 0.
    unit : int or None
        The only unit to take; None: all.
    """

    text: str
    start: int
    end: int
    threshold: float
    edges: bool
    layer: int
    unit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteHeld(InspectionCommand):
    """Write a passage twice, the second time with a unit held at a value.

    The reply is ``{"update", "without", "with", "first_difference", "unknown_characters"}``.

    Attributes
    ----------
    layer, unit : int
        From 0.
    value : float
        The activation.
    length : int
        Characters of each text.
    temperature : float
    seed : int
    prime : str
        As in a passage request.
    """

    layer: int
    unit: int
    value: float
    length: int
    temperature: float
    seed: int
    prime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnrollUpdate(InspectionCommand):
    """Make the next update of a run, in a copy, and take it apart.

    `path` is a checkpoint, because a model file lacks the optimizer's state. The reply is
    ``{"unrolled"}``, with the fields of `server.inspection.unrolled.UnrolledUpdate` but `model`.

    Attributes
    ----------
    steps : int
        How many steps of the sequence to describe at most.
    top : int
        How many of the likeliest next characters to name.
    """

    steps: int
    top: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureProbabilities(InspectionCommand):
    """Read a text with a model that is not needed again soon.

    The reply is ``{"probability"}``: of each character of `text` given those before it; None if it
    is unknown, the first known one, or its probability is not finite.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictCharacters(InspectionCommand):
    """Read a text and return the predictions of its last characters.

    The reply is ``{"update", "characters", "unknown", "predictions"}``: the vocabulary, the
    characters of the text that it lacks, and for each predicted character a list of
    ``(character, ln p)``: the likeliest ones, and the actual one. `predictions` is empty if there
    are unknown characters, and None if a number is not finite.

    Attributes
    ----------
    text : str
        Longer than `count`.
    count : int
        How many characters at its end to predict.
    top : int
        How many of the likeliest characters to name.
    """

    text: str
    count: int
    top: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureHealth(InspectionCommand):
    """Measure the health of a network on the text that its next update reads.

    The reply has `update`, and the fields of `server.rnn.inspection.health.Health`; `memory` has
    those of the reply to `MeasureMemory`. Numbers that are not finite are None.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureMemory(InspectionCommand):
    """Measure how far back in time the gradient of a loss reaches.

    The reply is ``{"update", "losses", "last", "typical", "half_life"}``: see
    `server.rnn.inspection.memory.Memory`. `typical` is a list of ``{"layer", "state", "norms"}``.
    Numbers that are not finite are None; `half_life` is "infinite" if the gradient does not fall.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureUpdateRatios(InspectionCommand):
    """Measure how much the update after a checkpoint changed each parameter.

    `path` is the file of a checkpoint. The reply is ``{"update", "ratios"}``, with the number of
    the update and the ratios by parameter, None where the parameter was zero.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class FindUnits(InspectionCommand):
    """Find the feature of the text that each unit follows.

    The reply is ``{"update", "characters", "features", "units"}``: the length of each stretch that
    was read, the number of features that were compared, and for each unit, layer by layer,
    ``[feature, correlation, limit]``, or None if it follows none.

    Attributes
    ----------
    characters_to_learn : int
        The part of the text that may be read.
    """

    characters_to_learn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadUnitHistory(Command):
    """Return the correlation of a unit with a feature in models of a run, one after the other.

    The reply is ``{"known", "update", "correlation"}``, or ``{"known": False}`` if the text has no
    such feature. Models that no longer exist are left out.

    Attributes
    ----------
    snapshots : list of (int, str)
        The update and the file of each model.
    spec : dict
        The run's spec.
    corpus_path : str
        The run's text.
    characters_to_learn : int
        The part of the text that may be read.
    layer, unit : int
        From 0.
    feature : str
        Its name.
    """

    snapshots: list[tuple[int, str]]
    spec: dict[str, Any]
    corpus_path: str
    characters_to_learn: int
    layer: int
    unit: int
    feature: str
