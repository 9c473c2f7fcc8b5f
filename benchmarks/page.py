"""The cost of the page to a browser: time to the curve, long tasks, memory, layout shift.

``python -m benchmarks.page [--minutes M] [--updates N] [--pace P]`` opens the page on a run with a
history of N updates that continues to train, and prints the browser's own measurements. The run
trains at full speed, or makes P updates and one sample per second, which leaves CPU time for other
work during a long measurement.

``python -m benchmarks.page --wall [--minutes M]`` opens the wall of a hundred runs that seem to
train (see `simulated_training`), and counts the long tasks.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.server.many_runs import create_runs
from benchmarks.server.server_process import ServerProcess
from benchmarks.server.synthetic_history import create_run

OPENINGS = 5
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
LONG_TASK_MS = 50
WALL_RUNS = 100
TRACED_S = 15
HEAP_EVERY_MIN = 5.0

# The browser's own measurements, from before the page's first line of code.
WATCHER = """
window.seen = { shift: 0, long: [], curve: null, chart: null };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) seen.long.push(entry.duration);
}).observe({ type: "longtask", buffered: true });
const look = () => {
  const drawn = document.querySelector("#chart[data-drawn-update]");
  if (document.querySelector("#chart-sketch path") || drawn) seen.curve ??= performance.now();
  if (drawn) seen.chart = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=2.0, help="the duration of the measurement"
    )
    parser.add_argument(
        "--updates", type=int, default=10_000_000, help="the updates in the history"
    )
    parser.add_argument(
        "--pace", type=int, default=None, help="updates per second; default: full speed"
    )
    parser.add_argument("--wall", action="store_true", help="measure the wall instead")
    options = parser.parse_args()
    chromium = os.environ.get("HURRAH_BROWSER") or shutil.which("chromium")
    if options.wall:
        measure_wall(chromium, options.minutes)
        return
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        run = create_run(Path(directory), options.updates).run
        with ServerProcess(Path(directory)) as server:
            if options.pace is not None:
                slower = {"pace": options.pace, "sample_every": options.pace}
                server.request("PATCH", f"/runs/{run}", slower)
            server.request("POST", f"/runs/{run}/resume", {})
            browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
            address = f"http://127.0.0.1:{server.port}/?run={run}"
            table = Table(title=f"The page, on a run with a history of {options.updates:,} updates")
            for heading in ("figure", "measured", "target"):
                table.add_column(heading, justify="left" if heading == "figure" else "right")
            for row in (
                *_measure_opening(browser, address),
                *_observe(browser, address, options.minutes),
            ):
                table.add_row(*row)
            Console(width=100, highlight=False).print(table)
            browser.close()


def measure_wall(chromium: str | None, minutes: float) -> None:
    """Open the wall of a hundred live runs in each size of the cards; print the long tasks.

    The last column is the CPU time of the busiest task, which other processes do not change.
    """
    table = Table(title=f"The wall of {WALL_RUNS} live runs, {minutes:g} min each")
    for heading in (
        "cards",
        "cards in view",
        "opening, ms",
        "tasks over 50 ms",
        "longest, ms",
        "CPU ms",
    ):
        table.add_column(heading, justify="left" if heading == "cards" else "right")
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        create_runs(Path(directory), WALL_RUNS)
        with ServerProcess(Path(directory), simulated=True) as server:
            browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
            for size in ("small", "medium", "large"):
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.add_init_script(WATCHER)
                address = f"http://127.0.0.1:{server.port}/wall?sort=loss&size={size}"
                page.goto(address, wait_until="commit")
                last = page.locator(".wall-grid > li .wall-line[d^=M]").nth(WALL_RUNS - 1)
                last.wait_for(state="attached")
                opening_ms = page.evaluate("performance.now()")
                in_view = page.evaluate(
                    "[...document.querySelectorAll('.wall-grid > li')]"
                    ".filter((card) => card.getBoundingClientRect().top < innerHeight).length"
                )
                busiest = f"{_busiest_task_ms(browser, page, lambda _page: None):.0f}"
                page.evaluate("seen.long.length = 0")
                page.wait_for_timeout(minutes * 60_000)
                long: list[float] = page.evaluate("seen.long")
                longest = f"{max(long, default=0):.0f}"
                table.add_row(
                    size, f"{in_view}", f"{opening_ms:,.0f}", f"{len(long)}", longest, busiest
                )
                page.close()
            browser.close()
    Console(width=100, highlight=False).print(table)


