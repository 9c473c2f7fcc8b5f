"""The shipped fonts, and the layout with them, without them, with others, and at 200%."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    Window,
    eventually,
    expect_parts_below_each_other,
    plot_box,
)
from tests.browser.server_process import Server

LATIN_PAGE_BYTES = 250_000
PAGES = ("", "compare", "gradients", "passages", "course", "course/mistakes")
OTHERS = ("DejaVu", "Noto")
FONTS = ("shipped", "blocked", *OTHERS)


def with_fonts(window: Window, fonts: str) -> Page:
    """Return the page with the shipped fonts, without them, or with an installed family instead."""
    page = window.page
    if fonts == "shipped":
        return page
    window.expect_errors("woff2", "Failed to load resource")
    page.route("**/*.woff2", lambda route: route.abort())
    if fonts in OTHERS:
        installed = shutil.which("fc-list") and subprocess.run(
            ["fc-list", f"{fonts} Sans"], capture_output=True, text=True, check=True
        )
        if not installed or not installed.stdout:
            pytest.skip(f"{fonts} Sans is not installed")
        page.add_init_script(
            "document.addEventListener('DOMContentLoaded', () => {"
            f" for (const name of ['Sans', 'Serif']) document.documentElement.style.setProperty("
            f"`--${{name.toLowerCase()}}`, `'{fonts} ${{name}}'`); }});"
        )
    return page


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A finished run of 300 updates."""
    return keep_run(max_updates=300, sample_every=100, name="The Lamps")


def test_a_latin_page_loads_few_bytes_of_fonts_and_figures_have_one_width(
    server: Server, window: Window, run: str
) -> None:
    sizes: dict[str, int] = {}
    page = window.page

    def note(response: Any) -> None:
        if response.url.endswith(".woff2"):
            sizes[response.url] = len(response.body())

    page.on("response", note)
    window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    page.evaluate("document.fonts.ready")
    families = page.evaluate("[...document.fonts].filter((f) => f.status === 'loaded').length")
    assert families >= 2
    eventually(lambda: len(sizes), lambda count: count >= families, "the sizes of the fonts")
    assert sum(sizes.values()) < LATIN_PAGE_BYTES
    assert all(url.startswith(f"{server.url}static/") for url in sizes)
    widths = page.evaluate(
        """["1111111", "8888888", "4074707"].map((text) => {
          const figure = document.querySelector("#figure-update");
          const span = document.createElement("span");
          span.textContent = text;
          figure.replaceChildren(span);
          return span.getBoundingClientRect().width;
        })"""
    )
    assert len({round(width, 2) for width in widths}) == 1


@pytest.mark.parametrize("fonts", FONTS)
def test_nothing_overlaps_with_any_font(
    server: Server, open_window: Callable[..., Window], run: str, fonts: str
) -> None:
    window = open_window()
    page = with_fonts(window, fonts)
    window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    page.evaluate("document.fonts.ready")
    for width, height in ((1440, 900), (1280, 720), (1024, 768)):
        page.set_viewport_size({"width": width, "height": height})
        expect_parts_below_each_other(page)


# The controls and headings that are not in view as a whole.
CUT = """() => [...document.querySelectorAll("button, nav a, label, h2")]
  .filter((each) => each.checkVisibility() && !each.closest(".visually-hidden, table"))
  .filter((each) => {
    const { left, right, width } = each.getBoundingClientRect();
    return width > 1 && (left < -1 || right > innerWidth + 1);
  })
  .map((each) => each.outerHTML)"""


@pytest.mark.parametrize("fonts", ["shipped", "blocked"])
@pytest.mark.parametrize(("width", "height", "scale"), [(390, 844, 1), (720, 450, 2)])
def test_nothing_overflows_on_a_phone_or_at_200_percent(
    server: Server,
    open_window: Callable[..., Window],
    fonts: str,
    width: int,
    height: int,
    scale: int,
) -> None:
    """A browser that shows a page of 1440 x 900 at 200% lays it out in 720 x 450 pixels."""
    server.create_run(max_updates=50)
    window = open_window(viewport={"width": width, "height": height}, device_scale_factor=scale)
    page = with_fonts(window, fonts)
    window.expect_errors("was preloaded")
    overflow = "document.documentElement.scrollWidth - innerWidth"
    for path in PAGES:
        page.goto(f"{server.url}{path}")
        page.evaluate("document.fonts.ready")
        eventually(lambda: page.evaluate(overflow), lambda pixels: pixels <= 0, f"{path} to fit")
        eventually(
            lambda: page.evaluate(CUT), lambda cut: cut == [], f"all of {path} to be in view"
        )


