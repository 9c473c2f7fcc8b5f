"""The list of units, and the curve of the selected one."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, TIMEOUT_S, Window, eventually
from tests.browser.server_process import Server
from tests.browser.test_accessibility import CONTRASTS, SCHEMES
from tests.inspection.quotation_unit import book, teach_quotation_marks

UNITS = 20
SMALL = {"hidden_size": UNITS, "sample_length": 20, "sample_every": 50, "dtype": "float64"}
LEARNED = 50


@pytest.fixture(scope="module")
def run(server: Server, keep_run: Callable[..., str]) -> str:
    """A run whose snapshot at update 50 has a unit that follows quotation marks."""
    text = book(5, words=5_000).encode()
    files = {"file": ("book.txt", text)}
    sent = httpx.post(f"{server.url}api/corpora", files=files, timeout=TIMEOUT_S)
    run = keep_run(corpus=sent.json()["id"], max_updates=100, **SMALL)
    teach_quotation_marks(server.data_dir, run, LEARNED)
    return run


def units(server: Server, window: Window, run: str, query: str = "") -> Page:
    """Open the view and wait for the list."""
    window.page.goto(f"{server.url}inside?run={run}&view=units&update={LEARNED}{query}")
    expect(window.page.locator("#units-rows tr").first).to_be_visible()
    return window.page


def column(page: Page, number: int) -> list[str]:
    return page.locator(f"#units-rows tr > :nth-child({number})").all_inner_texts()


def test_the_list_selects_a_unit_whose_curve_shows_when_it_came_to_follow_its_feature(
    server: Server, window: Window, run: str
) -> None:
    # Where the unit of a link does not exist, another one is selected.
    page = units(server, window, run, "&unit=3-99")
    expect(page.locator("#units-curve-title")).to_have_text("Unit 0: inside quotation marks")
    expect(page).to_have_url(re.compile("unit=0-0$"))
    expect(page.locator("#units-about")).to_contain_text(f"of {UNITS} units follow")
    # The greatest correlation is first, and units that follow nothing are last.
    assert column(page, 1)[0] == "0"
    assert column(page, 2)[0] == "inside quotation marks"
    r = [abs(float(text.replace("−", "-"))) for text in column(page, 3) if text != "–"]
    assert all(a >= b for a, b in pairwise(r))
    assert column(page, 2)[-1] == "no feature"

    page.locator("[data-column=unit] button").click()
    assert column(page, 1) == [str(unit) for unit in range(UNITS)]
    page.locator("[data-column=unit] button").click()
    assert column(page, 1)[0] == str(UNITS - 1)
    expect(page.locator("[data-column=unit]")).to_have_attribute("aria-sort", "descending")

    page.locator("#units-search").fill("quotation")
    assert set(column(page, 2)) == {"inside quotation marks"}
    page.locator("#units-search").fill("13")
    assert column(page, 1) == ["13"]
    page.locator("#units-search").fill("whales")
    assert column(page, 1) == []
    expect(page.locator("#units-more")).to_have_text("No unit of this list fits.")
    page.locator("#units-search").fill("")

    # One row can be reached with the Tab key, the others with the arrow keys.
    page.locator("[data-column=correlation] button").click()
    page.keyboard.press("Tab")
    expect(page.locator("#units-rows button").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    second = page.locator("#units-rows button").nth(1)
    expect(second).to_be_focused()
    expect(second).to_have_attribute("aria-current", "true")
    expect(page).to_have_url(re.compile(f"unit=0-{second.inner_text()}$"))
    page.keyboard.press("Home")
    expect(page.locator("#units-curve-title")).to_have_text("Unit 0: inside quotation marks")

    expect(page.locator("#units-plot .units-line")).to_be_visible()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        faint = [text for text in page.evaluate(CONTRASTS) if text["contrast"] < 4.5]
        assert faint == [], scheme
    overflow = "document.documentElement.scrollWidth - innerWidth"
    for width, height in ((1024, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        eventually(lambda: page.evaluate(overflow), lambda pixels: pixels <= 0, "no overflow")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESKTOP)

    # The curve has a point for each snapshot.
    history = server.call(
        "GET", f"runs/{run}/units/history?layer=0&unit=0&feature=inside%20quotation%20marks"
    )
    plot, readout = page.locator("#units-plot"), page.locator("#units-readout")
    expect(plot).to_have_attribute("data-points", str(len(history["update"])))
    plot.focus()
    page.keyboard.press("Home")
    expect(readout).to_contain_text("At update 0: r = ")
    at = history["update"].index(LEARNED)
    for _ in range(at):
        page.keyboard.press("ArrowRight")
    expect(readout).to_have_text(re.compile(rf"At update {LEARNED}: r = (1\.00|0\.9\d)\."))
    expect(plot).to_have_attribute("aria-valuetext", re.compile(rf"update {LEARNED}: r = "))
    # Another point opens the network at that update, which does not follow the feature.
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#units-about")).to_contain_text("At update 0,")
    expect(page.locator("#units-curve-about")).to_contain_text("follows none of the features")
    expect(page).to_have_url(re.compile("update=0&"))


def test_a_link_to_a_run_that_does_not_exist_shows_another_one(
    server: Server, window: Window, run: str
) -> None:
    page = window.page
    # The window fails the test if the page asks for what does not exist.
    # The message may be gone before a slow page is loaded.
    page.goto(f"{server.url}inside?run=missing", wait_until="commit")
    expect(page.locator("#toasts")).to_contain_text("does not exist")
    expect(page).not_to_have_url(re.compile("missing"))
    expect(page.locator("#inside-run")).not_to_have_value("")
