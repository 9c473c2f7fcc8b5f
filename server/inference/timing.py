"""The time that an update of a network takes on this machine, measured by making some."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from server.checkpoints.checkpoint_format import new_trainer
from server.rnn.training.trainer import Trainer
from server.rnn.vocabulary import Vocabulary

__all__ = ["time_updates_s"]

BUDGET_S = 0.3
"""Time to measure each network for; it makes at least one update, however long that takes."""
UPDATES_READ = 50
"""Length in updates of the random text, which is read again and again."""
FIRST_CODE_POINT = 0x10000
"""From here on there are enough consecutive code points for any vocabulary."""


def time_updates_s(specs: Sequence[dict[str, Any]], distinct: int) -> list[float]:
    """Return the median time of an update over random characters for each spec, in seconds.

    The networks take turns, so that whatever else the machine does affects all alike.

    Parameters
    ----------
    specs : sequence of dict
        Runs' specs.
    distinct : int
        Number of distinct characters, K.
    """
    trainers = [_trainer(spec, distinct) for spec in specs]
    took_s: list[list[float]] = [[] for _ in trainers]
    deadline_s = time.perf_counter() + BUDGET_S * len(trainers)
    while not took_s[0] or time.perf_counter() < deadline_s:
        for trainer, times_s in zip(trainers, took_s, strict=True):
            before_s = time.perf_counter()
            trainer.update()
            times_s.append(time.perf_counter() - before_s)
    # The first update is slower: caches are cold, and kernels may have to be compiled.
    return [float(np.median(times_s[1:] or times_s)) for times_s in took_s]


def _trainer(spec: dict[str, Any], distinct: int) -> Trainer:
    spec = spec | {"validation_fraction": 0.0, "test_fraction": 0.0}
    vocabulary = Vocabulary("".join(chr(FIRST_CODE_POINT + k) for k in range(distinct)))
    characters = spec["batch_size"] * (spec["sequence_length"] * UPDATES_READ + 1)
    text = np.random.default_rng(0).integers(0, distinct, characters)
    return new_trainer(text, vocabulary, spec)
