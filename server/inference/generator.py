"""The process that writes, measures and proves: `python -m server.inference`.

It is apart from training, so that no reader slows a run, and apart from the server, so that a long
passage keeps nobody waiting but the one who asked for it.

Commands (`do`): `write`, `assess`, `measure`, `read`, `check`, `curve`, `time`, `leave`; all but
the last are answered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from server.checkpoints.checkpoint_format import (
    fingerprint,
    load_model,
    model_contents,
    new_trainer,
)
from server.checkpoints.npz import DamagedArchiveError, write_archive
from server.concurrency.json_lines import Message
from server.corpora.proper_names import find_words
from server.corpora.quality import QualityMeasure
from server.inference.gradient_checks import checked, curve
from server.inference.replay import opening, replay
from server.inference.surprisal import SurprisalReader
from server.inference.timing import timed
from server.rnn.model import Model
from server.rnn.sampling.sampling import write_pieces
from server.rnn.training.trainer import Trainer
from server.rnn.vocabulary import Vocabulary

# Texts whose index is held in memory: a run's samples come again and again.
MEASURES_KEPT = 2

PROVERS = {"check": checked, "curve": curve, "time": timed}


class TextGenerator:
    """Answers commands, one after the other."""

    def __init__(self) -> None:
        self._measures: OrderedDict[str, QualityMeasure] = OrderedDict()
        self._surprises = SurprisalReader(_first_model)

    def answer(self, command: Message, say: Callable[[Message], None]) -> Message:
        """Carry out one command.

        Parameters
        ----------
        command : dict
            As it came.
        say : callable
            Takes what is to be said before the answer: the pieces of a passage as they come.

        Raises
        ------
        DamagedArchiveError, OSError
            The model of a passage can't be read.
        """
        if command["do"] == "measure":
            return self._sample(command)
        if command["do"] == "assess":
            path = command["corpus_path"]
            return {"measured": [self._measured(path, text, []) for text in command["texts"]]}
        if command["do"] == "read":
            return self._surprises.answer(command)
        if command["do"] in PROVERS:
            return {"proof": PROVERS[command["do"]](command["request"])}
        return self._write(command, say)

    def _sample(self, command: Message) -> Message:
        """Measure what a run wrote, and write its replay where the network's snapshot is kept."""
        corpus_path, update = command["corpus_path"], command["update"]
        answer = self._measured(corpus_path, command["text"], command["watched"])
        try:
            model, vocabulary = load_model(Path(command["snapshot"]), "latest")
        except (DamagedArchiveError, OSError):
            return answer | {"replay": None}
        # A file of that name may be older than a crash; what it holds says when it stood so.
        if model.update != update:
            return answer | {"replay": None}
        text = replay(model, vocabulary, opening(Path(corpus_path)), command["length"])
        measured = self._measured(corpus_path, text, [])
        kept = {"quality": measured["quality"], "invented_words": measured["invented_words"]}
        return answer | {"replay": {"text": text, **kept}}

    def _write(self, command: Message, say: Callable[[Message], None]) -> Message:
        """Write passages with the model of a file, or with a run's model before its start.

        The model itself is left in the folder `hold`, if there is one, under its fingerprint.
        """
        if command["path"] is None:
            model, vocabulary = _first_model(command["corpus_path"], command["spec"])
        else:
            model, vocabulary = load_model(Path(command["path"]), command["which"])
        mark = fingerprint(model, vocabulary)
        if command["hold"] is not None:
            held = Path(command["hold"]) / f"{mark}.npz"
            contents = model_contents(model, vocabulary, command["spec"])
            write_archive(held, *contents, durable=False)
        prime, unknown = vocabulary.split_known(command["prime"])
        temperatures = command["temperatures"]
        pieces = write_pieces(
            model,
            command["length"],
            # One text alone is written the quicker way.
            temperature=temperatures if len(temperatures) > 1 else temperatures[0],
            top_k=command["top_k"],
            top_p=command["top_p"],
            seed=command["seed"],
            prime=vocabulary.encode(prime) if prime else None,
        )
        texts = [""] * len(temperatures)
        for piece in pieces:
            added = [vocabulary.decode(indices) for indices in np.atleast_2d(piece)]
            texts = [text + more for text, more in zip(texts, added, strict=True)]
            say({"pieces": added})
        return {
            "texts": texts,
            "unknown_characters": unknown,
            "model": mark,
            "update": model.update,
            "smooth_loss": model.smooth_loss,
        }

    def _measured(self, corpus_path: str, text: str, watched: list[str]) -> Message:
        measure = self._measures.get(corpus_path)
        if measure is None:
            measure = QualityMeasure(_read(corpus_path))
        self._measures[corpus_path] = measure
        self._measures.move_to_end(corpus_path)
        while len(self._measures) > MEASURES_KEPT:
            self._measures.popitem(last=False)
        return {
            "quality": asdict(measure.measure(text)),
            "invented_words": measure.invented(text),
            "found": find_words(text, watched),
        }


def _read(corpus_path: str) -> str:
    return Path(corpus_path).read_bytes().decode()


def _first_model(corpus_path: str, spec: dict[str, Any]) -> tuple[Model, Vocabulary]:
    text = _read(corpus_path)
    vocabulary = Vocabulary.from_text(text)
    trainer: Trainer = new_trainer(vocabulary.encode(text), vocabulary, spec)
    return trainer.current_model(), vocabulary
