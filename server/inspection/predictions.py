"""Passages that a network was not trained on, and what it predicts in them."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

from server.checkpoints.checkpoint_format import Which
from server.concurrency.admission import AdmissionLimiter
from server.errors import ConflictError
from server.inference.client import InferenceClient
from server.inference.inspection.messages import PredictCharacters
from server.inspection.commands import model_fields, raising_conflict
from server.inspection.models import InspectedModels
from server.rnn.training.validation import characters_to_learn
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError

__all__ = ["MAX_PASSAGE_CHARACTERS", "PredictedPassage", "PredictionService"]

MAX_PASSAGE_CHARACTERS = 2_000
MIN_BEFORE_CHARACTERS = 20
"""Characters that are shown before the first prediction, at least."""
BEFORE_CHARACTERS = 240
"""Of a passage from the validation part."""
MAX_SKIPPED_CHARACTERS = 60
"""A passage from the validation part starts at the first word within so many characters."""
TOP = 200
"""Probabilities to store for each prediction; those of other characters count as 0."""
MAX_NAMED = 10
"""Unknown characters that a message names."""


@dataclass(frozen=True, slots=True)
class PredictedPassage:
    """A passage, and the network's predictions of its last characters.

    Attributes
    ----------
    text : str
        The passage.
    predictions : list of dict of str to float
        For each of the last characters, ``ln p`` of the likeliest characters and of the actual one.
    characters : str
        The vocabulary.
    update : int
        Of the model.
    held_out : bool
        Whether the passage is from the validation part of the run's text.
    """

    text: str
    predictions: list[dict[str, float]]
    characters: str
    update: int
    held_out: bool


class PredictionService:
    """Predicts the last characters of passages with the best model of a run.

    Parameters
    ----------
    models : InspectedModels
        Finds the models.
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(self, models: InspectedModels, waiting: int) -> None:
        self._models = models
        self._admission = AdmissionLimiter(1, waiting, "passages to predict")

    async def predict(
        self, controller: RunController, text: str | None, count: int
    ) -> PredictedPassage:
        """Predict the last characters of a passage.

        The best model is the one by validation, if there is one.

        Parameters
        ----------
        controller : RunController
            The run.
        text : str or None
            The passage; None: a random one from the validation part of the run's text.
        count : int
            How many characters to predict.

        Raises
        ------
        SpecError
            The passage is too short, contains characters that the network does not know, or is
            part of the text that the network was trained on; or there is no validation part.
        ConflictError
            The model cannot be read, or has diverged.
        TooBusyError
            Too many requests are waiting.
        """
        async with self._admission:
            passage = await asyncio.to_thread(_passage, controller, text, count)
            run = controller.run
            source: Which = "best" if run.validation_loss is None else "best_validation"
            # A process for this request alone: there are few of them.
            inference = InferenceClient()
            try:
                with raising_conflict("The passage could not be read"):
                    async with self._models.locate(controller, source) as model:
                        answer = await inference.inspect(
                            PredictCharacters(
                                **model_fields(controller, model),
                                text=passage,
                                count=count,
                                top=TOP,
                            )
                        )
            finally:
                await inference.terminate()
        if unknown := answer["unknown"]:
            raise SpecError("text", _unknown_sentence(unknown))
        if answer["predictions"] is None:
            raise ConflictError("The network predicts nothing: its parameters have diverged.")
        return PredictedPassage(
            text=passage,
            predictions=[dict(each) for each in answer["predictions"]],
            characters=answer["characters"],
            update=answer["update"],
            held_out=text is None,
        )


def _passage(controller: RunController, text: str | None, count: int) -> str:
    """Return a passage that the network can read; raises `SpecError` if there is none."""
    return _choose(controller, count) if text is None else _check(controller, text, count)


def _check(controller: RunController, text: str, count: int) -> str:
    """Return a text as the network would read it; raises `SpecError` if it cannot be used."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) < count + MIN_BEFORE_CHARACTERS:
        raise SpecError(
            "text",
            f"must be at least {count + MIN_BEFORE_CHARACTERS:,} characters:"
            f" {MIN_BEFORE_CHARACTERS} to begin with, and one for each of {count:,} rounds",
        )
    corpus = _read(controller.corpus_path)
    if text in corpus[: _parts(controller, len(corpus))[0]]:
        raise SpecError("text", "is part of the text that the network was trained on")
    return text


def _choose(controller: RunController, count: int) -> str:
    """Return a random passage of the validation part; raises `SpecError` if it is too short."""
    if not controller.run.spec.validation_fraction:
        raise SpecError(
            "text",
            "is needed: the run was trained on its whole text, because its validation_fraction is"
            " 0",
        )
    corpus = _read(controller.corpus_path)
    first, end = _parts(controller, len(corpus))
    part = corpus[first:end]
    if len(part) < count + MIN_BEFORE_CHARACTERS:
        raise SpecError(
            "text", f"is needed: the validation part of the run has {len(part):,} characters only"
        )
    length = min(len(part), BEFORE_CHARACTERS + count)
    start = random.SystemRandom().randint(0, len(part) - length)
    skipped = _skipped(part[start : start + MAX_SKIPPED_CHARACTERS])
    if start + skipped + length <= len(part):
        start += skipped
    return part[start : start + length]


def _skipped(text: str) -> int:
    """Return where the first word after the first space begins; 0 if there is none."""
    spaces = [index for index, character in enumerate(text) if character.isspace()]
    starts = (index + 1 for index in spaces if not text[index + 1 : index + 2].isspace())
    return next(starts, 0)


def _parts(controller: RunController, characters: int) -> tuple[int, int]:
    """Return where the validation part of a text starts and ends."""
    spec = controller.run.spec
    tests = int(spec.test_fraction * characters)
    return (
        characters_to_learn(characters, spec.validation_fraction, spec.test_fraction),
        characters - tests,
    )


def _read(path: Path) -> str:
    return path.read_bytes().decode()


def _unknown_sentence(unknown: list[str]) -> str:
    named = ", ".join(
        f"{each!r}" if each.isprintable() else f"U+{ord(each):04X}" for each in unknown[:MAX_NAMED]
    )
    more = f" and {len(unknown) - MAX_NAMED:,} more" if len(unknown) > MAX_NAMED else ""
    return f"contains characters that the network does not know: {named}{more}"
