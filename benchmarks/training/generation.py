"""The speed of generating text."""

import numpy as np
from rich.table import Table

from benchmarks.training.reference import initial_parameters
from benchmarks.training.tasks import indices, vocabulary
from benchmarks.training.timing import Candidate, measure
from server.rnn.reference import network, vanilla
from server.rnn.sampling.sampling import generate
from server.rnn.training.trainer import Trainer, TrainerSettings

LENGTH = 1000
SECONDS = 0.1


def generation() -> Table:
    """Time a passage of 1000 characters; the speed does not depend on the parameters."""
    model = Trainer(indices(), len(vocabulary()), TrainerSettings()).current_model()
    parameters = initial_parameters()
    state, rng = network.zero_state(vanilla, parameters), np.random.default_rng(0)
    timings = measure(
        {
            "Hurrah": Candidate(run=lambda: generate(model, LENGTH, seed=1)),
            "reference, float64": Candidate(
                run=lambda: network.sample(vanilla, parameters, state, 0, n=LENGTH, rng=rng)
            ),
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
