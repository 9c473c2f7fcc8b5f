"""What a laptop and a phone show without scrolling, and that nothing moves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser.conftest import Module, Window, eventually, plot_box
from tests.browser.server_process import Server
from tests.browser.touch import touch_screen

PHONE: ViewportSize = {"width": 390, "height": 844}
LONG_NAME = "A run with a long name " * 4


def box_of(element: Locator) -> dict[str, float]:
    box = element.bounding_box()
    assert box is not None
    return {side: box[side] for side in ("x", "y", "width", "height")}


def visible_height(page: Page, part: str) -> float:
    """How much of an element is between the top of the screen and the bottom bar."""
    box, bar = box_of(page.locator(part)), box_of(page.locator("#controls"))
    return min(box["y"] + box["height"], bar["y"]) - max(box["y"], 0)


def test_choosing_another_pace_moves_nothing(server: Server, lasting_window: Window) -> None:
    run = server.create_run(pace=2_500, paused=True, hidden_size=8)
    page = lasting_window.open(server, run)
    chosen = page.locator("input[name=pace]:checked")
    parts = ("#pause", "#checkpoint", "#stop", "#write")
    for width in (1440, 1024):
        page.set_viewport_size({"width": width, "height": 768})
        server.call("PATCH", f"runs/{run}", {"pace": 2_500})
        expect(chosen).to_have_value("2500")
        before = [box_of(page.locator(part)) for part in parts]
        assert len({box["y"] for box in before}) == 1  # one row
        page.locator("input[name=pace][value='10']").check()
        eventually(
            lambda: server.call("GET", f"runs/{run}")["spec"]["pace"], lambda pace: pace == 10, "it"
        )
        expect(chosen).to_have_value("10")
        assert [box_of(page.locator(part)) for part in parts] == before


def test_the_words_that_do_not_fit_are_counted(server: Server, lasting_window: Window) -> None:
    words = [f"Unwritten{i:02}" for i in range(20)]
    page = lasting_window.page
    page.set_viewport_size({"width": 1024, "height": 768})
    run = server.create_run(paused=True, watch_words=words, hidden_size=8)
    lasting_window.open(server, run)
    # The list has its height when the parts around it have arrived, and is counted after that.
    shown, more = eventually(
        lambda: page.locator("#watch-words").evaluate(
            """(list) => {
              const { bottom } = list.getBoundingClientRect();
              const shown = [...list.children].filter((item) =>
                item.getBoundingClientRect().top < bottom);
              return [shown.length, document.querySelector("#words-more").textContent];
            }"""
        ),
        lambda found: found[1] == f"{len(words) - found[0]} more",
        "the number of the words that do not fit",
    )
    assert 0 < shown < len(words), more
    expect(page.locator("#words-more")).to_be_visible()
    page.locator("#words-more").click()
    expect(page.locator("#words-pending li")).to_have_count(len(words))
    page.keyboard.press("Escape")
    server.call("PATCH", f"runs/{run}", {"watch_words": ["Orla", "Vane"]})
    expect(page.locator("#watch-words li")).to_have_count(2)
    expect(page.locator("#words-more")).to_be_hidden()


def test_the_fields_of_a_touch_screen_have_large_text(
    server: Server, open_window: Callable[..., Window]
) -> None:
    run = server.create_run(paused=True, hidden_size=8)
    page = open_window(viewport=PHONE, has_touch=True, is_mobile=True).open(server, run)
    # Safari on a phone enlarges the page when a field with smaller text gets the focus.
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    sizes = page.locator(
        "input:not([type=checkbox], [type=radio], [type=range], [type=file]), select, textarea"
    ).evaluate_all("all => all.map((each) => parseFloat(getComputedStyle(each).fontSize))")
    assert len(sizes) > 20
    assert min(sizes) >= 16


def test_the_bottom_bar_of_a_phone_has_two_rows_and_the_skip_link_never_covers_the_content(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(name=LONG_NAME, paused=True, hidden_size=8)
    server.call("POST", f"runs/{run}/checkpoints", {})
    lasting_window.page.set_viewport_size(PHONE)
    page = lasting_window.open(server, run)
    expect(page.locator("#checkpoint-count")).to_have_text("1")
    tops = page.locator("#controls > *").evaluate_all(
        "all => all.filter((each) => each.offsetParent !== null).map((each) => each.offsetTop)"
    )
    assert len(set(tops)) == 2

    skip = page.locator(".skip")

    def covers_content() -> bool:
        box, main = box_of(skip), box_of(page.locator("main"))
        on_screen = box["y"] + box["height"] > 0
        return on_screen and box["y"] + box["height"] > main["y"] + 1

    # The keyboard begins at the start of the page, wherever an earlier test has left it.
    page.evaluate(
        """() => {
          const start = document.createElement("span");
          start.tabIndex = -1;
          document.body.prepend(start);
          start.focus();
          start.remove();
        }"""
    )
    page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    assert not covers_content()
    page.evaluate("scrollTo(0, 300)")
    assert not covers_content()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    assert not covers_content()

    # A long name stays inside its button.
    for width in (1440, 1024, 390):
        page.set_viewport_size({"width": width, "height": 768})
        button = box_of(page.locator("#run-switch"))
        icon = box_of(page.locator("#run-switch .icon"))
        assert icon["x"] + icon["width"] < button["x"] + button["width"], width


def test_a_phone_shows_the_writing_and_a_press_on_the_curve_its_text(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(max_updates=300, sample_every=100, hidden_size=8)
    lasting_window.page.set_viewport_size(PHONE)
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    expect(page.locator("#chart")).to_have_attribute("data-drawn-update", "300")
    two_lines_px = 61
    eventually(
        lambda: visible_height(page, "#sample-text"),
        lambda height: height >= two_lines_px,
        "two lines of the sample",
    )

    page.set_viewport_size({"width": 390, "height": 640})
    least_px = 160
    eventually(
        lambda: visible_height(page, ".writing"),
        lambda height: height < least_px,
        "most of the text below the bar",
    )
    plot = plot_box(page)
    with touch_screen(page) as fingers:
        fingers.tap(plot["x"] + plot["width"] / 2, plot["y"] + plot["height"] / 2)
    expect(page.locator("#tab-reading")).to_have_attribute("aria-selected", "true")
    eventually(
        lambda: visible_height(page, ".writing"), lambda height: height >= least_px, "the text"
    )
    assert visible_height(page, "#chart") >= least_px


SPIKE = {
    "update": [float(update) for update in range(1, 101)],
    "smooth": [100.0 - update + (60 if update == 46 else 0) for update in range(1, 101)],
}
LABELS = """(() => {
  const scales = {
    curve: x.curve,
    validation: { update: [], loss: [] },
    ...{ width: 800, height: 400, logX: false, logY: false },
    xAxis: { of: (update) => update },
    unit: { of: (loss) => loss },
    updateToPixel: (update) => update * 8,
    pixelToUpdate: (pixel) => pixel / 8,
    lossToPixel: (loss) => 400 - loss * 3,
  };
  const state = { smoothing: "0.999", curve: x.curve, smoothed: null, detail: null };
  const hurrah = [{ kind: "hurrah", update: x.update, text: "", id: null, words: ["Master Pell"] }];
  const fonts = { hurrah: { size: 11.5 }, note: { size: 11.5 } };
  return m.markLabels(state, { hurrah, note: [] }, scales, fonts).map((label) => {
    const wide = label.text.length * 11.5 * 0.58;
    const left = label.x * 8 + label.xshift - (label.xanchor === "right" ? wide : 0);
    const middle = 400 - label.y * 3 - label.yshift;
    return { left, right: left + wide, top: middle - 4, bottom: middle + 4 };
  });
})()"""


@pytest.mark.parametrize("update", [30, 44, 47, 60])
def test_a_label_never_covers_the_curve(module: Module, update: int) -> None:
    labels: list[dict[str, Any]] = module(
        "chart/annotations.js", LABELS, {"curve": SPIKE, "update": update}
    )
    pixels = [
        (at * 8, 400 - loss * 3) for at, loss in zip(SPIKE["update"], SPIKE["smooth"], strict=True)
    ]
    for label in labels:
        for (x0, y0), (x1, y1) in pairwise(pixels):
            beside = x1 < label["left"] or x0 > label["right"]
            apart = max(y0, y1) < label["top"] or min(y0, y1) > label["bottom"]
            assert beside or apart
    if update in {30, 60}:
        assert labels  # far from the spike there is room


@pytest.mark.parametrize("span", [[0.004, 0.02], [0.0, 1.0], [0.3, 110.0]])
def test_an_axis_of_losses_has_no_minus_sign(module: Module, span: list[float]) -> None:
    low, high = module("curve/axes.js", "m.roundSpan(...x, false)", span)
    assert 0 <= low <= span[0]
    assert high > span[1]
