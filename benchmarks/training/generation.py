"""The speed of generating text."""

from rich.table import Table

from benchmarks.training.tasks import indices, text, vocabulary
from benchmarks.training.textbook import TextbookTrainer
from benchmarks.training.timing import Candidate, measure
from server.rnn.sampling.sampling import generate
from server.rnn.training.trainer import Trainer, TrainerSettings

LENGTH = 1000
SECONDS = 0.1


def generation() -> Table:
    """Time a passage of 1000 characters; the speed does not depend on the parameters."""
    model = Trainer(indices(), len(vocabulary()), TrainerSettings()).current_model()
    textbook = TextbookTrainer(text())
    timings = measure(
        {
            "Hurrah": Candidate(run=lambda: generate(model, LENGTH, seed=1)),
            "textbook loop, float64": Candidate(run=lambda: textbook.generate(LENGTH)),
        },
        SECONDS,
    )
    table = Table(title=f"A passage of {LENGTH} characters, rnn, m 100")
    for heading in ("candidate", "median, ms", "spread", "characters/s", "Hurrah's lead"):
        table.add_column(heading, justify="left" if heading == "candidate" else "right")
    for name, timing in timings.items():
        table.add_row(
            name,
            f"{timing.median * 1e3:.1f}",
            f"{min(timing.seconds) * 1e3:.1f} - {max(timing.seconds) * 1e3:.1f}",
            f"{LENGTH / timing.median:,.0f}",
            f"{timings['Hurrah'].times_faster_than(timing):.2f}",
        )
    return table
