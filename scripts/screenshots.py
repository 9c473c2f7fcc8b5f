"""Takes the pictures in docs/screenshots/ of a real server with a real network learning.

``python -m scripts.screenshots`` starts a server on a free port with a data directory of its own,
waits until its network has come far enough, and photographs the page's main states. It ends with
status 0, or says on standard error what is missing and ends with 1. Where pngquant is installed,
the pictures have 256 colours and a third of the size.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

from server.course.mistakes import load_mistake
from server.course.problem import ProblemQuery, make_problem

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "screenshots"
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_S = 300
WIDE = (1440, 900)
PHONE = (390, 844)
PROJECTOR = (1280, 720)
# The name of the server in the pictures of a lecture.
HOST = "hurrah.example"

# Far enough for words, and for some of the book's names.
UPDATES = 40_000
BRANCH_UPDATES = 20_000
# The figures in docs/inside.md are of the network at this update.
INSIDE_UPDATE = 60_000
# What the cells make in about the same time.
TOY_UPDATES = {"lstm": 25_000, "rnn": 60_000}
# The run in the pictures: more samples than by default, and a seed that soon writes a name.
SPEC = {
    "name": "The Lamps of Saltmere",
    "pace": "cinematic",
    "seed": 5,
    "sample_every": 2_000,
    "max_updates": 100_000,
}
# Small networks, of which ten train in a minute.
SEEDS_SPEC = {
    "hidden_size": 30,
    "sample_every": 1_000,
    "max_updates": 6_000,
    "validation_fraction": 0.02,
}
# A network with a unit that follows quotation marks.
QUOTATIONS_SPEC = {
    "name": "Quotation marks",
    "cell": "gru",
    "sequence_length": 150,
    "batch_size": 4,
    "optimizer": "adam",
    "learning_rate": 0.004,
    "learning_rate_decay": 0.98,
    "sample_every": 1_000,
    "max_updates": 6_000,
}
SWEEP = {
    "name": "Which rate for which cell?",
    "spec": {"max_updates": 3_000, "sequence_length": 25, "sample_every": 3_000},
    "parameters": {
        "learning_rate": {"low": 0.003, "high": 1.0, "log": True},
        "hidden_size": {"values": [20, 40, 80]},
        "cell": {"values": ["rnn", "gru", "lstm"]},
    },
    "sampler": "random",
    "runs": 40,
    "stop_early": True,
}
# The runs of a class: two are paused, and one more still trains.
WALL_RUNS = 17
PAUSED = (5, 14)
# In the passage that the page suggests.
QUOTATION = "What comes after twelve?"


@dataclass(frozen=True)
class Picture:
    """One picture: its file's name, the window, what is done before it is taken, and the page."""

    name: str
    size: tuple[int, int]
    scheme: str
    prepare: Callable[[Page], None]
    page: str = ""


