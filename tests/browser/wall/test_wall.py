"""The wall: the cards of all runs, what is drawn of them, their order, and the keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.browser.conftest import DESKTOP, Module, Window, eventually, stop_clock
from tests.browser.server_process import Server

SPEC = {
    "cell": "rnn",
    "hidden_size": 8,
    "layers": 1,
    "sequence_length": 25,
    "batch_size": 1,
    "optimizer": "adagrad",
    "learning_rate": 0.1,
    "seed": 0,
    "max_updates": 1_000,
}


def wall_run(number: int, **fields: Any) -> dict[str, Any]:
    """A run whose loss is its number; later ones have greater numbers."""
    loss = 25.0 * number
    curve = {"bucket": 50, "start": 0, "smooth": [loss], "low": [loss], "high": [loss]}
    run = {
        "id": f"{number:012x}",
        "name": f"run {number}",
        "state": "running",
        "corpus_name": "Alice",
        "spec": SPEC,
        "created_at": f"2026-01-01T00:00:{number // 60:02}.{number % 60:03}+00:00",
        "queue_position": None,
        "machine": None,
        "group": None,
        "sweep": None,
        "update": 50,
        "smooth_loss": loss,
        "best": loss,
        "updates_per_second": 10.0,
        "text": f"text {number}",
        "curve": curve,
    }
    return run | fields


def progress(number: int, loss: float) -> dict[str, Any]:
    curve = {"bucket": 50, "start": 1, "smooth": [loss], "low": [loss], "high": [loss]}
    figures = {"update": 100, "smooth_loss": loss, "best": loss, "updates_per_second": 10.0}
    return figures | {"id": f"{number:012x}", "text": None, "curve": curve}


class Feed:
    """A wall whose messages come from the test."""

    def __init__(self, page: Page, server: Server, runs: list[dict[str, Any]], query: str = ""):
        self._page = page
        self._seq = 0
        self.viewers = 1
        self._runs = runs
        self._sockets: list[WebSocketRoute] = []
        page.route_web_socket("**/ws/wall*", self._connected)
        page.goto(f"{server.url}wall{query}")
        self.names = page.locator(".wall-grid .run-name")

    def show(self, runs: list[dict[str, Any]]) -> None:
        """Send other runs, as after a message that was missed."""
        self._runs = runs
        self.send("snapshot", runs=runs, viewers=self.viewers)

    def _connected(self, socket: WebSocketRoute) -> None:
        self._sockets.append(socket)
        self.send("snapshot", runs=self._runs, viewers=self.viewers)

    def send(self, kind: str, **fields: Any) -> None:
        self._seq += 1
        envelope = {"type": kind, "seq": self._seq, "sent_at": 0}
        self._sockets[-1].send(json.dumps(envelope | fields))

    def wait(self, seconds: int) -> None:
        """Let the page's clock run, with a message now and then, as from a real server."""
        for _ in range(0, seconds, 4):
            self.viewers += 1
            self.send("viewers", viewers=self.viewers)
            expect(self._page.locator("#viewers")).to_have_text(f"{self.viewers} watching")
            self._page.clock.run_for(4_000)

    def update(self, **fields: Any) -> None:
        self.send("update", **{"runs": [], "progress": [], "removed": []} | fields)


def test_cards_are_fetched_filtered_sorted_and_reached_by_the_arrow_keys(
    server: Server, window: Window
) -> None:
    page = window.page
    feed = expect_missing_curves_to_be_fetched(server, page)
    expect_arrow_keys_to_move_among_the_cards(page, feed)
    expect_only_cards_on_the_screen_to_be_drawn_again(page, feed)
    expect_filters_and_order_in_the_address(page, feed)


