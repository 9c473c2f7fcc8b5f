"""The time that an update of a network takes on this machine, measured by making some."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from server.checkpoints.checkpoint_format import new_trainer
from server.rnn.vocabulary import Vocabulary

__all__ = ["time_update_s"]

BUDGET_S = 0.3
"""Time to measure for; at least one update is made, however long it takes."""
UPDATES_READ = 50
"""Length in updates of the random text, which is read again and again."""
FIRST_CODE_POINT = 0x10000
"""From here on there are enough consecutive code points for any vocabulary."""


def time_update_s(spec: dict[str, Any], distinct: int) -> float:
    """Return the median time of an update over random characters, in seconds.

    Parameters
    ----------
    spec : dict
        A run's spec.
    distinct : int
        Number of distinct characters, K.
    """
    spec = spec | {"validation_fraction": 0.0, "test_fraction": 0.0}
    vocabulary = Vocabulary("".join(chr(FIRST_CODE_POINT + k) for k in range(distinct)))
    characters = spec["batch_size"] * (spec["sequence_length"] * UPDATES_READ + 1)
    text = np.random.default_rng(0).integers(0, distinct, characters)
    trainer = new_trainer(text, vocabulary, spec)
    took_s: list[float] = []
    deadline_s = time.perf_counter() + BUDGET_S
    while not took_s or time.perf_counter() < deadline_s:
        before_s = time.perf_counter()
        trainer.update()
        took_s.append(time.perf_counter() - before_s)
    # The first update is slower: caches are cold, and kernels may have to be compiled.
    return float(np.median(took_s[1:] or took_s))