# Texts that are cut, off the screen, or over each other; what is scrolled or hidden on purpose is
# left out.
FAULTS = """() => {
  const faults = new Set();
  const named = (element) => `${element.id || element.className || element.tagName}: ` +
    element.textContent.trim().slice(0, 30);
  const skipped = "script, style, noscript, svg, .visually-hidden, .chart-plot, .compare-plot," +
    " .skip, .earlier, .sample-text, .compare-table, .controls .hint, .connection-word," +
    " .export-word, .compare-show-word, .prose, .corpus-excerpt, .run-about";
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const shown = { visibilityProperty: true, opacityProperty: true };
    if (!node.data.trim() || element.closest(skipped) || !element.checkVisibility(shown)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width < 2) continue;
      const clips = [];
      let scrolls = false;
      for (let host = element; host !== document.body && host; host = host.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(host);
        scrolls ||= [overflowX, overflowY].some((each) => ["auto", "scroll"].includes(each));
        const edge = host.getBoundingClientRect();
        if (!scrolls && ["hidden", "clip"].includes(overflowX) &&
            (box.right > edge.right + 2 || box.bottom > edge.bottom + 4)) clips.push(host);
      }
      if (clips.length) faults.add(`cut by ${named(clips[0])}: ${named(element)}`);
      if (scrolls || clips.length) continue;
      if (box.right > innerWidth + 1 || box.left < -1) faults.add(`off screen: ${named(element)}`);
      texts.push({ element, box, bar: element.closest(".controls") });
    }
  }
  texts.forEach((one, i) => texts.slice(i + 1).forEach((other) => {
    if (one.element === other.element || one.bar !== other.bar) return;
    const [a, b] = [one.box, other.box];
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 2 && down > 0.35 * Math.min(a.height, b.height))
      faults.add(`over each other: ${named(one.element)} and ${named(other.element)}`);
  }));
  return [...faults];
}"""


# Labels of the chart over each other or outside it, and the size of the plot between them.
CHART_LABELS = """() => {
  const chart = document.querySelector("#chart").getBoundingClientRect();
  const texts = [...document.querySelectorAll("#chart-plot svg text")]
    .filter((text) => text.textContent.trim() && text.checkVisibility())
    .map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
  const faults = texts.flatMap(({ text, box }) =>
    box.left < chart.left - 1 || box.right > chart.right + 1 || box.bottom > chart.bottom + 1
      ? [`outside: ${text}`] : []);
  texts.forEach(({ text, box: a }, i) => texts.slice(i + 1).forEach(({ text: other, box: b }) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > -2 && down > 4) faults.push(`over each other: ${text} and ${other}`);
  }));
  return faults;
}"""


def double_text_size(page: Page) -> None:
    """Double the text size in the browser's settings."""
    sizes = {"standard": 32, "fixed": 26}
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": sizes})


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_text_at_200_percent_is_whole(
    server: Server, open_window: Callable[..., Window], run: str, width: int, height: int
) -> None:
    """The text size in the browser's settings is doubled; the screen is not."""
    page = open_window(viewport={"width": width, "height": height}).page
    overflow = "document.documentElement.scrollWidth - innerWidth"
    double_text_size(page)
    for path in (f"?run={run}", f"?run={run}&at=200&tab=reading", *PAGES[1:]):
        page.goto(f"{server.url}{path}")
        page.evaluate("document.fonts.ready")
        if path.startswith("?"):
            expect(page.locator("#notice")).to_contain_text("Finished")
            page.locator("#chart-plot svg").first.wait_for()
        text = "parseFloat(getComputedStyle(document.querySelector('.button')).fontSize)"
        assert page.evaluate(text) >= 23, "the text is not larger"
        eventually(lambda: page.evaluate(overflow), lambda pixels: pixels <= 0, f"{path} to fit")
        assert page.evaluate(FAULTS) == [], path
        if path == f"?run={run}":
            assert page.evaluate(CHART_LABELS) == []
            plot = plot_box(page)
            assert plot["width"] >= 160
            assert plot["height"] >= 199
            label = page.locator("#chart-plot .xtick text").first
            expect(label).to_have_css("font-size", "23px")

    # The buttons of a form are below its fields, and do not cover them.
    if width == 390:
        page.goto(f"{server.url}?run={run}")
        page.locator("#new-run").click()
        expect(page.locator("#new-run-dialog")).to_be_visible()
        start = page.locator("#new-run-start")
        expect(start).not_to_be_in_viewport()
        start.scroll_into_view_if_needed()
        expect(start).to_be_in_viewport()
