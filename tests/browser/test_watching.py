"""Opening the page and watching a run."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually, expect_parts_below_each_other, figure
from tests.browser.server_process import Server


def updates(page: Page) -> float:
    return figure(page, "update")


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A finished run of 300 updates."""
    return keep_run(max_updates=300, sample_every=100, hidden_size=8)


def test_the_figures_and_the_curve_move(server: Server, lasting_window: Window) -> None:
    run = server.create_run(pace=1_000, max_updates=None, hidden_size=8, paused=True)
    page = lasting_window.open(server, run)
    # The loss at the beginning, which it soon leaves.
    server.call("POST", f"runs/{run}/step", {"updates": 1})
    at_first = eventually(lambda: figure(page, "loss"), lambda loss: loss > 0, "a smooth loss")
    server.call("POST", f"runs/{run}/resume")
    eventually(lambda: figure(page, "speed"), lambda speed: speed > 0, "a speed")
    eventually(lambda: figure(page, "loss"), lambda loss: loss < at_first - 5, "a falling loss")
    eventually(lambda: figure(page, "best"), lambda best: best < at_first, "a best")
    drawn = page.locator("#chart")
    before = int(drawn.get_attribute("data-drawn-update") or 0)
    eventually(
        lambda: int(drawn.get_attribute("data-drawn-update") or 0),
        lambda update: update > before,
        "the curve to grow",
    )
    expect(page.locator("#figure-book")).to_have_text(re.compile(r"epoch \d+, page \d+ of 258"))
    expect(page.locator("#figure-loss-note")).to_contain_text("nats per character")


def test_the_timeline_and_the_curve_go_back_through_the_samples(
    server: Server, lasting_window: Window, run: str
) -> None:
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished at update 300")
    title = page.locator("#writing-title")
    # The last sample is stored after the run has ended.
    expect(title).to_have_text("Newest sample, at update 300")
    samples = {sample["update"]: sample for sample in server.call("GET", f"runs/{run}/samples")}
    assert list(samples) == [0, 1, 2, 5, 10, 20, 50, 100, 200, 300]

    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("Sample at update 200")
    assert squeezed(page) == squeeze(samples[200]["text"])
    expect(page.locator("#earlier button").first).to_contain_text("100")

    page.keyboard.press("Home")
    expect(title).to_have_text("Sample before the first update")
    assert squeezed(page) == squeeze(samples[0]["text"])

    page.locator("#timeline").fill("7")
    expect(title).to_have_text("Sample at update 100")
    page.locator("#earlier button").first.click()
    expect(title).to_have_text("Sample at update 50")
    page.locator("#timeline-live").click()
    expect(title).to_have_text("Newest sample, at update 300")

    # Hovering over the curve shows the sample there.
    eventually(lambda: drawn(page), lambda update: update == 300, "the whole curve")
    box = page.locator("#chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.62, box["y"] + box["height"] / 2)
    expect(title).to_contain_text("Sample at update")
    expect(page.locator("#chart-readout")).to_contain_text("smooth loss")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 40)
    expect(title).to_have_text("Newest sample, at update 300")


def squeeze(text: str) -> str:
    return "".join(text.split())


def squeezed(page: Page) -> str:
    return squeeze(page.locator("#sample-text .prose:not(.prose-fading)").inner_text())


def drawn(page: Page) -> int:
    return int(page.locator("#chart").get_attribute("data-drawn-update") or 0)


def test_two_windows_see_the_same(
    server: Server, lasting_window: Window, open_window: Callable[..., Window]
) -> None:
    run = server.create_run(pace=10, max_updates=None, hidden_size=8)
    here = lasting_window.open(server, run)
    there = open_window().open(server, run)
    expect(here.locator("#viewers")).to_have_text("2 watching")
    expect(there.locator("#viewers")).to_have_text("2 watching")
    eventually(lambda: updates(there), lambda update: update > 2, "some updates")
    here.locator("#pause").click()
    expect(there.locator("#pause")).to_contain_text("Resume")
    expect(there.locator("#notice")).to_contain_text("Paused at update")
    update = server.call("GET", f"runs/{run}")["update"]
    for each in (here, there):
        expect(each.locator("#figure-update")).to_have_text(f"{update:,}")


