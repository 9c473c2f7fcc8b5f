"""The first minute: the three steps, the legend and the terms; docs/first-minute.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.conftest import Window
from tests.browser.server_process import Server

SCRIPT = Path(__file__).parents[3] / "docs" / "first-minute.md"


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A finished run of 3,000 updates."""
    return keep_run(hidden_size=8, max_updates=3_000, sample_every=1_000)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_three_steps_lead_over_the_page_once(
    server: Server, open_window: Callable[..., Window], run: str, width: int, height: int
) -> None:
    viewport = {"width": width, "height": height}
    page = open_window(first_visit=True, viewport=viewport).open(server, run)
    steps, following = page.locator("#first-steps"), page.locator("#first-steps-next")
    for number, about in enumerate((".curve", ".writing", ".controls"), start=1):
        expect(page.locator("#first-steps-count")).to_have_text(f"{number} of 3")
        expect(page.locator("[data-explained]")).to_have_count(1)
        expect(page.locator(f"{about}[data-explained]")).to_be_visible()
        box = steps.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
        following.click()
    expect(steps).to_be_hidden()
    expect(page.locator("[data-explained]")).to_have_count(0)
    page.reload()
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    expect(page.locator("#legend-smooth")).to_be_visible()
    expect(steps).to_be_hidden()
    # They come back when asked for.
    if width >= 860:
        page.keyboard.press("?")
        page.locator("#first-steps-again").click()
        expect(page.locator("#first-steps-count")).to_have_text("1 of 3")


def test_the_steps_are_left_with_escape_and_a_link_to_a_part_shows_that_part(
    server: Server, open_window: Callable[..., Window], run: str
) -> None:
    page = open_window(first_visit=True).page
    page.goto(f"{server.url}?run={run}&at=1000")
    expect(page.locator("#writing-title")).to_have_text("Sample at update 1,000")
    expect(page.locator("#legend-smooth")).to_be_visible()
    expect(page.locator("#first-steps")).to_be_hidden()

    page.goto(f"{server.url}?run={run}")
    expect(page.locator("#first-steps")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#first-steps")).to_be_hidden()
    # They do not come back.
    page.reload()
    expect(page.locator("#legend-smooth")).to_be_visible()
    expect(page.locator("#first-steps")).to_be_hidden()


def test_every_term_is_explained_at_the_pointer_and_by_keyboard(
    server: Server, open_window: Callable[..., Window], run: str
) -> None:
    page = open_window(clock=True).open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    expect(page.locator("#legend-band")).to_be_visible()
    tip = page.locator("#term-tip")
    terms = page.locator("[data-term]:visible")
    assert terms.count() >= 14
    for term in terms.all():
        meaning = page.locator(f"#term-{term.get_attribute('data-term')}")
        expect(meaning).to_have_count(1)
        page.mouse.move(2, 2)
        expect(tip).to_be_hidden()
        term.hover()
        page.clock.run_for(300)  # it waits for the pointer to rest
        expect(tip).to_be_visible()
        expect(tip).to_have_text(meaning.text_content() or "-")
        box = tip.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= 1440
        assert box["y"] + box["height"] <= 900
    page.mouse.move(2, 2)
    page.locator("#legend-band button").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(tip).to_contain_text("from the lowest to the highest")
    described = page.locator("#legend-band button").get_attribute("aria-describedby")
    assert described == "term-band"
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_the_legend_names_what_is_drawn(server: Server, window: Window) -> None:
    run = server.create_run(hidden_size=8, paused=True, sample_every=100, max_updates=None)
    page = window.open(server, run)
    server.call("POST", f"runs/{run}/step", {"updates": 100})
    page.locator("#chart[data-drawn-update='100']").wait_for(state="attached")
    expect(page.locator("#legend li:visible")).to_have_text(
        [re.compile(words) for words in ("smooth loss", "single loss", "simple guesses", "sample")]
    )
    server.call("POST", f"runs/{run}/step", {"updates": 2_000})
    expect(page.locator("#legend-band")).to_be_visible()
    expect(page.locator("#legend-losses")).to_be_hidden()
    expect(page.locator("#chart .xtitle")).to_have_text("updates")
    for mark in ("change", "checkpoint", "note", "rollback"):
        expect(page.locator(f"#legend-{mark}")).to_be_hidden()
    server.call("PATCH", f"runs/{run}", {"learning_rate": 0.05})
    server.call("POST", f"runs/{run}/checkpoints", {})
    expect(page.locator("#legend-change rect")).to_be_visible()
    expect(page.locator("#legend-checkpoint")).to_be_visible()


def test_single_losses_are_drawn_even_if_messages_have_combined_them(
    server: Server, window: Window
) -> None:
    """A piece of the curve with a point for ten updates, as fast training or a slow line brings."""
    run = server.create_run(hidden_size=8, paused=True, sample_every=100, max_updates=None)
    held: list[dict[str, Any]] = []

    def connect(page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()

        def combine(text: str | bytes) -> None:
            message = json.loads(text)
            if message["type"] != "progress":
                page_side.send(text)
                return
            held.append(message)
            if message["update"] < 100:
                return
            rows = [row for part in held for row in zip(*part["curve"].values(), strict=True)]
            curve = dict(zip(message["curve"], zip(*rows, strict=True), strict=True))
            low, high = min(curve["low"]), max(curve["high"])
            one = {"update": [100], "seconds": [curve["seconds"][-1]], "low": [low], "high": [high]}
            one["smooth"] = [curve["smooth"][-1]]
            page_side.send(json.dumps(message | {"curve": one}))

        server_side.on_message(combine)

    window.page.route_web_socket(re.compile("/ws/runs/"), connect)
    page = window.open(server, run)
    server.call("POST", f"runs/{run}/step", {"updates": 100})
    page.locator("#chart[data-drawn-update='100']").wait_for(state="attached")
    assert len(held) > 0
    expect(page.locator("#legend li:visible")).to_have_text(
        [re.compile(words) for words in ("smooth loss", "single loss", "simple guesses", "sample")]
    )


def test_the_first_card_explains_dots_before_there_is_a_band(
    server: Server, open_window: Callable[..., Window]
) -> None:
    run = server.create_run(hidden_size=8, paused=True, max_updates=None)
    server.call("POST", f"runs/{run}/step", {"updates": 20})
    page = open_window(first_visit=True).open(server, run)
    expect(page.locator("#legend-losses")).to_be_visible()
    expect(page.locator("#legend-band")).to_be_hidden()
    card = page.locator("#first-steps-text")
    expect(card).to_contain_text("Each dot is the loss of one update")
    expect(card).to_contain_text("a grey band spans them")


def test_the_script_of_the_first_minute_names_what_the_page_shows(
    server: Server, open_window: Callable[..., Window], run: str
) -> None:
    """Every quotation in the script is a text of the page."""
    page = open_window(first_visit=True).open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    shown = page.locator("body").inner_text() + (page.locator("#keys").text_content() or "")
    for number in (2, 3):
        page.locator("#first-steps-next").click()
        expect(page.locator("#first-steps-count")).to_have_text(f"{number} of 3")
        shown += page.locator("#first-steps").inner_text()
    page.locator("#first-steps-next").click()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#text-mode")).to_be_visible()
    shown += page.locator("#text-mode").inner_text()
    quotations = re.findall("“([^”]+)”", SCRIPT.read_text("utf-8"))
    assert len(quotations) > 10
    words = " ".join(shown.split())
    assert [each for each in quotations if each not in words] == []