def main() -> int:
    """Take all pictures.

    Returns
    -------
    int
        The exit status.
    """
    chromium = os.environ.get("HURRAH_BROWSER") or shutil.which("chromium")
    if chromium is None:
        print("No Chromium here: HURRAH_BROWSER can name one.", file=sys.stderr)
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    with _server() as url, sync_playwright() as playwright:
        flags = [*BROWSER_FLAGS, f"--host-resolver-rules=MAP {HOST} {urlsplit(url).netloc}"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        run = _run(url, SPEC)
        _wait_for_words(url, run)
        for picture in _pictures():
            _take(browser, f"{url}{picture.page or f'?run={run}'}", picture)
        _take_lecture(browser, f"?run={run}")
        for picture in _comparisons(run, _fork(url, run)):
            _take(browser, url + picture.page, picture)
        _train_cells(url)
        for picture in _inside(run):
            _take(browser, url + picture.page, picture)
        quotations = _run(url, QUOTATIONS_SPEC)
        _wait_for_end(url, quotations)
        for picture in _units(quotations):
            _take(browser, url + picture.page, picture)
        for picture in _toy_texts(url):
            _take(browser, url + picture.page, picture)
        for picture in _sweeps(_sweep(url)):
            _take(browser, url + picture.page, picture)
        for picture in _seeds(url):
            _take(browser, url + picture.page, picture)
        with _server() as other:
            take_wall(browser, other)
        browser.close()
    _compress()
    return 0


@contextmanager
def _server() -> Iterator[str]:
    """Start a server without runs; gives its address, and ends it afterwards."""
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "server", "serve", "--port", "0", "--no-demo"]
        process = subprocess.Popen(
            [*command, "--data-dir", data],
            cwd=ROOT,
            env=os.environ | {"HURRAH_ALLOWED_HOSTS": HOST},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+", line)
            if found is None:
                raise RuntimeError(f"the server said no address, but {line!r}")
            yield found[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=TIMEOUT_S)


def _compress() -> None:
    """Reduce the colours of all pictures, if pngquant is installed."""
    pngquant = shutil.which("pngquant")
    if pngquant is not None:
        options = [
            "--force",
            "--ext",
            ".png",
            "--quality",
            "60-95",
            "--speed",
            "1",
            "--skip-if-larger",
        ]
        for picture in PICTURES.glob("*.png"):
            subprocess.run([pngquant, *options, str(picture)], check=False)


def _run(url: str, spec: dict[str, Any]) -> str:
    """Start a run, and return its id."""
    answer = httpx.post(f"{url}api/runs", json=spec)
    answer.raise_for_status()
    return str(answer.json()["id"])


def _sweep(url: str) -> str:
    """Run a sweep to its end, and return its id."""
    answer = httpx.post(f"{url}api/sweeps", json=SWEEP)
    answer.raise_for_status()
    sweep = str(answer.json()["id"])
    deadline = time.monotonic() + TIMEOUT_S
    while httpx.get(f"{url}api/sweeps/{sweep}").json()["state"] == "running":
        if time.monotonic() > deadline:
            raise RuntimeError("the sweep does not end")
        time.sleep(1)
    return sweep


def _sweeps(sweep: str) -> Iterator[Picture]:
    """Yield the pictures of a sweep, and of the form that starts one."""
    page = f"sweeps?sweep={sweep}"
    yield Picture("sweep", WIDE, "light", _watch_sweep, page)
    ranges = "learning_rate:0.003..1..log,hidden_size:50;100;200"
    yield Picture("sweep-form", WIDE, "light", _open_sweep_form, f"?new=&vary={ranges}")


def _watch_sweep(page: Page) -> None:
    expect(page.locator("#sweep-state")).to_have_text("finished")
    expect(page.locator(".scatter-points a").first).to_be_attached()


def _open_sweep_form(page: Page) -> None:
    expect(page.locator("#estimate-speed")).to_contain_text("in all")
    page.locator("#new-hidden_size").locator("..").scroll_into_view_if_needed()


def _fork(url: str, run: str) -> str:
    """Fork the run with a lower learning rate, wait until it has gone a good way, return its id."""
    update = httpx.get(f"{url}api/runs/{run}").json()["update"]
    spec = {
        "name": "Slower from here",
        "learning_rate": 0.02,
        "pace": "max",
        "max_updates": update + BRANCH_UPDATES,
    }
    answer = httpx.post(
        f"{url}api/runs/{run}/fork", json={"checkpoint": "latest", "spec": spec}, timeout=TIMEOUT_S
    )
    answer.raise_for_status()
    branch = str(answer.json()["id"])
    _wait_for_end(url, branch)
    return branch


def _train_cells(url: str) -> None:
    """Train a run of each other cell, to compare them."""
    for cell in ("lstm", "gru"):
        spec = {"name": cell.upper(), "cell": cell, "max_updates": BRANCH_UPDATES}
        answer = httpx.post(f"{url}api/runs", json=spec)
        answer.raise_for_status()
        _wait_for_end(url, answer.json()["id"])


def take_wall(browser: Browser, url: str) -> None:
    """Let runs with different networks train on a server without others, and take the wall."""
    runs = []
    for number in range(WALL_RUNS):
        cell = ("rnn", "gru", "lstm")[number % 3]
        spec = {"name": f"Group {number + 1}", "cell": cell, "hidden_size": 32 + 16 * (number % 5)}
        more = {"seed": number, "max_updates": 500 * (number % 7 + 2), "sample_every": 500}
        runs.append(_run(url, spec | more | {"paused": number in PAUSED}))
    for number, run in enumerate(runs):
        if number in PAUSED:
            step = {"updates": 400}
            httpx.post(f"{url}api/runs/{run}/step", json=step, timeout=TIMEOUT_S)
        else:
            _wait_for_end(url, run)
    _run(url, {"name": f"Group {WALL_RUNS + 1}", "pace": 300, "sample_every": 500})
    _take(browser, f"{url}wall?sort=loss", Picture("wall-light", WIDE, "light", _wall))


def _wall(page: Page) -> None:
    expect(page.locator(".wall-line[d^=M]")).to_have_count(WALL_RUNS + 1)
    # The last run trains for a while.
    expect(page.locator(".wall-card[data-state=training] .wall-update")).to_contain_text(",")
    page.mouse.move(5, 5)


def _wait_for_end(url: str, run: str) -> None:
    """Wait until a run has made all its updates."""
    deadline = time.monotonic() + TIMEOUT_S
    while httpx.get(f"{url}api/runs/{run}").json()["state"] != "finished":
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {TIMEOUT_S} s a run has not ended")
        time.sleep(0.5)


def _wait_for_words(url: str, run: str) -> None:
    """Wait until the network has come far enough."""
    deadline = time.monotonic() + TIMEOUT_S
    while httpx.get(f"{url}api/runs/{run}").json()["update"] < UPDATES:
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {TIMEOUT_S} s the run has not made {UPDATES:,} updates")
        time.sleep(0.5)


def _pictures() -> list[Picture]:
    return [
        Picture("watch-light", WIDE, "light", _watch),
        Picture("watch-dark", WIDE, "dark", _watch),
        Picture("axes-dark", WIDE, "dark", _choose_axes),
        Picture("metrics-light", WIDE, "light", _show_metrics),
        Picture("passage-light", WIDE, "light", _ask_for_passage),
        Picture("timeline-dark", WIDE, "dark", _point_at_the_past),
        Picture("reading-light", WIDE, "light", _read_the_book),
        Picture("words-light", WIDE, "light", _open_words),
        Picture("new-run-light", WIDE, "light", _open_form),
        Picture("temperatures-dark", WIDE, "dark", _compare_temperatures),
        Picture("passages-light", WIDE, "light", _save_passages),
        Picture("gradients-light", WIDE, "light", _check_gradients, "gradients"),
        Picture("gradients-dark", WIDE, "dark", _check_gradients, "gradients?mistake=clipping"),
        Picture("course-light", WIDE, "light", _check_own_gradients, "course"),
        Picture("mistakes-light", WIDE, "light", _train_mistake, "course/mistakes"),
        Picture("inside-light", WIDE, "light", _look_inside),
        Picture("inside-gradient-dark", WIDE, "dark", _look_at_gradients),
        Picture("update-light", WIDE, "light", _take_update_apart),
        Picture("lesson-light", WIDE, "light", _watch_lesson, f"?{_example_lesson()}"),
        Picture("phone-dark", PHONE, "dark", _watch),
    ]


def _units(run: str) -> list[Picture]:
    address = f"inside?run={run}&view=units"
    return [
        Picture("units-light", WIDE, "light", _find_units, address),
        Picture("heat-map-light", WIDE, "light", _select_quotation, address),
        Picture("experiments-dark", WIDE, "dark", _hold_unit, f"{address}&only=1&temperature=0.7"),
    ]


def _comparisons(parent: str, branch: str) -> list[Picture]:
    address = f"compare?runs={parent},{branch}"
    return [
        Picture("compare-light", WIDE, "light", _compare, f"{address}&range={UPDATES * 3 // 4}-"),
        Picture("compare-phone-dark", PHONE, "dark", _compare, f"{address}&scale=log"),
    ]


def _seeds(url: str) -> list[Picture]:
    """Train two groups of seeds, and return the pictures of them."""
    groups = []
    for name, rate in (("Rate 0.1", 0.1), ("Rate 0.03", 0.03)):
        spec = SEEDS_SPEC | {"name": name, "learning_rate": rate}
        answer = httpx.post(f"{url}api/groups", json={"spec": spec, "seeds": 5}, timeout=TIMEOUT_S)
        answer.raise_for_status()
        groups.append(answer.json()["group"])
    for group in groups:
        for run in group["runs"]:
            _wait_for_end(url, run)
    ids = ",".join(group["id"] for group in groups)
    return [
        Picture("seeds-light", WIDE, "light", _open_seeds, f"?run={groups[0]['runs'][0]}"),
        Picture("compare-seeds-light", WIDE, "light", _compare_seeds, f"compare?runs={ids}"),
    ]


def _inside(run: str) -> list[Picture]:
    address = f"inside?run={run}&update={BRANCH_UPDATES}"
    return [
        Picture("memory-light", WIDE, "light", _show("memory"), f"{address}&view=memory"),
        Picture("health-dark", WIDE, "dark", _show("health"), f"{address}&view=health"),
    ]


def _toy_texts(url: str) -> list[Picture]:
    """Train an LSTM and a vanilla network to repeat strings."""
    answer = httpx.post(f"{url}api/corpora/generated", json={"task": "repeat"}, timeout=TIMEOUT_S)
    answer.raise_for_status()
    corpus = answer.json()["id"]
    pictures = []
    for cell, updates in TOY_UPDATES.items():
        name = f"Repeat after 10, {cell}"
        run = _run(url, {"name": name, "corpus": corpus, "cell": cell, "max_updates": updates})
        _wait_for_end(url, run)
        picture = Picture(f"toy-{cell}-light", WIDE, "light", _open_metrics, f"?run={run}")
        pictures.append(picture)
    return pictures


def _show(view: str) -> Callable[[Page], None]:
    """Return what shows a view of the Inside page, with its head at the top of the window."""

    def show(page: Page) -> None:
        page.locator(f"#{view}-view[data-ready=true]").wait_for()
        page.locator(".inside-views").evaluate("card => card.scrollIntoView()")

    return show


def _take(browser: Browser, url: str, picture: Picture) -> None:
    page = _open(browser, url, picture.size, picture.scheme)
    picture.prepare(page)
    _save(page, picture.name)
    page.close()


def _open(browser: Browser, url: str, size: tuple[int, int], scheme: str) -> Page:
    """Open a page in a window of its own."""
    width, height = size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if size == PHONE else 1,
        reduced_motion="reduce",
    )
    page.add_init_script("localStorage.setItem('hurrah-introduced', 'yes')")
    page.set_default_timeout(TIMEOUT_S * 1000)
    expect.set_options(timeout=TIMEOUT_S * 1000)
    page.goto(url)
    return page


