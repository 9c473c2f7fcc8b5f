"""The cost of looking inside a network: `python -m benchmarks inside [SECONDS]`.

The times of a probe with all gradients and of measuring memory and health, and the speed of
training while the Inside page is open in a real browser on the same machine, relative to the speed
just before and just after.
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.server.server_process import ServerProcess, cpu_s
from benchmarks.verdicts import Verdict
from server.checkpoints.checkpoint_format import model_contents, new_trainer
from server.checkpoints.npz import write_archive
from server.inference.inspection.loading import LoadedFiles, read_text
from server.inference.inspection.messages import ProbeText
from server.inference.inspection.probe import probe_text
from server.installation import CORPORA
from server.rnn.cells import CELLS, DEFAULT_CELL
from server.rnn.inspection.health import measure_health, text_ahead
from server.rnn.inspection.memory import LAGS, losses_measured, measure_memory
from server.rnn.training.trainer import Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec

NOVEL = CORPORA / "the-lamps-of-saltmere.txt"
CHARACTERS, POSITION = 200, 20_000
UPDATES = 500
REPEATS = 15
SECONDS, ROUNDS, SETTLING_S = 8.0, 3, 3.0
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PROBE_LIMIT_MS = 40.0
MEASURE_LIMIT_MS = 100.0
LEAST_SPEED = 0.9

# The query of each state of the page, and what its requests end with.
STATES = {
    "text, surprisal": ("view=text", "probe"),
    "text, gradient": ("view=text&tint=gradient", "probe"),
    "memory": ("view=memory", "memory"),
    "health": ("view=health", "health"),
}
REFRESHES = "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/%s'))"


def inside(arguments: list[str], console: Console) -> Iterator[Verdict]:
    """Measure, print the figures, and yield their verdicts."""
    seconds = float(arguments[0]) if arguments else SECONDS
    with tempfile.TemporaryDirectory(prefix="hurrah-inside-") as directory:
        yield from _probes(Path(directory), console)
        yield from _measurements(console)
        with ServerProcess(Path(directory) / "data") as server:
            yield from _training(server, seconds, console)


def _probes(directory: Path, console: Console) -> Iterator[Verdict]:
    """Time probes of 200 characters with all pairs of gradients."""
    text = read_text(str(NOVEL))
    vocabulary = Vocabulary.from_text(text)
    indices = vocabulary.encode(text)
    table = Table(title=f"A probe of {CHARACTERS} characters, m = 100, K = {len(vocabulary)}, ms")
    for heading in ("cell", "processor time", "request and answer over HTTP"):
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    inside_ms: dict[str, float] = {}
    with ServerProcess(directory / "probes") as server:
        for cell in CELLS:
            spec = RunSpec(cell=cell).model_dump(mode="json")
            trainer = new_trainer(indices, vocabulary, spec)
            for _ in range(UPDATES):
                trainer.update()
            contents = model_contents(trainer.current_model(), vocabulary, spec)
            files, times = LoadedFiles(), []
            for number in range(REPEATS):
                # As with a live network, each probe reads another file.
                path = directory / f"{cell}{number}.npz"
                write_archive(path, *contents, durable=False)
                command = ProbeText(
                    path=str(path),
                    which="latest",
                    spec=spec,
                    corpus_path=str(NOVEL),
                    text=text[POSITION : POSITION + CHARACTERS],
                    top=5,
                    temperature=1.0,
                    layer=None,
                    saliency=True,
                    index=None,
                )
                start_s = time.process_time()
                probe_text(files, command)
                times.append(time.process_time() - start_s)
            inside_ms[cell] = statistics.median(times) * 1e3
            around_ms = _over_http_ms(server, cell, text)
            table.add_row(cell, f"{inside_ms[cell]:.1f}", f"{around_ms:.1f}")
    console.print(table)
    value = inside_ms[DEFAULT_CELL]
    yield Verdict(f"{DEFAULT_CELL}: a probe with all gradients, ms", value, "under", PROBE_LIMIT_MS)


def _measurements(console: Console) -> Iterator[Verdict]:
    """Time memory and health of each cell, in processor time."""
    text = read_text(str(NOVEL))
    indices = Vocabulary.from_text(text).encode(text)
    table = Table(title="Memory and health, m = 100, T = 25, B = 1, ms")
    for heading in ("cell", "memory", "health"):
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    health_ms: dict[str, float] = {}
    for cell in CELLS:
        trainer = Trainer(indices, int(indices.max()) + 1, TrainerSettings(cell=cell))
        for _ in range(UPDATES):
            trainer.update()
        model, settings = trainer.current_model(), trainer.settings
        ahead, state = text_ahead(model, indices, settings, LAGS + 1 + losses_measured(model))
        memory_ms = _median_ms(partial(measure_memory, model, ahead, state))
        health_ms[cell] = _median_ms(partial(measure_health, model, indices, settings))
        table.add_row(cell, f"{memory_ms:.1f}", f"{health_ms[cell]:.1f}")
    console.print(table)
    for cell, value in health_ms.items():
        yield Verdict(f"{cell}: health, ms", value, "under", MEASURE_LIMIT_MS)


def _median_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start_s = time.process_time()
        work()
        times.append(time.process_time() - start_s)
    return statistics.median(times) * 1e3


def _over_http_ms(server: ServerProcess, cell: str, text: str) -> float:
    """Return the median time of a probe of a paused run, each of another text."""
    spec = {"cell": cell, "paused": True}
    run = server.request("POST", "/runs", spec)["id"]
    server.request("POST", f"/runs/{run}/step", {"updates": UPDATES})
    times = []
    for number in range(REPEATS + 1):
        part = text[POSITION + number : POSITION + number + CHARACTERS]
        start_s = time.perf_counter()
        server.request(
            "POST", f"/runs/{run}/probe", {"text": part, "saliency": True, "units": False}
        )
        times.append(time.perf_counter() - start_s)
    server.request("DELETE", f"/runs/{run}")
    # The first one has started the process.
    return statistics.median(times[1:]) * 1e3


@dataclass(frozen=True, slots=True)
class Stretch:
    """Measured while a run trained for some seconds.

    Attributes
    ----------
    speed : float
        Updates per second.
    cpu_speed : float
        Updates per second of the worker's own CPU time, which other processes hardly change.
    cores : float
        The CPU time of the server and its inference processes, per second.
    """

    speed: float
    cpu_speed: float
    cores: float


def _training(server: ServerProcess, seconds: float, console: Console) -> Iterator[Verdict]:
    """Compare the speed of training with and without the page."""
    # The environment of `make bench` lacks it, and the other benchmarks do not need it.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    chromium = os.environ.get("HURRAH_BROWSER") or shutil.which("chromium")
    run = server.request("POST", "/runs", {"max_updates": None, "sample_every": 10_000})["id"]
    address = f"http://127.0.0.1:{server.port}/inside?run={run}"
    table = Table(title=f"Training beside the page, medians of {ROUNDS} rounds")
    for heading in ("view", "speed", "per CPU second", "refreshes a second", "server, cores"):
        table.add_column(heading, justify="left" if heading == "view" else "right")
    verdicts = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
        page = browser.new_page(viewport={"width": 1440, "height": 900})

        def measure() -> Stretch:
            # Not `time.sleep`: the events of the page must be read.
            return _measure(server, run, lambda: page.wait_for_timeout(seconds * 1e3))

        for name, (query, requests) in STATES.items():
            refreshes = f"{REFRESHES % requests}.length"
            view = query.partition("&")[0].removeprefix("view=")
            shares, cpu_shares, rates, cores = [], [], [], []
            for _ in range(ROUNDS):
                before = measure()
                page.goto(f"{address}&{query}")
                page.locator(f"#{view}-view[data-ready=true]").wait_for()
                page.wait_for_timeout(SETTLING_S * 1e3)
                seen = page.evaluate(refreshes)
                beside = measure()
                rates.append((page.evaluate(refreshes) - seen) / seconds)
                cores.append(beside.cores)
                page.goto("about:blank")
                page.wait_for_timeout(SETTLING_S * 1e3)
                after = measure()
                shares.append(2 * beside.speed / (before.speed + after.speed))
                cpu_shares.append(2 * beside.cpu_speed / (before.cpu_speed + after.cpu_speed))
            figures = [statistics.median(each) for each in (shares, cpu_shares, rates, cores)]
            table.add_row(name, *(f"{figure:.3f}" for figure in figures))
            verdicts.append(
                Verdict(f"{name}: training's speed, share", figures[0], "at least", LEAST_SPEED)
            )
        browser.close()
    console.print(table)
    yield from verdicts


def _measure(server: ServerProcess, run: str, wait: Callable[[], None]) -> Stretch:
    """Measure the training while `wait` runs."""
    (worker,) = server.worker_pids()
    around = [server.pid, *server.child_pids("server.inference")]
    start_s, first = time.monotonic(), server.request("GET", f"/runs/{run}")["update"]
    worker_s, around_s = cpu_s(worker), sum(map(cpu_s, around))
    wait()
    updates = server.request("GET", f"/runs/{run}")["update"] - first
    took_s = time.monotonic() - start_s
    spent_s = sum(map(cpu_s, around)) - around_s
    return Stretch(updates / took_s, updates / (cpu_s(worker) - worker_s), spent_s / took_s)