def test_runs_are_switched_and_replaced_when_another_client_deletes_them(
    server: Server, lasting_window: Window
) -> None:
    first = server.create_run(name="First", paused=True)
    second = server.create_run(name="Second", paused=True)
    page = lasting_window.open(server, first)
    page.locator("#run-switch").click()
    page.locator(".run-open", has_text="Second").click()
    expect(page.locator("#run-name")).to_have_text("Second")
    page.wait_for_url(re.compile(rf"\?run={second}\b"))
    page.go_back()
    expect(page.locator("#run-name")).to_have_text("First")
    page.go_forward()
    expect(page.locator("#run-name")).to_have_text("Second")

    page.go_back()
    expect(page.locator("#run-name")).to_have_text("First")
    server.call("DELETE", f"runs/{first}")
    expect(page.locator("#run-name")).to_have_text("Second")
    expect(page.locator("#toasts")).to_contain_text("“First” was deleted. This is “Second”.")
    page.wait_for_url(re.compile(rf"\?run={second}\b"))


def test_without_a_run_the_page_offers_to_start_one(own_server: Server, window: Window) -> None:
    own_server.start()
    page = window.page
    page.goto(own_server.url)
    expect(page.locator("#empty-title")).to_be_visible()
    expect(page.locator("#controls")).to_be_hidden()
    page.locator("#empty-start").click()
    eventually(lambda: updates(page), lambda update: update > 0, "the run to begin")
    expect(page.locator("#empty")).to_be_hidden()


def test_the_theme_follows_the_system_until_chosen(
    server: Server, window: Window, run: str
) -> None:
    light, dark = "rgb(250, 247, 241)", "rgb(19, 21, 25)"
    page = window.open(server, run)
    root = page.locator("html")
    # The colour that a browser gives its bar: the first of these whose media query applies.
    bar = """() => [...document.querySelectorAll("meta[name=theme-color]")]
      .find((each) => matchMedia(each.media).matches).content"""
    assert page.evaluate(bar) == "#faf7f1"
    expect(root).to_have_css("background-color", light)
    page.emulate_media(color_scheme="dark")
    expect(root).to_have_css("background-color", dark)
    assert page.evaluate(bar) == "#131519"
    page.locator("#theme").click()
    expect(root).to_have_css("background-color", light)
    assert page.evaluate(bar) == "#faf7f1"
    page.reload()
    expect(root).to_have_css("background-color", light)
    assert page.evaluate(bar) == "#faf7f1"
    page.locator("#theme").click()
    expect(root).to_have_css("background-color", dark)
    page.emulate_media(color_scheme="light")
    expect(root).to_have_css("background-color", dark)


def test_nothing_overflows_or_overlaps_on_any_screen(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(paused=True, max_updates=50, hidden_size=8)
    page = lasting_window.open(server, run)
    overflow = "document.documentElement.scrollWidth - innerWidth"
    longer = "document.documentElement.scrollHeight - innerHeight"
    for width, height in ((1440, 900), (1024, 768), (768, 1024), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        eventually(lambda: page.evaluate(overflow), lambda pixels: pixels <= 0, "no overflow")
        for control in ("#pause", "#write", "#checkpoint"):
            box = page.locator(control).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height, f"{control} is out of the thumb's reach"
        if width >= 1024:
            eventually(lambda: page.evaluate(longer), lambda pixels: pixels <= 0, "no scrolling")
    # A phone has one column.
    curve, writing = page.locator(".curve").bounding_box(), page.locator(".writing").bounding_box()
    assert curve is not None
    assert writing is not None
    assert curve["width"] == writing["width"] > 350
    assert writing["y"] >= curve["y"] + curve["height"]

    # On a low screen no part covers another.
    server.call("POST", f"runs/{run}/resume")
    expect(page.locator("#notice")).to_contain_text("Finished")
    for width, height in ((1280, 720), (1366, 768), (1024, 680)):
        page.set_viewport_size({"width": width, "height": height})
        expect_parts_below_each_other(page)
        # All controls are in one row.
        row = [page.locator(part).bounding_box() for part in ("#pause", "#write")]
        assert len({box["y"] for box in row if box}) == 1

    # The list of shortcuts opens and closes.
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