def _save(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png")


def _take_lecture(browser: Browser, query: str) -> None:
    """Start a lecture; take the dialog with its links, and the projector."""
    presenter = _open(browser, f"http://{HOST}/{query}", WIDE, "light")
    _watch(presenter)
    presenter.get_by_role("button", name="Lecture", exact=True).click()
    presenter.get_by_role("button", name="Start a lecture").click()
    code = presenter.locator("#lecture-qr")
    expect(code).to_be_visible()
    presenter.wait_for_function("document.querySelector('#lecture-qr').naturalWidth > 0")
    _save(presenter, "lecture-light")
    link = (code.get_attribute("alt") or "").removeprefix("QR code of ")
    presenter.keyboard.press("Escape")
    projector = _open(browser, link, PROJECTOR, "light")
    expect(projector.locator("#lecture-state")).to_have_text("Following the presenter")
    _watch(projector)
    projector.keyboard.press("b")
    expect(projector.locator("header.top")).to_be_hidden()
    projector.wait_for_function(
        "parseFloat(getComputedStyle(document.querySelector('#chart-plot .ytick text')).fontSize)"
        " >= 24"
    )
    _save(projector, "projector-light")
    for page in (projector, presenter):
        page.close()


def _example_lesson() -> str:
    """Return the lesson in docs/lessons.md, the part of an address from # on."""
    text = (ROOT / "docs" / "lessons.md").read_text(encoding="utf-8")
    found = re.search(r"^#lesson=\S+$", text, re.MULTILINE)
    if found is None:
        raise RuntimeError("docs/lessons.md has no example of a lesson")
    return found[0]


def _watch_lesson(page: Page) -> None:
    _watch(page)
    expect(page.get_by_role("button", name="Leave the lesson")).to_be_visible()


def _watch(page: Page) -> None:
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    expect(page.locator("#sample-text .prose")).to_be_visible()


def _open_metrics(page: Page) -> None:
    _watch(page)
    page.locator("#metrics-open").click()
    expect(page.locator("#metric-right_answers .metric-value")).not_to_be_empty()
    page.mouse.move(5, 5)


def _choose_axes(page: Page) -> None:
    _watch(page)
    page.locator("#axes-open").click()
    for name, value in (("xAxis", "seconds"), ("unit", "bits"), ("smoothing", "0.99")):
        page.locator(f'#axes-panel label:has(input[name="{name}"][value="{value}"])').click()
    expect(page.locator("#chart-readout")).to_contain_text("smoothing 0.99")


def _show_metrics(page: Page) -> None:
    _watch(page)
    page.locator("#metrics-open").click()
    expect(page.locator("#metric-learning_rate .metric-value")).to_have_text("0.1")
    page.locator("#metric-gradient_norm").hover()


def _ask_for_passage(page: Page) -> None:
    _watch(page)
    page.locator("#write").click()
    expect(page.locator("#passage-quality b")).not_to_have_count(0)


def _compare_temperatures(page: Page) -> None:
    _ask_for_passage(page)
    page.locator("input[name=several][value=several]").check()
    page.locator("#passage-write").click()
    expect(page.locator(".passage-column .quality")).to_have_count(4)


def _save_passages(page: Page) -> None:
    _ask_for_passage(page)
    page.locator("#passage-save").click()
    expect(page.locator("#passage-save")).to_have_text("Saved")
    page.goto(page.url.split("?")[0] + "passages")
    expect(page.locator("#gallery-passages .passage-card").first).to_be_visible()


def _point_at_the_past(page: Page) -> None:
    _watch(page)
    box = page.locator("#chart").bounding_box()
    if box is None:
        raise RuntimeError("the chart is not on the page")
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.4)
    expect(page.locator("#writing-title")).to_contain_text("Sample at update")


