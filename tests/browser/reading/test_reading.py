"""A click on the curve opens the text read there, each character with its surprisal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually, plot_box
from tests.browser.server_process import Server
from tests.browser.test_accessibility import CONTRASTS
from tests.browser.touch import touch_screen


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A finished run of 300 updates."""
    return keep_run(max_updates=300, sample_every=100, hidden_size=8)


def open_at_its_end(server: Server, window: Window, run: str) -> Page:
    page = window.open(server, run)
    eventually(
        lambda: page.locator("#chart").get_attribute("data-drawn-update"),
        lambda update: update == "300",
        "the whole curve",
    )
    # The timeline counts from the newest sample.
    expect(page.locator("#writing-title")).to_have_text("Newest sample, at update 300")
    return page


def update_read(page: Page) -> int:
    found = re.search(r"at update ([\d,]+)", page.locator("#reading-title").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def click_curve(page: Page, share: float) -> None:
    box = plot_box(page)
    page.mouse.click(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.4)


def reading_of(server: Server, run: str, update: int) -> Any:
    return server.call("GET", f"runs/{run}/surprisal?update={update}")


def test_a_click_on_the_curve_opens_the_reading_and_the_timeline_moves_it(
    server: Server, lasting_window: Window, run: str
) -> None:
    page = open_at_its_end(server, lasting_window, run)
    click_curve(page, 0.5)
    expect(page.locator("#tab-reading")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#tab-panel-writing")).to_be_hidden()
    expect(page.locator("#reading-title")).to_contain_text("Text read at update")
    expect(page.locator(".sequence .surprising")).to_have_count(3)
    update = update_read(page)
    assert 130 <= update <= 170
    reading = reading_of(server, run, update)
    # It is the greatest loss drawn there.
    near = server.call("GET", f"runs/{run}/loss?from={update - 1}&to={update + 1}&points=3")
    assert reading["loss"] == max(near["high"])
    (passage,) = reading["passages"]
    assert page.locator(".sequence").evaluate("span => span.textContent") == passage["text"]
    assert page.locator("#reading-text").evaluate("p => p.textContent") == (
        passage["before"] + passage["text"] + passage["after"]
    )
    above = reading["loss"] - reading["smooth_loss"]
    expect(page.locator("#reading-loss")).to_have_text(
        f"loss {reading['loss']:.1f}, {abs(above):.1f} {'above' if above > 0 else 'below'} the"
        " smooth loss"
    )
    source = reading["source"]["update"]
    expect(page.locator("#reading-place")).to_have_text(
        re.compile(rf"epoch 1, page \d+ of 258 \(CHAPTER ONE\), network of update {source}$")
    )
    most = passage["most_surprising"][0]
    expect(page.locator("#reading-sentence")).to_contain_text(f"{most['surprisal']:.1f} bits")
    page.wait_for_url(re.compile(rf"at={update}.*tab=reading"))

    # The URL shows it again.
    query = urlsplit(page.url).query.removeprefix(f"run={run}")
    page.keyboard.press("Escape")
    expect(page.locator("#reading-title")).to_have_text("Text read at update 300")
    lasting_window.open(server, run, query)
    expect(page.locator("#reading-title")).to_have_text(f"Text read at update {update}")
    page.keyboard.press("Escape")
    expect(page.locator("#reading-title")).to_have_text("Text read at update 300")
    expect(page.locator("#timeline-live")).to_have_attribute("aria-pressed", "true")

    # The timeline moves the reading.
    title = page.locator("#reading-title")
    page.locator("#tab-reading").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#tab-writing")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-reading")).to_be_focused()
    expect(title).to_have_text("Text read at update 300")
    # The arrow keys switch tabs when a tab has the focus; elsewhere they move the timeline.
    page.locator("body").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("Text read at update 200")
    page.locator("#timeline").fill("7")
    expect(title).to_have_text("Text read at update 100")
    page.locator("#reading-later").click()
    expect(title).to_have_text("Text read at update 101")
    page.locator("#reading-earlier").click()
    page.locator("#reading-earlier").click()
    expect(title).to_have_text("Text read at update 99")
    page.locator("#tab-writing").click()
    expect(page.locator("#writing-title")).to_have_text("Sample at update 50")
    page.locator("#timeline-live").click()
    expect(page.locator("#reading")).to_be_hidden()


def test_every_character_shows_its_surprisal_and_stays_legible(
    server: Server, window: Window, run: str
) -> None:
    page = window.open(server, run, "&at=200&tab=reading")
    (passage,) = reading_of(server, run, 200)["passages"]
    most = passage["most_surprising"][0]
    about = page.locator("#reading-character")
    read = page.locator(".sequence span")
    # The text of another update may be shown until this one has arrived.
    expect(page.locator(".sequence")).to_have_text(passage["text"], use_inner_text=False)
    expect(page.locator(".sequence .tint")).not_to_have_count(0)
    expect(read).to_have_count(25)
    bits = f"{passage['surprisal'][7]:.1f} bits; expected"
    read.nth(7).hover()
    expect(about).to_contain_text(bits)
    page.mouse.move(5, 5)
    expect(about).to_have_text("Point at a character to see its surprisal.")
    page.locator("#reading-excerpt").focus()
    page.keyboard.press("ArrowRight")
    expect(about).to_contain_text(f"{most['surprisal']:.1f} bits")
    page.keyboard.press("ArrowLeft")
    index = most["index"] - 1
    before = passage["surprisal"][index] if index >= 0 else passage["surprisal_before"][-1]
    expect(about).to_contain_text(f"{before:.1f} bits")
    expect(page.locator("#reading-title")).to_have_text("Text read at update 200")

    page.mouse.move(5, 5)
    expect(page.locator(".sequence .tint")).not_to_have_count(0)
    expect(page.locator("#reading-legend .tint-7")).to_be_visible()
    # The darkest tints, wherever they occur.
    page.evaluate(
        """() => document.querySelectorAll('#reading-text .tint').forEach((span, i) => {
          span.className = `tint tint-${1 + (i % 7)}`;
        })"""
    )
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        seen = page.evaluate(CONTRASTS.replace("[aria-hidden=true]", ".brand"))
        assert len(seen) > 300
        assert [text for text in seen if text["contrast"] < 4.5] == [], scheme


def test_a_run_without_updates_says_so_and_the_live_reading_updates_automatically(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(paused=True, pace=100, max_updates=None, hidden_size=8)
    lasting_window.expect_errors("409")
    page = lasting_window.open(server, run, "&tab=reading")
    expect(page.locator("#reading-problem")).to_contain_text("Nothing has been read yet")
    page.locator("#step").click()
    expect(page.locator("#reading-title")).to_have_text("Text read at update 1")
    expect(page.locator("#reading-problem")).to_be_empty()

    server.call("POST", f"runs/{run}/resume")
    expect(page.locator("#reading-title")).to_contain_text("Reading at update")
    first = update_read(page)
    eventually(lambda: update_read(page), lambda update: update > first, "the next page")


def test_each_stream_can_be_selected(
    server: Server, lasting_window: Window, keep_run: Callable[..., str]
) -> None:
    run = keep_run(max_updates=20, batch_size=5, hidden_size=8)
    page = lasting_window.open(server, run, "&at=10&tab=reading")
    passages = reading_of(server, run, 10)["passages"]
    expect(page.locator("#reading-streams label")).to_have_count(3)
    for passage in reversed(passages):
        page.locator("label", has_text=f"stream {passage['stream']} of 5").click()
        expect(page.locator(".sequence")).to_have_text(passage["text"], use_inner_text=False)


def test_on_a_phone_a_tap_opens_the_reading(
    server: Server, lasting_window: Window, run: str
) -> None:
    lasting_window.page.set_viewport_size({"width": 390, "height": 844})
    page = open_at_its_end(server, lasting_window, run)
    box = page.locator("#chart").bounding_box()
    assert box is not None
    with touch_screen(page) as fingers:
        fingers.tap(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    expect(page.locator("#reading-title")).to_be_in_viewport()
    expect(page.locator("#reading-title")).to_contain_text("Text read at update")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