def _open(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script("localStorage.setItem('hurrah-introduced', 'yes')")
    page.add_init_script(WATCHER)
    page.goto(address, wait_until="commit")
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    return page


def _measure_opening(browser: Browser, address: str) -> list[tuple[str, str, str]]:
    """Open the page several times; return the times until the curve is on the screen."""
    curves, charts, shifts = [], [], []
    for _ in range(OPENINGS):
        page = _open(browser, address)
        seen = page.evaluate("seen")
        curves.append(seen["curve"])
        charts.append(seen["chart"])
        shifts.append(seen["shift"])
        page.close()
    return [
        ("the curve is on the screen after", f"{statistics.median(curves):,.0f} ms", "1,000 ms"),
        ("the whole chart after", f"{statistics.median(charts):,.0f} ms", ""),
        ("layout shift", f"{max(shifts):.4f}", "0.05"),
    ]


def _observe(browser: Browser, address: str, minutes: float) -> list[tuple[str, str, str]]:
    """Hover over the curve for a while; return the browser's work."""
    page = _open(browser, address)
    session = page.context.new_cdp_session(page)
    page.wait_for_timeout(5_000)  # until the work of opening the page is done
    busiest_ms = _busiest_task_ms(browser, page, _hover)
    page.evaluate("seen.long.length = 0")
    heaps = [(0.0, _heap_bytes(session))]
    rounds = max(round(minutes * 6), 1)
    for made in range(1, rounds + 1):
        _hover(page)
        page.wait_for_timeout(9_000)
        if made == rounds or (made / 6) % HEAP_EVERY_MIN == 0:
            heaps.append((made / 6, _heap_bytes(session)))
    seen = page.evaluate("seen")
    long: list[float] = seen["long"]
    page.close()
    return [
        (f"tasks over {LONG_TASK_MS} ms in {minutes:g} min", f"{len(long)}", "0"),
        ("the longest of them", f"{max(long, default=0):.0f} ms", f"{LONG_TASK_MS} ms"),
        ("the busiest task, CPU time", f"{busiest_ms:.0f} ms", ""),
        *[
            (f"heap after {at:g} min", f"{heap / 1e6:.1f} MB", "the same" if at else "")
            for at, heap in heaps
        ],
        ("layout shift by then", f"{seen['shift']:.4f}", "0.05"),
    ]


def _busiest_task_ms(browser: Browser, page: Page, act: Callable[[Page], None]) -> float:
    """Trace the browser's tasks; return the greatest CPU time of one. `act` is called meanwhile.

    Unlike wall-clock time, it does not depend on other processes.
    """
    browser.start_tracing(page=page, categories=["toplevel"])
    for _ in range(TRACED_S):
        act(page)
        page.wait_for_timeout(900)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [e for e in events if e["ph"] == "X" and (e["pid"], e["tid"]) in mains]
    return float(max(event.get("tdur", 0) for event in tasks) / 1000)


def _hover(page: Page) -> None:
    """Hover along the curve."""
    box = page.locator("#chart").bounding_box()
    if box is None:
        return
    for step in range(20):
        across = box["x"] + box["width"] * (0.1 + 0.04 * step)
        page.mouse.move(across, box["y"] + box["height"] * 0.5)
    page.mouse.move(box["x"] + box["width"] * 0.5, 5)


def _heap_bytes(session: CDPSession) -> float:
    """Return the memory of the page's objects after garbage collection."""
    session.send("HeapProfiler.collectGarbage")
    usage: dict[str, Any] = session.send("Runtime.getHeapUsage")
    return float(usage["usedSize"])


if __name__ == "__main__":
    main()
