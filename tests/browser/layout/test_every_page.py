"""Nothing on a page is cut or covered, and a lesson can hide its controls; see test_axe.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import DESKTOP, Window, eventually, plot_box
from tests.browser.layout.test_fonts import remove_fonts
from tests.browser.server_process import Server

PHONE: ViewportSize = {"width": 390, "height": 844}
TABLET: ViewportSize = {"width": 1024, "height": 768}
LAPTOP: ViewportSize = {"width": 1280, "height": 720}
# A browser that shows a page of 1440 x 900 at 200% lays it out in this size.
ZOOMED: ViewportSize = {"width": 720, "height": 450}


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A finished run of 300 updates."""
    return keep_run(max_updates=300, sample_every=100, name="The Lamps")


def test_the_page_of_a_run_is_whole_and_its_controls_can_be_hidden(
    server: Server, window: Window, run: str
) -> None:
    # Charts take the text size, and the ticks that fit, when they are made.
    window.page.set_viewport_size(PHONE)
    set_text_size(window.page, 32)
    page = window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    page.locator("#chart-plot svg").first.wait_for()
    expect_whole_page(page, expect_whole_chart)
    expect_controls_to_disappear(page, NEVER)


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("sweeps", "#sweeps-empty-title"),
        ("passages", "#gallery:not([data-state=loading])"),
        ("course", "#problem-arrays tr"),
    ],
)
def test_a_page_is_whole_and_its_controls_can_be_hidden(
    server: Server, window: Window, address: str, part: str
) -> None:
    window.page.goto(f"{server.url}{address}")
    window.page.locator(part).first.wait_for()
    expect_whole_page(window.page)
    expect_controls_to_disappear(window.page)


def expect_whole_page(page: Page, check: Callable[[Page], None] = lambda _: None) -> None:
    """Check that nothing is cut or covered in any size, without the fonts and with large text.

    The fonts are missing afterwards.
    """
    page.evaluate("document.fonts.ready")
    # The text size in the browser's settings is doubled; the screen is not.
    set_text_size(page, 32)
    for size in (PHONE, TABLET, LAPTOP):
        page.set_viewport_size(size)
        expect_whole_text(page, f"large text at a width of {size['width']}")
        check(page)
    if page.locator("#new-run").is_visible():
        expect_whole_reading_and_form(page)
    set_text_size(page, 16)
    expect_all_in_view(page, "with the shipped fonts")
    remove_fonts(page)
    expect_all_in_view(page, "without the shipped fonts")
    page.set_viewport_size(DESKTOP)


# The controls and headings that are not in view as a whole.
CUT = """() => [...document.querySelectorAll("button, nav a, label, h2")]
  .filter((each) => each.checkVisibility() && !each.closest(".visually-hidden, table, .legend"))
  .filter((each) => {
    const { left, right, width } = each.getBoundingClientRect();
    return width > 1 && (left < -1 || right > innerWidth + 1);
  })
  .map((each) => each.outerHTML)"""


def expect_all_in_view(page: Page, what: str) -> None:
    overflow = "document.documentElement.scrollWidth - innerWidth"
    for size in (PHONE, ZOOMED):
        page.set_viewport_size(size)
        page.evaluate("document.fonts.ready")
        at = f"{what} at a width of {size['width']}"
        eventually(lambda: page.evaluate(overflow), lambda pixels: pixels <= 0, f"no overflow {at}")
        eventually(lambda: page.evaluate(CUT), [].__eq__, f"all to be in view {at}")


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


def set_text_size(page: Page, pixels: int) -> None:
    """Change the text size in the browser's settings."""
    sizes = {"standard": pixels, "fixed": pixels * 13 // 16}
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": sizes})


def expect_whole_reading_and_form(page: Page) -> None:
    # The last samples may come after the end of the run.
    expect(page.locator("#writing-title")).to_contain_text("at update 300")
    page.locator("#timeline").fill("7")
    page.locator("#tab-reading").click()
    expect(page.locator(".sequence .surprising")).to_have_count(3)
    for size in (PHONE, LAPTOP):
        page.set_viewport_size(size)
        expect_whole_text(page, f"reading, with large text at a width of {size['width']}")
    page.locator("#tab-writing").click()

    # The buttons of a form are below its fields, and do not cover them.
    page.set_viewport_size(PHONE)
    page.locator("#new-run").click()
    expect(page.locator("#new-run-dialog")).to_be_visible()
    start = page.locator("#new-run-start")
    expect(start).not_to_be_in_viewport()
    start.scroll_into_view_if_needed()
    expect(start).to_be_in_viewport()
    page.keyboard.press("Escape")


def expect_whole_text(page: Page, what: str) -> None:
    text = "parseFloat(getComputedStyle(document.querySelector('.button')).fontSize)"
    eventually(lambda: page.evaluate(text), lambda pixels: pixels >= 23, "larger text")
    overflow = "document.documentElement.scrollWidth - innerWidth"
    eventually(lambda: page.evaluate(overflow), lambda pixels: pixels <= 0, f"{what} to fit")
    # Charts are drawn again in the new size.
    eventually(lambda: page.evaluate(FAULTS), [].__eq__, f"no faults of {what}")


def expect_whole_chart(page: Page) -> None:
    eventually(lambda: page.evaluate(CHART_LABELS), [].__eq__, "no label over another or outside")
    plot = plot_box(page)
    assert plot["width"] >= 160
    assert plot["height"] >= 199
    label = page.locator("#chart-plot .xtick text").first
    expect(label).to_have_css("font-size", "23px")


# Hides all groups of controls of a lesson on this page, and returns what of them is still shown.
HIDE_GROUPS = """async () => {
  const { groupsHere, hideGroups } = await import("/static/js/lesson/control-groups.js");
  const groups = groupsHere();
  hideGroups(groups.map(({ name }) => name));
  return groups.map(({ name, controls }) => {
    const all = [...document.querySelectorAll(controls)];
    return {
      name, controls, shown: all.filter((each) => each.getClientRects().length > 0).length,
      missing: controls.split(/, (?![^(]*\\))/).filter((each) => !document.querySelector(each)),
    };
  });
}"""
# Only shown in some states of the page, or to runs that these tests do not have.
RARE = {"#notice .button-small:not(.button-square)", "#pin-card .button-small:has(> kbd)"}
NEVER: set[str] = set()
NOT_ON_EVERY_PAGE = {".key-more", ".controls .step-inside", ".sweep-actions"}


def expect_controls_to_disappear(page: Page, elsewhere: set[str] = NOT_ON_EVERY_PAGE) -> None:
    found = page.evaluate(HIDE_GROUPS)
    assert "pages" in {each["name"] for each in found}
    for each in found:
        assert not set(each["missing"]) - RARE - elsewhere, each
        assert each["shown"] == 0, each