def expect_missing_curves_to_be_fetched(server: Server, page: Page) -> Feed:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/wall/curves*", hold)
    runs = [wall_run(number, text=None, curve=None) for number in (2, 1)]
    feed = Feed(page, server, runs)
    first = page.locator(".wall-card").first
    expect(first.locator(".wall-loss")).to_have_text("2.00")
    # A request is known only after a call of the page.
    eventually(lambda: page.evaluate("0") or len(held), bool, "the request")
    # What arrives before the answer is added to it.
    feed.update(progress=[progress(2, 25.0)])
    expect(first.locator(".wall-loss")).to_have_text("1.00")
    fields = ("id", "text", "curve")
    held[0].fulfill(json=[{name: run[name] for name in fields} for run in map(wall_run, (2, 1))])
    expect(page.locator(".wall-text")).to_have_text(["text 2", "text 1"])
    expect(first.locator(".wall-line")).to_have_attribute("d", re.compile("^M50 .*L100 "))
    page.unroute("**/api/wall/curves*", hold)
    return feed


def expect_arrow_keys_to_move_among_the_cards(page: Page, feed: Feed) -> None:
    page.set_viewport_size({"width": 700, "height": 800})
    feed.show([wall_run(number) for number in range(9, 0, -1)])
    cards = page.locator(".wall-card")
    expect(cards).to_have_count(9)
    columns = page.evaluate(
        "getComputedStyle(document.querySelector('#wall-grid')).gridTemplateColumns"
    ).count("px")
    assert columns > 1
    # One stop of the Tab key, and from there everywhere.
    expect(page.locator(".wall-card[tabindex='0']")).to_have_count(1)
    cards.first.focus()
    for key, to in (("ArrowDown", columns), ("ArrowRight", columns + 1), ("End", 8), ("Home", 0)):
        page.keyboard.press(key)
        expect(cards.nth(to)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(cards.first).to_be_focused()
    label = "run 9, training, smooth loss 9.00 nats per character, update 50 of 1,000"
    expect(cards.first).to_have_accessible_name(label)
    expect(cards.first).to_have_accessible_description("text 9")
    page.set_viewport_size(DESKTOP)


def expect_only_cards_on_the_screen_to_be_drawn_again(page: Page, feed: Feed) -> None:
    feed.show([wall_run(number) for number in range(250, 0, -1)])
    cards = page.locator(".wall-grid > li")
    expect(cards).to_have_count(100)
    expect(page.locator("#wall-count")).to_have_text("250 runs.")
    # All are drawn once, and then the time of the page is that of the cards that can be seen.
    expect(page.locator(".wall-line[d^=M]")).to_have_count(100)
    page.evaluate(
        """() => {
          window.drawn = new Set();
          const observer = new MutationObserver((changes) => {
            for (const { target } of changes) window.drawn.add(target.closest("li").dataset.run);
          });
          const grid = document.querySelector("#wall-grid");
          observer.observe(grid, { subtree: true, attributeFilter: ["d"] });
        }"""
    )
    feed.update(progress=[progress(number, 20.0 * number) for number in range(1, 251)])
    seen = page.locator(".wall-grid > li").first.locator(".wall-loss")
    expect(seen).to_have_text("200.00")
    drawn = eventually(
        lambda: page.evaluate("window.drawn.size"), lambda count: count >= 6, "the cards in view"
    )
    assert drawn < 60
    cards.last.scroll_into_view_if_needed()
    expect(cards.last.locator(".wall-loss")).to_have_text(f"{20 * 151 / 25:.2f}")
    page.get_by_role("button", name="Show 100 more of 250").click()
    expect(cards).to_have_count(200)
    expect(cards.nth(100).locator("a")).to_be_focused()


def expect_filters_and_order_in_the_address(page: Page, feed: Feed) -> None:
    runs = [
        wall_run(5, name="five", spec=SPEC | {"cell": "gru"}, state="finished"),
        wall_run(4, name="four", group={"id": "g", "name": "seeds of four"}),
        wall_run(3, name="three", group={"id": "g", "name": "seeds of four"}),
        wall_run(2, name="two", corpus_name="Bleak House", updates_per_second=99.0),
        wall_run(1, name="one"),
    ]
    feed.show(runs)
    expect(feed.names).to_have_text(["five", "four", "three", "two", "one"])
    page.locator("#wall-sort").select_option("fastest")
    expect(feed.names.first).to_have_text("two")
    page.locator("#wall-filter").select_option("training or waiting")
    page.locator("#wall-set").select_option("group seeds of four")
    expect(feed.names).to_have_text(["four", "three"])
    expect(page.locator("#wall-count")).to_have_text("2 of 5 runs.")
    page.locator("#wall-search").fill("three")
    expect(feed.names).to_have_text(["three"])
    address = "?sort=speed&state=active&find=three&set=group:g"
    eventually(lambda: page.evaluate("location.search"), address.__eq__, "the address")
    page.reload()
    expect(feed.names).to_have_text(["three"])
    expect(page.locator("#wall-set")).to_have_value("group:g")
    page.locator("#wall-search").fill("nothing")
    expect(page.locator("#wall-none")).to_have_text("No run matches.")
    feed.update(removed=[each["id"] for each in runs[1:]])
    page.locator("#wall-set").select_option(index=0)
    page.locator("#wall-filter").select_option(index=0)
    page.locator("#wall-search").fill("")
    expect(page.locator("#wall-count")).to_have_text("1 run.")


def test_cards_keep_their_places_below_the_pointer(
    server: Server, open_window: Callable[..., Window]
) -> None:
    page = open_window(clock=True).page
    feed = Feed(page, server, [wall_run(number) for number in (3, 2, 1)], "?sort=loss")
    expect(feed.names).to_have_text(["run 1", "run 2", "run 3"])
    stop_clock(page)
    page.locator(".wall-card").nth(1).hover()
    feed.update(progress=[progress(3, 1.0)], removed=[f"{2:012x}"], runs=[wall_run(4)])

    def losses_in_the_next_frame() -> list[str]:
        page.clock.run_for(16)
        return page.locator(".wall-loss").all_inner_texts()

    eventually(losses_in_the_next_frame, ["1.00", "2.00", "0.04"].__eq__, "the new figures")
    expect(page.locator(".wall-card").nth(1)).to_have_attribute("data-state", "deleted")
    feed.wait(8)
    expect(feed.names).to_have_text(["run 1", "run 2", "run 3"])
    again = page.get_by_role("button", name="Sort again")
    expect(again).to_be_visible()
    # A pointer that lies still does not hold the cards for ever; nor does one that has left.
    feed.wait(12)
    expect(feed.names).to_have_text(["run 3", "run 1", "run 4"])
    expect(again).to_be_hidden()
    page.locator(".wall-card").nth(2).focus()
    feed.update(progress=[progress(4, 0.5)])
    feed.wait(20)
    expect(feed.names).to_have_text(["run 3", "run 1", "run 4"])
    page.keyboard.press("r")
    expect(feed.names).to_have_text(["run 4", "run 3", "run 1"])
    expect(page.locator(".wall-card").first).to_be_focused()


@pytest.mark.parametrize("loss", [None, 50.0])
def test_a_curve_is_drawn_within_its_box(module: Module, loss: float | None) -> None:
    run = wall_run(1)
    run["curve"] = {"bucket": 50, "smooth": [loss, 500.0], "low": [1.0, 75.0], "high": [90.0, loss]}
    run["update"] = 80
    paths = module("wall/order.js", "m.pathsOf(x, [2, 4])", run)
    assert paths["line"] == ("M100 0" if loss is None else "M62.5 100L100 0")
    assert paths["band"].startswith("M62.5 20L100 ")


def test_a_run_is_watched_live_from_its_card(server: Server, window: Window) -> None:
    page = window.page
    page.goto(f"{server.url}wall")
    expect(page.locator("#wall-none")).to_contain_text("No runs yet.")
    run = server.create_run(name="live", hidden_size=8, max_updates=None, pace=50)
    card = page.locator(".wall-card")
    expect(card).to_have_attribute("data-state", "training")
    first = card.locator(".wall-update").inner_text()
    expect(card.locator(".wall-update")).not_to_have_text(first)
    expect(card.locator(".wall-text")).not_to_be_empty()
    server.call("PATCH", f"runs/{run}", {"name": "a long name 12, seed 3"})
    expect(card.locator(".run-name")).to_have_text("a long name 12, seed 3")
    expect(card.locator(".wall-number")).to_have_text(" 12, seed 3")
    server.call("PATCH", f"runs/{run}", {"name": "renamed"})
    expect(card.locator(".run-name")).to_have_text("renamed")
    card.click()
    expect(page.locator("#run-name")).to_have_text("renamed")
