"""The cost of measuring the metrics: `python -m benchmarks metrics`."""

import json
import statistics
import time
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from benchmarks.training.comparison import with_numpy
from benchmarks.training.tasks import indices, vocabulary
from benchmarks.verdicts import Verdict
from server.concurrency.json_lines import JsonLineChannel, Message
from server.rnn.backend.selection import load_numba
from server.rnn.metrics import MEASURED_EVERY
from server.rnn.training import trainer as trainer_module
from server.rnn.training.trainer import Trainer, TrainerSettings
from server.worker.reporter import Reporter

PAIRS = 300
# A report comes every 50 ms: after some 500 updates in NumPy, 1,000 in Numba. Counted in updates,
# because other work on the machine must not make reports more frequent.
UPDATES = 16 * MEASURED_EVERY
LIMIT_PERCENT = 2.0
NEVER = 10**15


class _Discard(JsonLineChannel):
    """A channel that encodes what is sent, as the real one does, and discards it."""

    def __init__(self) -> None:
        """Start no thread."""

    def send(self, message: Message) -> None:
        json.dumps(message, separators=(",", ":"), allow_nan=False).encode()

    @property
    def idle(self) -> bool:
        return True


def metrics(_: list[str], console: Console) -> list[Verdict]:
    """Compare training and reporting with and without metrics; return the verdicts.

    One trainer at the default settings makes both, a few hundred updates each in turn, so that
    neither has an advantage by the place of its buffers in memory.
    """
    table = Table(title="Median time of an update with its report, CPU time, µs")
    for heading in ("", "without metrics", "with metrics", "cost"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    verdicts = []
    for name, trainer in _trainers().items():
        ratio, without_s, with_s = _compare(trainer)
        percent = (ratio - 1) * 100
        table.add_row(name, f"{without_s * 1e6:.2f}", f"{with_s * 1e6:.2f}", f"{percent:.2f} %")
        verdicts.append(Verdict(f"{name}: cost of metrics, %", percent, "under", LIMIT_PERCENT))
    console.print(table)
    return verdicts


def _trainers() -> dict[str, Trainer]:
    def new() -> Trainer:
        return Trainer(indices(), len(vocabulary()), TrainerSettings(), vocabulary())

    found = {"NumPy": with_numpy(new())}
    if load_numba() is not None:
        found["Numba"] = new()
    return found


def _compare(trainer: Trainer) -> tuple[float, float, float]:
    """Return the median ratio of pairs, and the median seconds of an update without and with."""
    reporter = Reporter(_Discard(), trainer)
    _train(trainer, reporter, NEVER)
    _train(trainer, reporter, MEASURED_EVERY)
    pairs = []
    for number in range(PAIRS):
        # In turns also within the pairs: the clock of the processor may rise or fall.
        order = (NEVER, MEASURED_EVERY) if number % 2 else (MEASURED_EVERY, NEVER)
        found = {every: _train(trainer, reporter, every) for every in order}
        pairs.append((found[NEVER], found[MEASURED_EVERY]))
    ratios = [measured / plain for plain, measured in pairs]
    plain, measured = zip(*pairs, strict=True)
    return statistics.median(ratios), statistics.median(plain), statistics.median(measured)


def _train(trainer: Trainer, reporter: Reporter, every: int) -> float:
    """Return the CPU seconds of an update and its part of a report."""
    with patch.object(trainer_module, "MEASURED_EVERY", every):
        start_s = time.process_time()
        for _ in range(UPDATES):
            reporter.begin_update()
            reporter.end_update(trainer.update())
        reporter.report(busy=True, state="running", runaway=False, storage_error=None)
        reporter.confirm_flushed(trainer.updates)
        return (time.process_time() - start_s) / UPDATES
