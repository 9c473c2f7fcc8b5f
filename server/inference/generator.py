"""Passages, the quality of texts, surprisals and gradient checks, in an inference process.

They are computed in a process apart from training, so that no reader slows a run, and apart from
the server, so that a long passage delays nobody else. The commands are in
`server.inference.messages`.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from server.checkpoints.checkpoint_format import (
    fingerprint,
    load_model,
    model_contents,
)
from server.checkpoints.npz import DamagedArchiveError, write_archive
from server.concurrency.json_lines import Message
from server.corpora.proper_names import find_words
from server.corpora.quality import QualityMeasure
from server.course.answer import check_answer, read_answer
from server.course.problem import ProblemQuery
from server.files.failpoints import failpoint
from server.inference.gradient_checks import check, compare_step_sizes
from server.inference.inspection.inspector import inspect
from server.inference.inspection.loading import LoadedFiles, new_model, read_text
from server.inference.inspection.messages import FindUnits, InspectionCommand, ReadUnitHistory
from server.inference.inspection.units import UnitReader
from server.inference.messages import (
    CheckAnswer,
    CheckGradients,
    CompareStepSizes,
    InferenceCommand,
    MeasureSample,
    MeasureSurprisal,
    MeasureTestPart,
    MeasureTexts,
    Shutdown,
    TimeUpdates,
    TrainMistake,
    WritePassages,
)
from server.inference.mistakes import train_mistake
from server.inference.replay import opening, replay
from server.inference.surprisal import SurprisalReader
from server.inference.test_part import measure_test_part
from server.inference.timing import time_updates_s
from server.rnn.sampling.sampling import generate_chunks

# Corpora whose index stays in memory, because the samples of a run come one after the other.
MEASURES_CACHED = 2


class TextGenerator:
    """Carries out commands, one after the other."""

    def __init__(self) -> None:
        self._measures: OrderedDict[str, QualityMeasure] = OrderedDict()
        self._files = LoadedFiles()
        self._units = UnitReader(self._files)
        self._surprisal_reader = SurprisalReader(self._files)

    def reply(  # noqa: C901, PLR0911, PLR0912 - one case a command
        self, command: InferenceCommand, send_partial: Callable[[Message], None]
    ) -> Message:
        """Carry out a command and return the content of the reply.

        Parameters
        ----------
        command : InferenceCommand
            The command.
        send_partial : callable
            Called with each partial reply, such as the pieces of passages as they are written.

        Raises
        ------
        DamagedArchiveError, OSError
            A model cannot be read.
        """
        match command:
            case WritePassages():
                return self._write_passages(command, send_partial)
            case MeasureTexts():
                path = command.corpus_path
                return {"measured": [self._measure(path, text, []) for text in command.texts]}
            case MeasureSample():
                return self._measure_sample(command)
            case MeasureSurprisal():
                return self._surprisal_reader.measure(command)
            case MeasureTestPart():
                return measure_test_part(command)
            case CheckGradients():
                return {"result": check(command.request)}
            case CheckAnswer():
                arrays = read_answer(base64.b64decode(command.content))
                return {"result": check_answer(ProblemQuery(**command.query), arrays)}
            case CompareStepSizes():
                return {"result": compare_step_sizes(command.cell)}
            case TimeUpdates():
                return {"updates_s": time_updates_s(command.specs, command.distinct)}
            case TrainMistake():
                return train_mistake(command, send_partial)
            case FindUnits():
                return self._units.find(command)
            case ReadUnitHistory():
                return self._units.history(command)
            case InspectionCommand():
                return inspect(self._files, command)
            case Shutdown():
                return {}

    def _measure_sample(self, command: MeasureSample) -> Message:
        failpoint("sample.measure")
        corpus_path = command.corpus_path
        measured = self._measure(corpus_path, command.text, command.watched)
        try:
            model, vocabulary = load_model(Path(command.snapshot), "latest")
        except (DamagedArchiveError, OSError):
            return measured | {"replay": None}
        # After a crash, a file of this name may be from an earlier time. The update in it is right.
        if model.update != command.update:
            return measured | {"replay": None}
        beginning = opening(Path(corpus_path), command.characters_to_learn)
        text = replay(model, vocabulary, beginning, command.length)
        of_replay = self._measure(corpus_path, text, [])
        kept = {name: of_replay[name] for name in ("quality", "invented_words")}
        return measured | {"replay": {"text": text, **kept}}

    def _write_passages(
        self, command: WritePassages, send_partial: Callable[[Message], None]
    ) -> Message:
        if command.path is None:
            model, vocabulary = new_model(command.corpus_path, command.spec)
        else:
            model, vocabulary = load_model(Path(command.path), command.which)
        model_fingerprint = fingerprint(model, vocabulary)
        if command.save_to is not None:
            contents = model_contents(model, vocabulary, command.spec)
            path = Path(command.save_to) / f"{model_fingerprint}.npz"
            write_archive(path, *contents, durable=False)
        prime, unknown = vocabulary.split_known(command.prime)
        temperatures = command.temperatures
        pieces = generate_chunks(
            model,
            command.length,
            # A single text is faster to write with a single temperature.
            temperature=temperatures if len(temperatures) > 1 else temperatures[0],
            top_k=command.top_k,
            top_p=command.top_p,
            seed=command.seed,
            prime=vocabulary.encode(prime) if prime else None,
        )
        texts = [""] * len(temperatures)
        for piece in pieces:
            added = [vocabulary.decode(indices) for indices in np.atleast_2d(piece)]
            texts = [text + more for text, more in zip(texts, added, strict=True)]
            send_partial({"pieces": added, "unknown_characters": unknown})
        return {
            "texts": texts,
            "unknown_characters": unknown,
            "model": model_fingerprint,
            "update": model.update,
            "smooth_loss": model.smooth_loss,
        }

    def _measure(self, corpus_path: str, text: str, watched: list[str]) -> Message:
        measure = self._measures.get(corpus_path)
        if measure is None:
            measure = QualityMeasure(read_text(corpus_path))
        self._measures[corpus_path] = measure
        self._measures.move_to_end(corpus_path)
        while len(self._measures) > MEASURES_CACHED:
            self._measures.popitem(last=False)
        return {
            "quality": asdict(measure.measure(text)),
            "invented_words": measure.invented_words(text),
            "found": find_words(text, watched),
        }
