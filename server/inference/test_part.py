"""The loss of a model on the test part of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server.checkpoints.checkpoint_format import load_model
from server.concurrency.json_lines import Message, finite
from server.inference.messages import MeasureTestPart
from server.rnn.model import Model
from server.rnn.training.validation import HeldOutLoss, divide_text, measure_held_out
from server.rnn.vocabulary import Vocabulary

__all__ = ["loss_on_test_part", "measure_test_part"]


def measure_test_part(command: MeasureTestPart) -> Message:
    """Return the content of the reply to a command.

    Raises
    ------
    DamagedArchiveError, OSError
        The model cannot be read.
    """
    model, vocabulary = load_model(Path(command.path), command.which)
    text = Path(command.corpus_path).read_bytes().decode()
    loss = loss_on_test_part(model, vocabulary, text, command.spec)
    return {"update": model.update, "nats": finite(loss.nats), "characters": loss.characters}


def loss_on_test_part(
    model: Model, vocabulary: Vocabulary, text: str, spec: dict[str, Any]
) -> HeldOutLoss:
    """Measure a model on the test part that a spec leaves at the end of a text."""
    parts = divide_text(
        vocabulary.encode(text),
        spec["sequence_length"],
        spec["batch_size"],
        validation_fraction=spec["validation_fraction"],
        test_fraction=spec["test_fraction"],
    )
    return measure_held_out(model, parts.test)
