"""The first minute: the tour, the legend and the terms; docs/first-minute.md."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FloatRect, Page, ViewportSize, WebSocketRoute, expect

from tests.browser.conftest import Window, eventually
from tests.browser.server_process import Server
from tests.browser.test_axe import grave_findings

SCRIPT = Path(__file__).parents[3] / "docs" / "first-minute.md"


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A finished run of 3,000 updates."""
    return keep_run(hidden_size=8, max_updates=3_000, sample_every=1_000)


STOPS = (".curve", ".writing", ".timeline", ".controls", ".top nav")
SIZES: list[ViewportSize] = [
    {"width": 390, "height": 844},
    {"width": 1024, "height": 768},
    {"width": 1440, "height": 900},
]


def test_the_tour_leads_over_the_page_once_and_comes_back_only_when_asked_for(
    server: Server, open_window: Callable[..., Window], run: str
) -> None:
    # In a context of its own, since the clock is that of all pages of a context.
    page = open_window(first_visit=True, new_context=True).page
    tour, starters = page.locator("#tour"), page.locator("#tour-starters button")
    # A link to a part shows that part, without the tour.
    page.goto(f"{server.url}?run={run}&at=1000")
    expect(page.locator("#writing-title")).to_have_text("Sample at update 1,000")
    expect(page.locator("#legend-smooth")).to_be_visible()
    expect(tour).to_be_hidden()

    page.goto(f"{server.url}?run={run}")
    expect(page.locator("#notice")).to_contain_text("Finished")
    expect(page.locator("#legend")).to_contain_text("simple guesses", use_inner_text=True)
    shown = page.locator("body").inner_text() + (page.locator("#keys").text_content() or "")
    shown += words_of_the_tour(page)
    # The run has ended: it cannot be paused. There are three things to try even so.
    labels = [re.compile(words) for words in ("hard to guess", "temperatures", "first writing")]
    expect(starters).to_have_text(labels)
    assert grave_findings(page, "#tour") == []
    starters.last.click()
    expect(page.locator("#writing-title")).to_have_text("Sample before the first update")
    expect(page.locator("#toasts")).to_contain_text("This is the first sample.")
    expect(tour).to_be_hidden()
    expect(page.locator("[data-explained]")).to_have_count(0)
    expect(page.locator("#text-mode")).to_be_visible()
    shown += page.locator("#text-mode").inner_text()
    # Every quotation in the script is a text of the page.
    quotations = re.findall("“([^”]+)”", SCRIPT.read_text("utf-8"))
    assert len(quotations) > 10
    words = " ".join(shown.split())
    assert [each for each in quotations if each not in words] == []

    page.goto(f"{server.url}?run={run}")
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    expect(page.locator("#legend-smooth")).to_be_visible()
    expect(tour).to_be_hidden()
    page.locator("#help").click()
    page.locator("#tour-again").click()
    expect(page.locator("#tour-count")).to_have_text(f"1 of {len(STOPS)}")
    expect(page.locator("#tour-next")).to_be_focused()
    page.locator("#sample-text").click(position={"x": 2, "y": 2})
    expect(tour).to_be_hidden()
    page.locator("#help").click()
    page.locator("#tour-try").click()
    expect(starters.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("The stronger the colour of a character")
    expect(page.locator("#reading-excerpt")).not_to_be_empty()
    page.locator("#card-tabs").get_by_text("Writing").click()
    page.locator("#help").click()
    page.locator("#tour-try").click()
    starters.nth(1).click()
    # The hint holds for texts beside and below each other, and covers none on a phone.
    hint = page.locator(".toast", has_text="The same network twice: the first text is")
    hint.hover()  # it stays
    expect(page.locator("#passage-source")).to_contain_text("best model")
    page.set_viewport_size(SIZES[0])
    eventually(
        functools.partial(page.evaluate, HINT_BELOW_TEXT), bool, "the hint to be below the text"
    )
    page.set_viewport_size(SIZES[-1])
    page.locator("#passage-close").click()
    expect_terms_to_be_explained(page)


HINT_BELOW_TEXT = """() => {
  const [text, hint] = ["#passage-text", ".toast:last-of-type"].map((each) =>
    document.querySelector(each)?.getBoundingClientRect());
  return Boolean(text && hint && hint.top >= text.bottom);
}"""


def words_of_the_tour(page: Page) -> str:
    """Go to its end, check its place at each stop and size of the screen; return its words."""
    words = ""
    for number, about in enumerate(STOPS, start=1):
        expect(page.locator("#tour-count")).to_have_text(f"{number} of {len(STOPS)}")
        expect(page.locator("[data-explained]")).to_have_count(1)
        expect(page.locator(f"{about}[data-explained]")).to_be_visible()
        words += page.locator("#tour").inner_text()
        expect_tour_on_screen(page)
        page.locator("#tour-next").click()
    expect(page.locator("#tour-count")).to_have_text("Try this")
    expect_tour_on_screen(page)
    return words + page.locator("#tour").inner_text()


def expect_tour_on_screen(page: Page) -> None:
    for size in SIZES:
        page.set_viewport_size(size)
        eventually(
            functools.partial(page.locator("#tour").bounding_box),
            functools.partial(is_on_screen, size),
            f"the tour to be on a screen of {size}",
        )


def is_on_screen(size: ViewportSize, box: FloatRect | None) -> bool:
    return (
        box is not None
        and min(box["x"], box["y"]) >= 0
        and box["x"] + box["width"] <= size["width"]
        and box["y"] + box["height"] <= size["height"]
    )


def expect_terms_to_be_explained(page: Page) -> None:
    """Check that every term is explained at the pointer and by keyboard."""
    page.clock.install()
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
        eventually(
            tip.bounding_box, functools.partial(is_on_screen, SIZES[-1]), "the tip on the screen"
        )
    page.mouse.move(2, 2)
    page.locator("#legend-band button").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(tip).to_contain_text("from the lowest to the highest")
    described = page.locator("#legend-band button").get_attribute("aria-describedby")
    assert described == "term-band"
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_a_starter_pauses_a_training_and_makes_one_step(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(hidden_size=8, pace=10, max_updates=None)
    page = lasting_window.open(server, run)
    expect(page.locator("#pause")).to_contain_text("Pause")
    page.locator("#help").click()
    page.locator("#tour-try").click()
    with (
        page.expect_response(lambda answer: answer.url.endswith("/step")) as stepped,
        page.expect_response(lambda answer: answer.url.endswith("/pause")) as paused,
    ):
        page.locator("#tour-starters button").first.click()
    before, after = paused.value.json(), stepped.value.json()
    assert (before["state"], after["state"]) == ("paused", "paused")
    assert after["update"] == before["update"] + 1
    expect(page.locator("#pause")).to_contain_text("Resume")


def test_the_legend_names_what_is_drawn(server: Server, lasting_window: Window) -> None:
    run = server.create_run(hidden_size=8, paused=True, sample_every=100, max_updates=None)
    page = lasting_window.open(server, run)
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


def test_the_first_card_explains_dots_before_there_is_a_band_and_escape_leaves_the_tour(
    server: Server, open_window: Callable[..., Window]
) -> None:
    run = server.create_run(hidden_size=8, paused=True, max_updates=None)
    server.call("POST", f"runs/{run}/step", {"updates": 20})
    page = open_window(first_visit=True).open(server, run)
    expect(page.locator("#legend-losses")).to_be_visible()
    expect(page.locator("#legend-band")).to_be_hidden()
    card = page.locator("#tour-text")
    expect(card).to_contain_text("Each dot is the loss of one update")
    expect(card).to_contain_text("a grey band spans them")
    page.keyboard.press("Escape")
    expect(page.locator("#tour")).to_be_hidden()
    # It does not come back; see `Window`.
    assert page.evaluate("localStorage.getItem('hurrah-introduced')") == "yes"
