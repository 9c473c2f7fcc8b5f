"""Fixtures: a real Chromium, and a real server with real workers."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.browser.server_process import Server

TIMEOUT_S = 60.0
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
CHROMIUM = os.environ.get("HURRAH_BROWSER") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--process-per-site",
    # Most scripts run too shortly for optimizing compilers, which take more time than they save.
    "--js-flags=--no-opt --no-maglev",
]

# The options of a browser context that can also be set for a single page.
OF_A_PAGE = {"viewport", "color_scheme", "reduced_motion", "forced_colors"}

Module = Callable[..., Any]

expect.set_options(timeout=TIMEOUT_S * 1000)


def eventually(read: Callable[[], Any], accepts: Callable[[Any], bool], what: str) -> Any:
    """Call `read` until `accepts` accepts its value, and return the value."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        value = read()
        if accepts(value):
            return value
        assert time.monotonic() < deadline, f"timed out waiting for {what}; last: {value!r}"
        time.sleep(0.03)


def stop_clock(page: Page) -> None:
    """Stop the page's clock, which is installed: its time passes only when a test advances it."""
    # It can only be stopped later than now, whenever the request arrives.
    page.clock.pause_at(page.evaluate("Date.now()") / 1_000 + 20)


def figure(page: Page, name: str) -> float:
    """The number in one of the five figures; NaN if there is none."""
    text = page.locator(f"#figure-{name}").inner_text()
    return float(text.replace(",", "")) if re.fullmatch(r"[\d,.]+", text) else float("nan")


def run_in_address(page: Page) -> str:
    """The id of the run in the URL of the page."""
    return parse_qs(urlsplit(page.url).query)["run"][0]


def plot_box(page: Page) -> dict[str, float]:
    """The plot's box on the screen: the chart without its margins."""
    box = page.locator("#chart").bounding_box()
    assert box is not None
    # These modules are not those of the page's bundle: an earlier test, in a layout with another
    # text size, may have imported them.
    left, right, top, bottom = page.evaluate(
        """async () => {
          const { measureText } = await import("/static/js/lib/dom.js");
          const { MARGIN } = await import("/static/js/curve/scales.js");
          measureText();
          return [MARGIN.l, MARGIN.r, MARGIN.t, MARGIN.b];
        }"""
    )
    return {
        "x": box["x"] + left,
        "y": box["y"] + top,
        "width": box["width"] - left - right,
        "height": box["height"] - top - bottom,
    }


def expect_parts_below_each_other(page: Page) -> None:
    """Check that the page fits the screen and the parts of its text column do not overlap."""
    excess = "document.documentElement.scrollHeight - innerHeight"
    eventually(lambda: page.evaluate(excess), lambda pixels: pixels <= 0, "no scrolling")
    parts = ("#sample-text", "#quality", ".words-head", "#watch-words", ".timeline", "#controls")
    # Read at once, because a text that arrives moves the parts below it.
    boxes = """(parts) => parts.map((part) => {
      const { top, bottom, height } = document.querySelector(part).getBoundingClientRect();
      return [part, height && top, height && bottom];
    })"""
    eventually(
        lambda: page.evaluate(boxes, parts),
        lambda found: all(
            bottom > 0 and bottom <= top + 1 for (_, _, bottom), (_, top, _) in pairwise(found)
        ),
        f"parts below each other at {page.viewport_size}",
    )


def press_in_toast(page: Page, label: str) -> None:
    """Let the page press a button of a toast as soon as there is one.

    A toast is closed after some seconds. The button may lead to another page.
    """
    page.evaluate(
        """(label) => {
          const press = () => {
            const all = [...document.querySelectorAll(".toast button")];
            const button = all.find((each) => each.textContent.trim() === label);
            if (button) button.click();
            else requestAnimationFrame(press);
          };
          press();
        }""",
        label,
    )


def expect_list_of_shortcuts(page: Page) -> None:
    """Check that a key and a button open the list of shortcuts; close it again."""
    keys = page.locator("#keys")
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.locator("#help").click()
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()


# Chromium's warnings on a slow machine: a page is closed, or a run deleted, while the page still
# connects, or a preloaded script is used late.
HARMLESS = (
    # The answer when the page asks why a WebSocket did not open in time: a test may skip that time.
    "status of 426",
    "closed before the connection is established",
    "preloaded using link preload but not used within a few seconds",
)