def _open_words(page: Page) -> None:
    _watch(page)
    page.locator("#words-open").click()
    expect(page.locator("#words-dialog")).to_be_visible()


def _compare(page: Page) -> None:
    expect(page.locator("#compare-body tr")).to_have_count(2)
    page.locator("#compare-chart[data-drawn]").wait_for(state="attached")
    expect(page.locator("#compare-body td[data-label='reached at']").first).to_contain_text(",")


def _open_seeds(page: Page) -> None:
    _watch(page)
    expect(page.locator("#legend-seeds")).to_be_visible()
    page.locator("#seeds-open").click()
    expect(page.locator("#seeds-members li")).to_have_count(5)


def _compare_seeds(page: Page) -> None:
    _compare(page)
    expect(page.locator("#compare-verdict-list li")).to_have_count(2)


def _read_the_book(page: Page) -> None:
    _watch(page)
    page.locator("label", has_text="by page").click()
    page.locator("#position-chart[data-drawn-epochs]").wait_for()
    box = page.locator("#position-chart").bounding_box()
    if box is None:
        raise RuntimeError("the pages are not on the page")
    x, y = box["x"] + box["width"] * 0.64, box["y"] + box["height"] * 0.4
    page.mouse.click(x, y)
    expect(page.locator(".sequence .surprising")).to_have_count(3)
    page.mouse.move(x + 1, y)
    expect(page.locator("#position-excerpt")).not_to_be_empty()


