"""The content of a report, before it is rendered."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from server.analysis.gradient_check import GradientCheckRequest, GradientCheckResult
from server.analysis.own_losses import OwnLossesResult
from server.corpora.quality import Quality
from server.spec.report_remarks import ReportRemarks
from server.spec.schemas import Best

__all__ = [
    "CheckPart",
    "EvolutionPart",
    "EvolutionText",
    "Finding",
    "LossPart",
    "PassagePart",
    "ReportContent",
    "Row",
]

Floats = NDArray[np.float64]

Row = tuple[str, str]
"""A name and its value in a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPart:
    """How the gradients were checked.

    Attributes
    ----------
    request : GradientCheckRequest or None
        The network that was checked.
    result : GradientCheckResult or None
        None if the check could not be made; then `missing` says why.
    differences : list of str
        How its sizes differ from the run's, such as "20 hidden units instead of 100".
    missing : list of str
        What is missing, and what to do about it; one sentence or two each.
    """

    request: GradientCheckRequest | None = None
    result: GradientCheckResult | None = None
    differences: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPart:
    """The smooth loss over all epochs, in nats per sequence.

    Attributes
    ----------
    update : ndarray of int64, shape (n,)
        The last update of each bucket.
    smooth, low, high : ndarray of float64, shape (n,)
        The smooth loss there, and the least and greatest loss of the bucket.
    bucket : int
        Updates per bucket.
    epochs : list of int
        The first update of each epoch after the first.
    lowest : Best or None
        The lowest smooth loss.
    last : float or None
        The smooth loss at the last update.
    references : list of (str, float)
        The losses of guesses without a network, by name.
    own : OwnLossesResult or None
        The author's losses that are kept with the run.
    missing : list of str
        As in `CheckPart`.
    """

    update: NDArray[np.int64]
    smooth: Floats
    low: Floats
    high: Floats
    bucket: int
    epochs: list[int]
    lowest: Best | None
    last: float | None
    references: list[tuple[str, float]]
    own: OwnLossesResult | None = None
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionText:
    """A text that shows how far the network was.

    Attributes
    ----------
    update, epoch : int
        Updates made when it was written.
    smooth_loss : float or None
        In nats per sequence; None before the first update.
    text : str
        At most 200 characters.
    hurrahs : list of str
        The watched words that it has first.
    origin : str or None
        Where the text comes from, if it is not a sample of the requested update.
    """

    update: int
    epoch: int
    smooth_loss: float | None
    text: str
    hurrahs: list[str]
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionPart:
    """The texts before the first and before every 10,000th update."""

    texts: list[EvolutionText]
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassagePart:
    """A passage of the best model.

    Attributes
    ----------
    text : str or None
        None if it could not be written; then `missing` says why.
    update : int
        The update of the best model.
    smooth_loss : float or None
        Its smooth loss.
    temperature : float
    seed : int
        As in a passage request.
    quality : Quality or None
        None if the corpus is not known.
    translation : str
        The same passage through the author's translator; empty if there is none.
    missing : list of str
        As in `CheckPart`.
    """

    text: str | None = None
    update: int = 0
    smooth_loss: float | None = None
    temperature: float = 1.0
    seed: int = 0
    quality: Quality | None = None
    translation: str = ""
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something interesting about the run: a heading and one sentence or two."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """Everything that a report shows.

    Attributes
    ----------
    run_id : str
        The run.
    title : str
        The author's title, or the run's name.
    summary : str
        The run in one sentence.
    key_figures : list of Row
        The most important numbers.
    made_at : str
        The date, ISO 8601.
    language : str or None
        The language of the corpus, if its script tells: a BCP 47 tag.
    settings, corpus, environment : list of Row
        The spec, the figures of the text, and the versions.
    command : str
        The command that repeats the training.
    command_notes : list of str
        What the command needs, or cannot repeat.
    """

    run_id: str
    title: str
    summary: str
    key_figures: list[Row]
    made_at: str
    language: str | None
    remarks: ReportRemarks
    check: CheckPart
    loss: LossPart
    evolution: EvolutionPart
    passage: PassagePart
    findings: list[Finding]
    findings_missing: list[str]
    settings: list[Row]
    corpus: list[Row]
    environment: list[Row]
    command: str
    command_notes: list[str]