class Window:
    """A browser window that records the errors and warnings of the page.

    With `parked` (a page that stays open) its context is shared with earlier windows. Without
    `first_visit`, the first steps were shown before.
    """

    def __init__(
        self, context: BrowserContext, parked: Page | None = None, *, first_visit: bool = False
    ) -> None:
        self._context = context
        self._parked = parked
        self._earlier = list(context.pages)
        self.page = context.new_page()
        if not first_visit:
            self.page.add_init_script("localStorage.setItem('hurrah-introduced', 'yes')")
        self.page.set_default_timeout(TIMEOUT_S * 1000)
        self._errors: list[str] = []
        self._expected = list(HARMLESS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._errors.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._errors.append(message.text)

    def expect_errors(self, *patterns: str) -> None:
        """Allow errors that the test itself causes."""
        self._expected.extend(patterns)

    def open(self, server: Server, run: str | None = None, query: str = "") -> Page:
        """Open the page and wait until the curve is drawn."""
        self.page.goto(server.url + (f"?run={run}{query}" if run else ""))
        self.page.locator("#chart[data-drawn-update]").wait_for(state="attached")
        return self.page

    def close(self) -> None:
        """Close it and clear its storage, cookies and permissions."""
        if self._parked is None:
            self._context.close()
        else:
            self._clear(self._parked, self._earlier)
        self._check_errors()

    def _clear(self, parked: Page, stay: list[Page]) -> None:
        for page in self._context.pages:
            if page not in stay:
                page.close()
        self._context.clear_cookies()
        self._context.clear_permissions()
        parked.evaluate("localStorage.clear()")

    def _check_errors(self) -> None:
        unexpected = [
            text
            for text in self._errors
            if not any(re.search(pattern, text) for pattern in self._expected)
        ]
        assert not unexpected, f"the page reported: {unexpected}"


class LastingWindow(Window):
    """A window that stays open, in which tests show one run after another.

    Another run is shown as by the browser's Back button, which costs a fraction of a page load. A
    test leaves the theme and the form for a passage as they were.
    """

    _CLOSE_ALL = """() => {
      for (const each of document.querySelectorAll("dialog[open]")) each.close();
      for (const each of document.querySelectorAll("dialog details[open]")) each.open = false;
      const opened = document.querySelectorAll(".anchor > [aria-expanded='true']");
      for (const each of opened) each.click();
      for (const each of document.querySelectorAll(":popover-open")) each.hidePopover();
      document.activeElement?.blur();
      // The page may show the tour later: it has not had a curve with updates yet.
      if (location.origin !== "null") localStorage.setItem("hurrah-introduced", "yes");
    }"""

    _SHOWN_RUN = """() => {
      const watches = document.querySelector("#chart");
      const link = watches && document.querySelector("nav a[href^='/inside']");
      return link && new URLSearchParams(link.search).get("run");
    }"""

    # The first event shows the run, the second one resets what stays when the run changes.
    _SHOW = """([run, query]) => {
      const { search } = document.querySelector("nav a[href^='/inside']");
      if (new URLSearchParams(search).get("run") !== run) {
        delete document.querySelector("#chart").dataset.drawnUpdate;
      }
      history.pushState(null, "", `/?run=${run}${query}`);
      for (let i = 0; i < 2; i += 1) dispatchEvent(new PopStateEvent("popstate"));
      for (const each of document.querySelectorAll("#toasts [aria-label=Dismiss]")) each.click();
      scrollTo(0, 0);
    }"""

    def __init__(self, parked: Page) -> None:
        super().__init__(parked.context, parked)
        self._gone: set[str] = set()

    def _hear(self, message: ConsoleMessage) -> None:
        # A deleted run is gone for the page, too.
        if not any(f"/{run}" in message.location["url"] for run in self._gone):
            super()._hear(message)

    def open(self, server: Server, run: str | None = None, query: str = "") -> Page:
        """Show the run and wait until the curve is drawn."""
        if run is None or self.page.url.split("?")[0] != server.url:
            return super().open(server, run, query)
        self.page.evaluate(self._SHOW, [run, query])
        self.page.locator("#chart[data-drawn-update]").wait_for(state="attached")
        return self.page

    def shown_run(self) -> str | None:
        """The run that the page shows; None on other pages."""
        found: str | None = self.page.evaluate(self._SHOWN_RUN)
        return found

    def begin(self, kept_runs: set[str]) -> None:
        """Prepare it for a test."""
        self._gone -= kept_runs
        self._expected = list(HARMLESS)
        self.page.set_viewport_size(DESKTOP)
        self.page.emulate_media(
            media="screen",
            color_scheme="light",
            reduced_motion="no-preference",
            forced_colors="none",
        )
        self.page.mouse.move(0, 0)
        self.page.evaluate(self._CLOSE_ALL)
        self._errors.clear()

    def end(self, parked: Page, runs: set[str]) -> None:
        """Leave a test, whose runs will be deleted before the next one, or after the module."""
        self.page.unroute_all()
        self._clear(parked, [*self._earlier, self.page])
        self._gone = runs
        try:
            self._check_errors()
        finally:
            self._errors.clear()


# Playwright keeps an event loop running in this thread as long as it is open, so that no test
# elsewhere could run its own: it is closed after the tests of this directory.
@pytest.fixture(scope="package")
def shared_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """The context that most windows share.

    It is the browser's own and has a directory: in any other context Chromium does not cache
    compiled scripts, and each load of a page compiles Plotly again.
    """
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium found; set HURRAH_BROWSER to its path")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            args=FLAGS,
            viewport=DESKTOP,
        )
        yield context
        context.close()