def _find_units(page: Page) -> None:
    expect(page.locator("#units-plot .units-line")).to_be_visible()
    page.locator(".inside-views").evaluate("card => card.scrollIntoView()")


def _select_quotation(page: Page) -> None:
    """Select the unit that follows quotation marks, and a quotation; show the heat map."""
    marks = page.locator("#units-rows tr", has_text="inside quotation marks").first
    marks.locator("button").click()
    first = page.locator("#inside-text").input_value().index(QUOTATION)
    characters = page.locator("#unit-text span")
    characters.nth(first).click()
    characters.nth(first + len(QUOTATION) - 1).click(modifiers=["Shift"])
    expect(page.locator("#spans-about")).to_contain_text(QUOTATION)
    page.locator("#unit-text").blur()
    page.mouse.move(5, 5)
    page.locator("#unit-map-title").evaluate("title => title.scrollIntoView()")


def _hold_unit(page: Page) -> None:
    """Hold the unit at the value that it has inside quotation marks, and show the experiments."""
    _select_quotation(page)
    value = page.locator("#hold-value")
    value.focus()
    value.press("Home")
    expect(page.locator("#hold-with-title")).to_contain_text("−1.00")
    value.blur()
    page.locator("#unit-text-title").evaluate("title => title.scrollIntoView()")


