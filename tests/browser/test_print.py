"""Printing: each page is whole on A4 and on Letter, in the light theme."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import DESKTOP, Window, eventually
from tests.browser.server_process import Server

MARGIN_MM = 14
PAPER_MM = {"A4": 210, "Letter": 216}
PX_PER_MM = 96 / 25.4

# What is cut off by an element around it or by the paper, and what lies beyond the page.
CUT = """(width) => {
  const cut = [];
  for (const element of document.querySelectorAll("main *")) {
    if (!element.checkVisibility() || element.closest(".visually-hidden, svg")) continue;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const name = element.id || element.className || element.tagName;
    if (box.width && box.right > width + 1) cut.push(`${name} ends at ${Math.round(box.right)}`);
    if (style.overflowY !== "visible" && element.scrollHeight > element.clientHeight + 2 &&
        !element.matches(".earlier-text, .chart-plot, .compare-plot, .blank-line"))
      cut.push(`${name} shows ${element.clientHeight} of ${element.scrollHeight}`);
  }
  return cut;
}"""


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    return keep_run(pace="max", max_updates=1_500, sample_every=50, name="On paper")


READY: dict[str, tuple[str, str]] = {
    "watch": ("?run={run}", "#chart[data-drawn-update]"),
    "reading": ("?run={run}&tab=reading&at=700", "#reading-text span"),
    "by page": ("?run={run}&chart=position", "#position-chart[data-drawn-epochs]"),
    "compare": ("compare?with={run}", "#compare-chart[data-drawn]"),
    "gradients": ("gradients", "#check-maps canvas"),
    "course": ("course?cell=lstm", "#problem-arrays tr"),
    "mistakes": ("course/mistakes", "#all-symptoms dt"),
}


def test_the_browser_prints_the_light_chart_and_returns_to_the_dark_one(
    server: Server, lasting_window: Window, run: str
) -> None:
    lasting_window.page.emulate_media(color_scheme="dark")
    page = lasting_window.open(server, run)
    before = grid_colour(page)
    page.evaluate(
        "window.printed = []; addEventListener('beforeprint', () =>"
        " printed.push(document.querySelector('#chart-plot .gridlayer path').style.stroke))"
    )
    pdf = page.pdf(format="A4")
    [printed] = page.evaluate("printed")
    assert min(channels(printed)) > 128
    page.wait_for_function(
        "(colour) => document.querySelector('#chart-plot .gridlayer path').style.stroke === colour",
        arg=before,
    )
    assert 1 <= pages_of(pdf) <= 3


@pytest.mark.parametrize("view", list(READY))
def test_a_page_prints_whole_and_does_not_end_with_an_empty_page(
    server: Server, lasting_window: Window, run: str, view: str
) -> None:
    page = lasting_window.page
    page.emulate_media(color_scheme="dark")
    address, ready = READY[view]
    if address.startswith("?run="):
        lasting_window.open(server, run, address.removeprefix("?run={run}"))
    else:
        page.goto(server.url + address.format(run=run))
    page.locator(ready).first.wait_for(state="attached")
    if view == "gradients":
        expect(page.locator("#check-verdict")).not_to_be_empty()
    for paper in PAPER_MM:
        lay_out(page, paper)
        expect_whole(page, paper)
        if view == "watch":
            rows = page.locator("#earlier .earlier-update")
            # Older samples are loaded later than the newest.
            expect(rows.first).to_have_text("1,450")
            expect(rows.last).to_have_text("0")
        if paper == "A4":
            expect_no_empty_page(page)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
        page.set_viewport_size(DESKTOP)


def lay_out(page: Page, paper: str) -> None:
    """Show the page as it is printed."""
    paper_size: ViewportSize = {"width": width_of(paper), "height": 940}
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size(paper_size)


def width_of(paper: str) -> int:
    return round((PAPER_MM[paper] - 2 * MARGIN_MM) * PX_PER_MM)


def expect_whole(page: Page, paper: str) -> None:
    width = width_of(paper)
    eventually(lambda: page.evaluate(CUT, width), lambda cut: cut == [], "a whole page")
    expect(page.locator(".table-copy:visible, nav:visible")).to_have_count(0)
    # A chart is drawn again some time after its size has changed.
    for chart in page.locator("svg.main-svg:visible").all()[:1]:
        eventually(
            chart.bounding_box,
            lambda box: box and 600 < box["width"] <= width and box["height"] > 300,
            "the chart in the width of the paper",
        )
    # A chart of a hidden tab is not on the paper, and is not drawn for it.
    eventually(
        lambda: page.evaluate(
            "[...document.querySelectorAll('.gridlayer path')]"
            ".filter((each) => each.checkVisibility()).map((each) => each.style.stroke)"
        ),
        lambda grid: all(min(channels(colour)) > 128 for colour in grid),
        "light grid lines",
    )


def expect_no_empty_page(page: Page) -> None:
    """On a paper that is as long as the content, nothing after it begins another page."""

    def pages() -> int:
        content = page.locator("main").bounding_box()
        assert content is not None
        rounding_px = 2
        height = content["y"] + content["height"] + 2 * MARGIN_MM * PX_PER_MM + rounding_px
        return pages_of(page.pdf(width=f"{PAPER_MM['A4']}mm", height=f"{height}px"))

    # A text that arrives between the two makes the content longer.
    eventually(pages, lambda count: count == 1, "one page")


def channels(colour: str) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", colour)[:3]]


def grid_colour(page: Page) -> Any:
    return page.evaluate("document.querySelector('#chart-plot .gridlayer path').style.stroke")


def pages_of(pdf: bytes) -> int:
    """The number of pages, which may be described in compressed objects."""
    parts = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            parts.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return sum(len(re.findall(rb"/Type\s*/Page\b", part)) for part in parts)
