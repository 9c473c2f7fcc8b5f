"""What the page does to a browser: how soon it shows a curve, how long it keeps it busy.

``python -m benchmarks.page [--minutes M] [--updates N] [--pace P]`` opens the page on a run that
learns with N updates behind it, and prints what the browser itself measures. It learns at full
speed, or makes P updates and writes one sample a second, for a long look that leaves room for other
work.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.server.server_process import House
from benchmarks.server.synthetic_history import fill

OPENINGS = 5
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
LONG_TASK_MS = 50
TRACED_S = 15
HEAP_EVERY_MIN = 5.0

# What the browser says of itself, from before the page's first line of code on.
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
    parser.add_argument("--minutes", type=float, default=2.0, help="how long to look on")
    parser.add_argument("--updates", type=int, default=10_000_000, help="updates made before")
    parser.add_argument("--pace", type=int, default=None, help="updates a second; full speed")
    asked = parser.parse_args()
    chromium = os.environ.get("HURRAH_BROWSER") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        run = fill(Path(folder), asked.updates).run
        with House(Path(folder)) as house:
            if asked.pace is not None:
                slower = {"pace": asked.pace, "sample_every": asked.pace}
                house.ask("PATCH", f"/runs/{run}", slower)
            house.ask("POST", f"/runs/{run}/resume", {})
            browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
            address = f"http://127.0.0.1:{house.port}/?run={run}"
            table = Table(title=f"The page, on a run with {asked.updates:,} updates behind it")
            for heading in ("what", "reached", "asked"):
                table.add_column(heading, justify="left" if heading == "what" else "right")
            for row in (*_opened(browser, address), *_looked_at(browser, address, asked.minutes)):
                table.add_row(*row)
            Console(width=100, highlight=False).print(table)
            browser.close()


def _open(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(WATCHER)
    page.goto(address, wait_until="commit")
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    return page


def _opened(browser: Browser, address: str) -> list[tuple[str, str, str]]:
    """Open the page a few times; say how soon the curve is there."""
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


def _looked_at(browser: Browser, address: str, minutes: float) -> list[tuple[str, str, str]]:
    """Look on for a while, moving about; say what the browser had to do."""
    page = _open(browser, address)
    session = page.context.new_cdp_session(page)
    page.wait_for_timeout(5_000)  # what opening costs is over then
    busiest_ms = _busiest_task_ms(browser, page)
    page.evaluate("seen.long.length = 0")
    heaps = [(0.0, _heap_bytes(session))]
    rounds = max(round(minutes * 6), 1)
    for made in range(1, rounds + 1):
        _move_about(page)
        page.wait_for_timeout(9_000)
        if made == rounds or (made / 6) % HEAP_EVERY_MIN == 0:
            heaps.append((made / 6, _heap_bytes(session)))
    seen = page.evaluate("seen")
    long: list[float] = seen["long"]
    page.close()
    return [
        (f"tasks over {LONG_TASK_MS} ms in {minutes:g} min", f"{len(long)}", "0"),
        ("the longest of them", f"{max(long, default=0):.0f} ms", f"{LONG_TASK_MS} ms"),
        ("the busiest task, in processor time", f"{busiest_ms:.0f} ms", ""),
        *[
            (f"heap after {at:g} min", f"{heap / 1e6:.1f} MB", "the same" if at else "")
            for at, heap in heaps
        ],
        ("layout shift by then", f"{seen['shift']:.4f}", "0.05"),
    ]


def _busiest_task_ms(browser: Browser, page: Page) -> float:
    """Look on while the browser records its tasks; return the most that one took of a processor.

    How long a task lasts depends on who else wants the processor, too; this does not.
    """
    browser.start_tracing(page=page, categories=["toplevel"])
    for _ in range(TRACED_S):
        _move_about(page)
        page.wait_for_timeout(900)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [e for e in events if e["ph"] == "X" and (e["pid"], e["tid"]) in mains]
    return float(max(event.get("tdur", 0) for event in tasks) / 1000)


def _move_about(page: Page) -> None:
    """Point along the curve, as a reader does."""
    box = page.locator("#chart").bounding_box()
    if box is None:
        return
    for step in range(20):
        across = box["x"] + box["width"] * (0.1 + 0.04 * step)
        page.mouse.move(across, box["y"] + box["height"] * 0.5)
    page.mouse.move(box["x"] + box["width"] * 0.5, 5)


def _heap_bytes(session: CDPSession) -> float:
    """Return what the page's objects take once those that nobody needs are gone."""
    session.send("HeapProfiler.collectGarbage")
    usage: dict[str, Any] = session.send("Runtime.getHeapUsage")
    return float(usage["usedSize"])


if __name__ == "__main__":
    main()
