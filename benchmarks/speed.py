"""How fast the network learns and writes, beside the textbook loop."""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measure import REPEATS, Contestant, Timing, measure
from benchmarks.textbook import TextbookTrainer
from server.rnn.sampling import Model, write
from server.rnn.trainer import Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary

CORPUS = Path(__file__).parents[1] / "data" / "corpora" / "the-lamps-of-saltmere.txt"

TEXTBOOK = "textbook loop, float64"
FLOAT32 = "float32 (default)"
FLOAT64 = "float64"
WITHOUT_BEST = "float32, best model not kept"

PASSAGE_LENGTH = 1000


class ForgetfulTrainer(Trainer):
    """A trainer that does not keep its best model, to learn what keeping it costs."""

    def _save_best(self) -> None:
        self._best_stands = False


def compare_updates() -> dict[str, Timing]:
    """Time an update at the defaults: m = 100, T = 25, AdaGrad, clipped by value."""
    text = CORPUS.read_text(encoding="utf-8")
    vocabulary = Vocabulary.from_text(text)
    indices, K = vocabulary.encode(text), len(vocabulary)
    float32 = TrainerSettings()
    return measure(
        {
            TEXTBOOK: Contestant(run=TextbookTrainer(text).update, operations=1_000),
            FLOAT32: Contestant(run=Trainer(indices, K, float32).update, operations=6_000),
            FLOAT64: Contestant(
                run=Trainer(indices, K, TrainerSettings(dtype="float64")).update, operations=4_000
            ),
            WITHOUT_BEST: Contestant(
                run=ForgetfulTrainer(indices, K, float32).update, operations=6_000
            ),
        }
    )


def compare_passages() -> dict[str, Timing]:
    """Time a passage of 1000 characters; the speed does not depend on what was learnt."""
    text = CORPUS.read_text(encoding="utf-8")
    vocabulary = Vocabulary.from_text(text)
    trainer = Trainer(vocabulary.encode(text), len(vocabulary), TrainerSettings())
    model: Model = trainer.current_model()
    textbook = TextbookTrainer(text)
    return measure(
        {
            TEXTBOOK: Contestant(run=lambda: textbook.write(PASSAGE_LENGTH), operations=20),
            FLOAT32: Contestant(run=lambda: write(model, PASSAGE_LENGTH, seed=1), operations=100),
        }
    )


def table(title: str, timings: dict[str, Timing], unit: str, scale: float, per: int) -> Table:
    """Return a table of `timings`.

    Parameters
    ----------
    title : str
        What an operation is.
    timings : dict of str to Timing
        Of each contestant; the textbook loop is the one that the others are compared to.
    unit : str
        The unit of time to show.
    scale : float
        The number of units in a second.
    per : int
        The number of characters in an operation.
    """
    result = Table(title=title)
    for heading in ("", f"median, {unit}", "spread", "a second", "characters a second", "ratio"):
        result.add_column(heading, justify="right" if heading else "left")
    for name, timing in timings.items():
        low, high = min(timing.seconds) * scale, max(timing.seconds) * scale
        result.add_row(
            name,
            f"{timing.median * scale:,.1f}",
            f"{low:,.1f} - {high:,.1f}",
            f"{1 / timing.median:,.0f}",
            f"{per / timing.median:,.0f}",
            f"{timing.times_faster_than(timings[TEXTBOOK]):.2f}",
        )
    return result


def main() -> None:
    """Measure and print."""
    console = Console(width=110)
    console.print(
        f"NumPy {np.__version__}, one BLAS thread, CPU time, medians of {REPEATS}; "
        "ratio: times as fast as the textbook loop, the median of each repeat's own."
    )
    updates = compare_updates()
    console.print(table("One update, m = 100, T = 25", updates, "µs", 1e6, 25))
    cost = updates[WITHOUT_BEST].times_faster_than(updates[FLOAT32]) - 1
    console.print(f"Keeping the exact best model costs {cost:.1%} of training.\n")
    passages = compare_passages()
    console.print(table("A passage of 1000 characters", passages, "ms", 1e3, PASSAGE_LENGTH))
