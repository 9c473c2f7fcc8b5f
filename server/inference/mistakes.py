"""A network with a mistake in training beside the right one, as it is shown live."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from server.concurrency.json_lines import Message, finite
from server.course.training import (
    Learner,
    gradient_errors,
    initial_parameters,
    right_reference,
    wrong_reference,
)
from server.inference.messages import TrainMistake
from server.rnn.vocabulary import Vocabulary

__all__ = ["SAMPLES", "train_mistake"]

INTERVAL_S = 0.2
"""Time between two partial replies."""
SAMPLES = 10
"""How often both write, evenly over the updates."""
SAMPLE_LENGTH = 200


def train_mistake(command: TrainMistake, send_partial: Callable[[Message], None]) -> Message:
    """Train both networks, and return the content of the reply.

    Raises
    ------
    OSError
        The text cannot be read.
    """
    text = Path(command.corpus_path).read_bytes().decode()
    vocabulary = Vocabulary.from_text(text)
    indices = vocabulary.encode(text)
    start = initial_parameters(
        cell=command.cell,
        layers=command.layers,
        hidden_size=command.hidden_size,
        vocabulary_size=len(vocabulary),
        seed=command.seed,
    )
    mistaken = wrong_reference(command.cell, command.mistake)
    right, wrong = (
        Learner(reference, start, indices, command.sequence_length)
        for reference in (right_reference(command.cell), mistaken)
    )

    def written(learner: Learner, update: int) -> str | None:
        found = learner.write(SAMPLE_LENGTH, seed=update)
        return None if found is None else vocabulary.decode(np.array(found))

    every = max(1, command.updates // SAMPLES)
    began_s = sent_s = time.monotonic()
    curves: tuple[list[float | None], list[float | None]] = ([], [])
    for update in range(1, command.updates + 1):
        for learner, curve in zip((right, wrong), curves, strict=True):
            # Once a loss is not finite, no later one is.
            if learner.update == 0 or finite(learner.smooth_loss) is not None:
                learner.train()
            curve.append(finite(learner.smooth_loss))
        sampled = update % every == 0
        now_s = time.monotonic()
        if sampled or now_s - sent_s >= INTERVAL_S or update == command.updates:
            sent_s = now_s
            send_partial(
                {
                    "update": update,
                    "right": curves[0],
                    "wrong": curves[1],
                    "updates_per_second": round(update / max(now_s - began_s, 1e-6), 1),
                }
            )
            curves = ([], [])
        if sampled:
            errors = gradient_errors(right, mistaken)
            sample = {
                "update": update,
                "right": written(right, update),
                "wrong": written(wrong, update),
                "gradient_errors": {name: finite(error) for name, error in errors.items()},
            }
            send_partial({"sample": sample})
    return {"updates": command.updates, "seconds": round(time.monotonic() - began_s, 2)}
