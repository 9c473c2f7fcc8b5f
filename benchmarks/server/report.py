"""The time that a report takes: `python -m benchmarks report`.

The run has 100,000 updates. The first report of a server imports Plotly, and starts the processes
that check gradients and write texts.
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.server.server_process import ServerProcess, memory_bytes, peak_bytes
from benchmarks.server.synthetic_history import SyntheticRun, create_run
from benchmarks.verdicts import Verdict

UPDATES = 100_000
STARTS = 5
LIMIT_S = 2.0

CASES = ("the first report of a server", "the first after its dialog was opened", "another format")


def report(_arguments: list[str], console: Console) -> list[Verdict]:
    """Measure, print the figures, and return their verdicts."""
    times: dict[str, list[float]] = {case: [] for case in CASES}
    grown: list[float] = []
    data_dir = Path(tempfile.mkdtemp(prefix="hurrah-report-"))
    try:
        synthetic = create_run(data_dir, UPDATES)
        for _ in range(STARTS):
            _measure(synthetic, times, grown)
    finally:
        shutil.rmtree(data_dir)
    table = Table(title=f"A report of {UPDATES:,} updates, s: median, greatest of {STARTS}")
    table.add_column("", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    for case, taken_s in times.items():
        table.add_row(case, f"{statistics.median(taken_s):.2f}  {max(taken_s):.2f}")
    console.print(table)
    console.print(f"The server's memory grows by {statistics.median(grown) / 1e6:.0f} MB.")
    return [
        Verdict(f"{case}, median, s", statistics.median(taken_s), "under", LIMIT_S)
        for case, taken_s in times.items()
    ]


def _measure(synthetic: SyntheticRun, times: dict[str, list[float]], grown: list[float]) -> None:
    """Start a server twice: the first report of each, once without and once with the dialog."""
    cold, prepared, warm = CASES
    with ServerProcess(synthetic.data_dir) as server:
        before = memory_bytes(server.pid)
        times[cold].append(_report_s(server, synthetic, "html"))
        times[warm].append(_report_s(server, synthetic, "md"))
        grown.append(float(peak_bytes(server.pid) - before))
    with ServerProcess(synthetic.data_dir) as server:
        # The dialog requests the remarks, and its user takes some seconds at least.
        server.request("GET", f"/runs/{synthetic.run}/report/remarks")
        time.sleep(3.0)
        times[prepared].append(_report_s(server, synthetic, "html"))


def _report_s(server: ServerProcess, synthetic: SyntheticRun, name: str) -> float:
    start_s = time.perf_counter()
    with server.open("GET", f"/runs/{synthetic.run}/report?format={name}") as answer:
        answer.read()
    return time.perf_counter() - start_s