def _take_update_apart(page: Page) -> None:
    """Go through the next update, forward and half the way back."""
    page.locator("#step-inside").click()
    expect(page.locator("#update")).to_be_visible()
    page.locator("#update-position").fill("40")
    expect(page.locator("#update-phase")).to_contain_text("backward")
    page.locator(".inside-views").evaluate("card => card.scrollIntoView()")


def _check_gradients(page: Page) -> None:
    expect(page.locator("#check-result")).to_have_attribute("aria-busy", "false")
    page.locator("#check-plot[data-drawn-step]").wait_for(state="attached")


def _check_own_gradients(page: Page) -> None:
    """Answer the problem with gradients in which W takes the place of its transpose."""
    expect(page.locator("#problem-arrays tr")).to_have_count(5)
    problem = make_problem(ProblemQuery())
    reference = load_mistake(problem.query.cell, ["recurrent_not_transposed"])
    _, gradients, _ = reference.network.loss_and_gradients(
        reference.cell, problem.parameters, *problem.one_hot, problem.state
    )
    file = io.BytesIO()
    np.savez(file, **gradients)
    page.locator("#answer-file").set_input_files(
        {"name": "my_gradients.npz", "mimeType": "application/zip", "buffer": file.getvalue()}
    )
    expect(page.locator("#answer-maps canvas")).to_have_count(5)


def _train_mistake(page: Page) -> None:
    page.locator("#training-start").click()
    page.locator("#training[data-done]").wait_for()
    page.locator("#mistakes").evaluate("(page) => page.scrollIntoView()")


def _look_inside(page: Page) -> None:
    """Select the space after a word of the passage with dialogue."""
    page.goto(f"{page.url.replace('?', 'inside?')}&update={INSIDE_UPDATE}")
    text = page.locator("#inside-text")
    expect(text).to_be_enabled()
    space = text.input_value().rindex("and ") + 3
    page.locator("#text-strip span").nth(space).click()
    expect(page.locator("#text-curve-about")).to_contain_text("at update 0")
    page.mouse.move(5, 5)


def _look_at_gradients(page: Page) -> None:
    _look_inside(page)
    page.locator("input[name=text-tint][value=gradient]").check()
    expect(page.locator("#text-strip .tint-7").first).to_be_attached()


def _open_form(page: Page) -> None:
    _watch(page)
    page.locator("#new-run").click()
    expect(page.locator("#parameter-count")).to_contain_text("parameters")


if __name__ == "__main__":
    sys.exit(main())
