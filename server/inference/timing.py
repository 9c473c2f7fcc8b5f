"""How long an update of a network takes on this machine, measured by making some."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from server.checkpoints.checkpoint_format import new_trainer
from server.concurrency.json_lines import Message
from server.rnn.vocabulary import Vocabulary

__all__ = ["timed"]

BUDGET_S = 0.3
"""How long to measure; a network whose one update takes longer is timed by that one."""
UPDATES_READ = 50
"""The text made for it is this many updates long, and read again from the start."""
FIRST_CODE_POINT = 0x10000  # from here on, code points enough for any vocabulary stand in a row


def timed(request: dict[str, Any]) -> Message:
    """Time updates of the network that `request` describes, over random characters.

    Parameters
    ----------
    request : dict
        A run's `spec`, and how many `distinct` characters its text has.

    Returns
    -------
    dict
        ``{"update_s": float}``, the median time of an update in seconds.
    """
    spec, distinct = request["spec"] | {"validation_fraction": 0.0}, request["distinct"]
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
    # The first one is slower: what it needs is not in the cache yet, nor perhaps compiled.
    return {"update_s": float(np.median(took_s[1:] or took_s))}