@pytest.fixture(scope="package")
def browser(shared_context: BrowserContext) -> Browser:
    assert shared_context.browser is not None
    return shared_context.browser


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without runs, shared by the tests.

    After a test its runs are deleted, after a module those of `keep_run`.
    """
    shared = Server(tmp_path_factory.mktemp("shared") / "data")
    shared.start()
    yield shared
    shared.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server for one test, not started yet."""
    own = Server(tmp_path / "data")
    yield own
    own.close()


@pytest.fixture(autouse=True)
def _no_runs_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        shared: Server = request.getfixturevalue("server")
        for run in shared.call("GET", "runs"):
            if run["id"] not in shared.kept_runs:
                shared.call("DELETE", f"runs/{run['id']}")


@pytest.fixture(scope="module")
def keep_run(server: Server) -> Iterator[Callable[..., str]]:
    """Create a run that the tests of a module share, and wait until it is paused or finished.

    With `updates`, the run is paused after that many.
    """

    def create(*, updates: int | None = None, **spec: Any) -> str:
        run = server.create_run(**spec, paused=updates is not None)
        server.kept_runs.add(run)
        if updates:
            server.call("POST", f"runs/{run}/step", {"updates": updates})
        state = lambda: server.call("GET", f"runs/{run}")["state"]  # noqa: E731
        eventually(state, {"finished", "paused"}.__contains__, "the run to be paused or finished")
        return run

    yield create
    for run in server.kept_runs:
        server.call("DELETE", f"runs/{run}")
    server.kept_runs.clear()


@pytest.fixture
def open_window(
    request: pytest.FixtureRequest, browser: Browser, parked: Page
) -> Iterator[Callable[..., Window]]:
    """Open windows of new visitors; the options are those of a browser context.

    The first window of a test has the shared context if its page can have the options: a new
    context costs half a page load more. With `new_context` it has a new one. With `clock`, the test
    can advance the page's clock.
    """
    windows: list[Window] = []

    def open_one(
        *,
        first_visit: bool = False,
        clock: bool = False,
        new_context: bool = False,
        **options: Any,
    ) -> Window:
        first = not windows and not new_context and "window" not in request.fixturenames
        if first and not clock and OF_A_PAGE.issuperset(options):
            opened = Window(parked.context, parked, first_visit=first_visit)
            opened.page.set_viewport_size(options.pop("viewport", DESKTOP))
            opened.page.emulate_media(**options)
        else:
            context = browser.new_context(**{"viewport": DESKTOP} | options)
            opened = Window(context, first_visit=first_visit)
            if clock:
                opened.page.clock.install()  # for all pages of the context
        windows.append(opened)
        return opened

    yield open_one
    for window in windows:
        window.close()


@pytest.fixture(scope="package")
def parked(shared_context: BrowserContext, server: Server) -> Page:
    """A page that stays open, so that the browser keeps the scripts in its cache."""
    [page] = shared_context.pages
    page.goto(f"{server.url}healthz")
    return page


@pytest.fixture
def window(parked: Page) -> Iterator[Window]:
    """A window of a returning visitor without stored data."""
    opened = Window(parked.context, parked)
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def lasting() -> list[LastingWindow]:
    """The lasting window, if there is one."""
    return []


@pytest.fixture
def lasting_window(
    request: pytest.FixtureRequest, parked: Page, server: Server, lasting: list[LastingWindow]
) -> Iterator[LastingWindow]:
    """A window in which tests show one run of the shared server after another."""
    if not lasting or lasting[0].page.is_closed():
        lasting[:] = [LastingWindow(parked)]
    [window] = lasting
    window.begin(server.kept_runs)
    failures = request.session.testsfailed
    yield window
    runs = {run["id"] for run in server.call("GET", "runs")}
    deleted = runs - server.kept_runs
    try:
        window.end(parked, runs)
    finally:
        if request.session.testsfailed > failures:
            window.page.close()
    for run in deleted:
        server.call("DELETE", f"runs/{run}")
    # Otherwise the page may begin to show the first run of the next test while it trains.
    if not window.page.is_closed():
        eventually(window.shown_run, lambda run: run not in deleted, "the page to leave the run")


@pytest.fixture(scope="package")
def module(browser: Browser, server: Server) -> Iterator[Module]:
    """Evaluate an expression with the exports of a module in scope as `m`."""
    page = browser.new_page()
    # Only the document is needed: the page itself does not start.
    page.route("**/static/bundles/*.js", lambda route: route.abort())
    page.goto(server.url)

    def evaluate(path: str, expression: str, argument: Any = None) -> Any:
        return page.evaluate(
            f"async (x) => {{ const m = await import('/static/js/{path}'); return {expression}; }}",
            argument,
        )

    yield evaluate
    page.close()
