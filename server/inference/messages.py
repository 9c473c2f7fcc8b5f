"""The commands to an inference process, one type each, and the replies to them.

`InferenceClient` sends the commands, and `TextGenerator.reply` carries them out. Every command but
`Shutdown` has a reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from server.checkpoints.checkpoint_format import Which
from server.concurrency.json_lines import Message
from server.concurrency.typed_messages import Command, decode_command
from server.inference.inspection.messages import (
    FindSpans,
    FindUnits,
    MeasureHealth,
    MeasureMemory,
    MeasureProbabilities,
    MeasureUpdateRatios,
    PredictCharacters,
    ProbeText,
    ReadUnitHistory,
    UnrollUpdate,
    WriteHeld,
)

__all__ = [
    "CheckAnswer",
    "CheckGradients",
    "CompareStepSizes",
    "InferenceCommand",
    "MeasureSample",
    "MeasureSurprisal",
    "MeasureTestPart",
    "MeasureTexts",
    "Shutdown",
    "TimeUpdates",
    "WritePassages",
    "parse_command",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePassages(Command):
    """Write passages with a model.

    The reply is ``{"texts", "unknown_characters", "model", "update", "smooth_loss"}``; before it
    come partial replies ``{"pieces": [str, ...], "unknown_characters": [str, ...]}`` with the
    continuation of each text.

    Attributes
    ----------
    path : str or None
        The file of the model; None for a new network, of a run that never trained.
    which : str
        Which of the file's models: "best", "best_validation" or "latest".
    save_to : str or None
        The directory to save the model in, under its fingerprint; None saves none.
    spec : dict
        The run's spec.
    corpus_path : str
        The run's text.
    length : int
        Characters of each passage.
    temperatures : list of float
        One passage is written for each.
    top_k : int or None
    top_p : float or None
    seed : int
    prime : str
        As in a passage request.
    """

    path: str | None
    which: Which
    save_to: str | None
    spec: dict[str, Any]
    corpus_path: str
    length: int
    temperatures: list[float]
    top_k: int | None
    top_p: float | None
    seed: int
    prime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTexts(Command):
    """Measure the quality of texts against a corpus.

    The reply is ``{"measured": [{"quality", "invented_words", "found"}, ...]}``, one a text.
    """

    corpus_path: str
    texts: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSample(Command):
    """Measure a sample against the corpus, and write its replay.

    The reply is ``{"quality", "invented_words", "found", "replay"}``. `found` are the watched words
    in the text; `replay` is ``{"text", "quality", "invented_words"}``, or None where the snapshot
    is not there.

    Attributes
    ----------
    corpus_path : str
        The run's text.
    text : str
        The sample.
    update : int
        The update at which it was written.
    watched : list of str
        The words to look for.
    snapshot : str
        The file of the network at that update, which may not exist.
    length : int
        Characters of the replay.
    characters_to_learn : int
        The text up to here may be read before the replay.
    """

    corpus_path: str
    text: str
    update: int
    watched: list[str]
    snapshot: str
    length: int
    characters_to_learn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSurprisal(Command):
    """Measure how surprising the text that a run read at an update is to a model of the run.

    The reply is ``{"model_update", "passages"}``: see `server.analysis.surprisal`.

    Attributes
    ----------
    path : str or None
        The file of the model; None for a new network.
    spec : dict
        The run's spec.
    corpus_path : str
        The run's text.
    parts : list of int
        Where the part of each stream begins, in characters.
    part_length : int
        Length of each part in characters.
    position : int
        Where in its part each stream read, in characters.
    sequence_length : int
        How many characters it read.
    from_zero : bool
        Whether the state was zero before it read them.
    """

    path: str | None
    spec: dict[str, Any]
    corpus_path: str
    parts: list[int]
    part_length: int
    position: int
    sequence_length: int
    from_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTestPart(Command):
    """Measure the loss of a model on the test part of a run's text.

    The reply is ``{"update", "nats", "characters"}``: the model's update, the mean loss of a
    character (null if it is not finite), and the number of characters that were predicted.

    Attributes
    ----------
    path : str
        The file of the model.
    which : str
        Which of the file's models: "best" or "best_validation".
    corpus_path : str
        The run's text.
    spec : dict
        The run's spec.
    """

    path: str
    which: Which
    corpus_path: str
    spec: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckGradients(Command):
    """Check the gradients of a random network.

    `request` has the fields of a gradient check request and `vocabulary_size`. The reply is
    ``{"result"}``, as in `server.analysis.gradient_check.GradientCheckResult`.
    """

    request: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer(Command):
    """Compare a student's gradients with a problem's.

    `query` has the fields of `server.course.problem.ProblemQuery`; `content` is the file in base64.
    The reply is ``{"result"}``, as in `server.analysis.course.Answer`.
    """

    query: dict[str, Any]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareStepSizes(Command):
    """Measure how the error of each numerical derivative depends on its step size.

    The reply is ``{"result"}``, as in `server.analysis.gradient_check.ErrorCurveResult`.
    """

    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeUpdates(Command):
    """Time the updates of networks on a text of random characters.

    `distinct` is the number of distinct characters. The reply is ``{"updates_s"}``, the median time
    of an update in seconds for each spec.
    """

    specs: list[dict[str, Any]]
    distinct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainMistake(Command):
    """Train a network with a mistake beside the right one.

    The reply is ``{"updates", "seconds"}``. The partial replies are, some times a second,
    ``{"update", "right", "wrong", "updates_per_second"}``, with the smooth losses since the last
    one, None where they are not finite; and ``{"sample"}``, with the `update`, what both write
    (`right` and `wrong`, None if a network cannot), and `gradient_errors` by parameter: see
    `server.course.training.gradient_errors`.

    Attributes
    ----------
    corpus_path : str
        The text.
    cell, mistake : str
    layers, hidden_size, sequence_length, seed : int
        As in a run's spec.
    updates : int
        How many each network makes.
    """

    corpus_path: str
    cell: str
    mistake: str
    layers: int
    hidden_size: int
    sequence_length: int
    seed: int
    updates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown(Command):
    """Exit."""


InferenceCommand = (
    WritePassages
    | MeasureTexts
    | MeasureSample
    | MeasureSurprisal
    | CheckAnswer
    | MeasureTestPart
    | CheckGradients
    | CompareStepSizes
    | TimeUpdates
    | TrainMistake
    | ProbeText
    | FindSpans
    | WriteHeld
    | UnrollUpdate
    | MeasureProbabilities
    | PredictCharacters
    | MeasureHealth
    | MeasureMemory
    | MeasureUpdateRatios
    | FindUnits
    | ReadUnitHistory
    | Shutdown
)


def parse_command(message: Message) -> InferenceCommand:
    """Return the command that the server sent; raises as `decode_command`."""
    types: tuple[type[InferenceCommand], ...] = get_args(InferenceCommand)
    return decode_command(message, types)
