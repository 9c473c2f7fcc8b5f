"""The curve: zoom during live updates, reset, and axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Window, eventually, figure, plot_box
from tests.browser.server_process import Server


def axis(page: Page) -> Any:
    """The type and range of the x axis as drawn."""
    return page.evaluate(
        "(() => { const { type, range } = document.querySelector('#chart-plot').layout.xaxis;"
        " return { type, range: [...range] }; })()"
    )


def drawn_update(page: Page) -> int:
    return int(page.locator("#chart").get_attribute("data-drawn-update") or 0)


def drag(page: Page, start: float, end: float) -> None:
    """Drag across the plot between two shares of its width."""
    box = plot_box(page)
    y = box["y"] + box["height"] * 0.6
    page.mouse.move(box["x"] + box["width"] * start, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (start + end) / 2, y, steps=4)
    page.mouse.move(box["x"] + box["width"] * end, y, steps=4)
    page.mouse.up()


@pytest.fixture(scope="module")
def finished(keep_run: Callable[..., str]) -> str:
    """A finished run of 3,000 updates."""
    return keep_run(hidden_size=5, max_updates=3_000, sample_every=1_000)


def test_a_live_curve_keeps_its_zoom_rests_while_hidden_and_is_drawn_to_its_last_update(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(pace=2_500, max_updates=None, hidden_size=4, sequence_length=4)
    page = lasting_window.open(server, run)
    eventually(lambda: figure(page, "update"), lambda update: update > 500, "some updates")
    follow = page.locator("#follow")
    expect(follow).to_have_attribute("aria-pressed", "true")

    drag(page, 0.2, 0.5)
    expect(follow).to_have_attribute("aria-pressed", "false")
    zoomed = eventually(lambda: axis(page), lambda x: x["range"][0] > 0, "the zoom to be drawn")
    before = drawn_update(page)
    eventually(lambda: drawn_update(page), lambda update: update > before + 200, "a later drawing")
    assert axis(page) == zoomed

    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    eventually(
        lambda: axis(page)["range"][1],
        lambda end: end > before,
        "the axis to reach the live end",
    )

    page.evaluate(
        "Object.defineProperty(document, 'visibilityState',"
        " { value: 'hidden', configurable: true })"
    )
    # A drawing in progress may finish; after it the figures change but the curve does not.
    still = eventually(
        lambda: (drawn_update(page), figure(page, "update")),
        lambda pair: pair[1] > pair[0] + 2_000,
        "the figures to run ahead of the curve",
    )
    page.evaluate("delete document.visibilityState")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    eventually(lambda: drawn_update(page), lambda update: update > still[1], "drawing again")

    eventually(lambda: drawn_update(page), lambda update: update > 5_000, "a long curve")
    last = server.call("POST", f"runs/{run}/pause")["update"]
    end = (
        "document.querySelector('#chart-plot').data.find(({ line }) => line?.width === 2).x.at(-1)"
    )
    eventually(lambda: page.evaluate(end), lambda update: update == last, "the last update")


def test_a_finished_curve_names_its_references_and_can_be_scaled_zoomed_and_downloaded(
    server: Server, lasting_window: Window, finished: str
) -> None:
    page = lasting_window.open(server, finished)
    expect(page.locator("#notice")).to_contain_text("Finished at update 3,000")
    for name in ("uniform", "unigram", "bigram"):
        expect(page.locator("#chart .annotation-text", has_text=name).first).to_be_visible()
    with page.expect_download() as download:
        page.locator("#export-open").click()
        page.locator("#export-losses").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert lines[0] == "update,epoch,position,loss,smooth_loss"
    assert len(lines) == 3_001

    expect(page.locator("input[name=scale][value=linear]")).to_be_checked()
    eventually(lambda: axis(page)["type"], lambda kind: kind == "linear", "a linear axis")
    page.locator("label", has_text="log").click()
    eventually(lambda: axis(page)["type"], lambda kind: kind == "log", "a logarithmic axis")
    page.keyboard.press("l")
    eventually(lambda: axis(page)["type"], lambda kind: kind == "linear", "a linear axis again")

    # A closer look fetches every update of the range.
    resolution, follow = page.locator("#resolution"), page.locator("#follow")
    expect(resolution).to_contain_text("1 point = 2 updates")
    eventually(lambda: axis(page), lambda x: x["range"][1] > 2_900, "the whole curve")
    drag(page, 0.5, 0.55)
    expect(resolution).to_have_text("1 point = 1 update")
    # The start of the drag is at another update now, so nothing is hovered.
    expect(page.locator("#crosshair")).to_be_hidden()
    expect(page.locator("#timeline-live")).to_have_attribute("aria-pressed", "true")
    expect(follow).to_have_attribute("aria-pressed", "false")
    page.locator("#chart").dblclick(position={"x": 100, "y": 280})
    expect(follow).to_have_attribute("aria-pressed", "true")


def test_hovering_does_not_redraw_the_chart(server: Server, lasting_window: Window) -> None:
    # No checkpoint is saved during the test: it could be drawn at any time.
    spec = {"sample_every": 20, "hidden_size": 8, "checkpoint_every_s": 86_400}
    run = server.create_run(**spec, paused=True)
    page = lasting_window.open(server, run)
    server.call("POST", f"runs/{run}/step", {"updates": 300})
    expect(page.locator("#writing-title")).to_have_text("Newest sample, at update 300")
    marked = (
        "Math.max(...document.querySelector('#chart-plot').data"
        ".filter(({ mode, name }) => mode === 'markers' && name !== 'losses')"
        ".flatMap(({ x }) => x))"
    )
    eventually(lambda: page.evaluate(marked), (300).__eq__, "the last mark to be drawn")
    # All updates have been fetched.
    expect(page.locator("#resolution")).to_have_text("1 point = 1 update")
    ring, box = page.locator("#viewed-ring"), plot_box(page)
    page.evaluate(
        "window.drawings = 1;"
        "new MutationObserver(() => { window.drawings += 1; })"
        ".observe(document.querySelector('#chart-plot'),"
        " { childList: true, subtree: true, attributes: true })"
    )
    # The last samples and marks may be drawn one after the other. A drawing that is due is made
    # within a tenth of a second, after a frame.
    count = """async () => {
      window.drawings = 0;
      await new Promise((done) => setTimeout(done, 200));
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      return window.drawings;
    }"""
    eventually(lambda: page.evaluate(count), (0).__eq__, "the chart to be drawn")
    for share in (0.2, 0.5, 0.8):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
        expect(page.locator("#writing-title")).to_contain_text("Sample at update")
        place = ring.bounding_box()
        assert place is not None
        # Around the last sample before the pointer, which is never far.
        left_of = share - (place["x"] + place["width"] / 2 - box["x"]) / box["width"]
        assert 0 <= left_of < 0.15
    assert page.evaluate("window.drawings") == 0


def test_a_preview_is_drawn_before_the_chart_library_is_loaded(
    server: Server, window: Window, finished: str
) -> None:
    waiting: list[Route] = []
    window.page.route("**/plotly-basic.min.js", lambda route: waiting.append(route))  # noqa: PLW0108
    # Its preload holds up the end of loading.
    window.page.goto(f"{server.url}?run={finished}", wait_until="domcontentloaded")
    line = window.page.locator("#chart-sketch path").last
    eventually(lambda: line.get_attribute("d") or "", lambda d: d.count("L") > 100, "the sketch")
    expect(window.page.locator("#chart[data-drawn-update]")).to_have_count(0)
    # What changes the layout of the page is there.
    expect(window.page.locator("#notice")).to_contain_text("Finished")
    window.page.evaluate("document.fonts.ready")
    # Each preview has new lines, so one may be replaced while it is measured.
    sketched = eventually(line.bounding_box, bool, "the sketch's place")

    # Requests reach the test only while the page is asked something.
    eventually(lambda: (window.page.title(), waiting)[1], bool, "the request for the library")
    waiting[0].continue_()
    window.page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    expect(window.page.locator("#chart-sketch")).to_have_count(0)
    drawn = window.page.locator("#chart-plot .scatterlayer .trace path.js-line >> nth=-1")
    # One box includes the joints of its stroke, the other does not.
    place = pytest.approx(sketched, abs=5)
    eventually(drawn.bounding_box, lambda box: box == place, "the line at the same place")
