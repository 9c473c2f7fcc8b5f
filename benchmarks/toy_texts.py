"""The share of right answers in toy texts after one minute of training.

``python -m benchmarks toy [TASK ...]`` trains a network of each cell on each toy text, with the
default settings of both. A minute is one of processor time, so that other programs do not matter.
docs/toy-texts.md has the figures.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.verdicts import Verdict
from server.corpora.toy_texts import BRACKETS, TASKS, ToyText
from server.rnn.answers import find_answers
from server.rnn.cells import CELLS
from server.rnn.metrics import MEASURED_EVERY
from server.rnn.training.trainer import Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary

MINUTE_S = 60.0
PARTS = 6
UPDATES_AT_A_TIME = MEASURED_EVERY


def toy_texts(arguments: list[str], console: Console) -> list[Verdict]:
    """Train on the tasks named, by default on all; return whether an LSTM remembers."""
    seconds = [f"{MINUTE_S / PARTS * (part + 1):.0f} s" for part in range(PARTS)]
    table = Table("text", "cell", title="Right answers, %, during each sixth of the minute")
    for column in ("no memory", *seconds, "updates", "loss", "least"):
        table.add_column(column, justify="right")
    last_shares = {}
    for task in TASKS:
        if arguments and task not in arguments:
            continue
        toy = ToyText(task=task)
        text = toy.text()
        for cell in CELLS:
            shares, losses, updates = zip(*_train(text, cell), strict=True)
            last_shares[task, cell] = shares[-1]
            table.add_row(
                toy.name,
                cell,
                *(f"{100 * share:.1f}" for share in (share_without_memory(text), *shares)),
                f"{updates[-1]:,}",
                f"{losses[-1]:.3f}",
                f"{least_loss(toy):.3f}",
            )
    console.print(table)
    if "repeat" not in (arguments or TASKS):
        return []
    return [
        Verdict("right answers of rnn, repeat", last_shares["repeat", "rnn"], "at most", 0.5),
        Verdict("right answers of lstm, repeat", last_shares["repeat", "lstm"], "at least", 0.99),
    ]


def share_without_memory(text: str) -> float:
    """Return the share of right answers of what most often follows the character before.

    Like the metric, it is the mean of the shares in the sequences that an update reads.
    """
    vocabulary = Vocabulary.from_text(text)
    indices = vocabulary.encode(text).astype(np.intp)
    answers = find_answers(indices, vocabulary)
    assert answers is not None
    pairs = np.zeros((len(vocabulary), len(vocabulary)))
    np.add.at(pairs, (indices[:-1][answers[1:]], indices[1:][answers[1:]]), 1)
    right = answers[1:] & (pairs.argmax(axis=1)[indices[:-1]] == indices[1:])
    T = TrainerSettings().sequence_length
    sequences = len(right) // T * T
    numbers = answers[1:][:sequences].reshape(-1, T).sum(axis=1)
    shares = right[:sequences].reshape(-1, T).sum(axis=1)[numbers > 0] / numbers[numbers > 0]
    return float(shares.mean())


def _train(text: str, cell: str) -> Iterator[tuple[float, float, int]]:
    """Yield the share of right answers and the mean loss in each part, and the updates so far."""
    vocabulary = Vocabulary.from_text(text)
    settings = TrainerSettings(cell=cell)
    trainer = Trainer(vocabulary.encode(text), len(vocabulary), settings, vocabulary)
    used_s = 0.0
    for part in range(PARTS):
        shares, losses = [], []
        while used_s < MINUTE_S / PARTS * (part + 1):
            start_s = time.thread_time()
            losses += [trainer.update() for _ in range(UPDATES_AT_A_TIME)]
            used_s += time.thread_time() - start_s
            shares.append(trainer.metrics["right_answers"])
        yield (
            float(np.nanmean(shares)),
            float(np.mean(losses)) / settings.sequence_length,
            trainer.updates,
        )


def least_loss(toy: ToyText) -> float:
    """Return the mean loss of a perfect network, in nats per character.

    It is the entropy of what a line does not determine, divided by the mean length of a line.
    """
    letters, mean_length = math.log(len(toy.alphabet)), (1 + toy.longest) / 2
    match toy.task:
        case "repeat":
            return toy.string_length * letters / (2 * toy.string_length + toy.delay + 1)
        case "copy" | "reverse":
            return (math.log(toy.longest) + mean_length * letters) / (2 * mean_length + 2)
        case "counts":
            return math.log(toy.count) / (1 + toy.count + 1)
        case "brackets":
            entropy, length = _of_pair(toy.depth)
            return entropy / (length + 1)


def _of_pair(depth: int) -> tuple[float, float]:
    """Return the entropy and the mean length of a pair of brackets."""
    kind = math.log(len(BRACKETS))
    if depth == 1:
        return kind, 4.0
    entropy, length = _of_pair(depth - 1)
    # Each of the two things is a dot or a pair with equal probability.
    return kind + 2 * (math.log(2) + entropy / 2), 2 + (1 + length)
