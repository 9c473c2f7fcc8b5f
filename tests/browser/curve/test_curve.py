"""The chart in use: axes, notes, smoothing, gestures and export."""

from __future__ import annotations

import csv
import functools
import operator
import re
import struct
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TIMEOUT_S, Window, eventually, figure, plot_box
from tests.browser.server_process import Server
from tests.browser.touch import touch_screen


def layout(page: Page) -> Any:
    """The axes as drawn."""
    return page.evaluate(
        "(() => { const { xaxis, yaxis } = document.querySelector('#chart-plot').layout;"
        " const of = ({ type, range }) => ({ type, range: [...range] });"
        " return { x: of(xaxis), y: of(yaxis) }; })()"
    )


def drawn(page: Page, holds: Callable[[Any], bool], what: str) -> Any:
    return eventually(lambda: layout(page), holds, what)


def choose(page: Page, name: str, value: str) -> None:
    """Choose an option in the axes popover, which stays open."""
    if not page.locator("#axes-panel").is_visible():
        page.locator("#axes-open").click()
    page.locator(f'#axes-panel label:has(input[name="{name}"][value="{value}"])').click()


# Traces without points are not drawn, so the number of this one varies.
SMOOTH_LINE = "document.querySelector('#chart-plot').data.find((one) => one.name === 'smooth loss')"

# The height of the row of controls, and whether it contains all of them.
SWITCHES = """(() => {
  const row = document.querySelector('.switches');
  const seen = [...row.children].filter((child) => child.offsetParent);
  const box = row.getBoundingClientRect();
  const within = seen.every((child) => {
    const { left, right } = child.getBoundingClientRect();
    return left >= box.left - 1 && right <= box.right + 1;
  });
  return [row.offsetHeight, within && row.scrollWidth <= row.clientWidth + 1];
})()"""


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A finished run of 600 updates."""
    return keep_run(max_updates=600, hidden_size=8, sample_every=200)


@pytest.fixture
def page(server: Server, lasting_window: Window, run: str) -> Page:
    """A page that shows the finished run."""
    page = lasting_window.open(server, run)
    expect_whole_curve(page)
    return page


def expect_whole_curve(page: Page) -> None:
    """Wait until all of it is drawn in the size of the window; the last test may have zoomed."""
    drawn_as = """(() => {
      const chart = document.querySelector("#chart");
      const { width, xaxis } = document.querySelector("#chart-plot").layout;
      return [chart.dataset.drawnUpdate, xaxis.range[0], width - chart.clientWidth];
    })()"""
    eventually(lambda: page.evaluate(drawn_as), ["600", 0, 0].__eq__, "the whole curve")


def test_smoothing_axes_and_units_are_chosen_and_a_copied_link_opens_them(
    server: Server, page: Page, run: str
) -> None:
    # The smoothing is computed from every update.
    choose(page, "smoothing", "0.9")
    expected = server.call("GET", f"runs/{run}/loss?smoothing=0.9")["smooth"][-1]
    last = f"{SMOOTH_LINE}.y.at(-1)"
    eventually(
        lambda: page.evaluate(last), lambda y: y == pytest.approx(expected), "the smoothed line"
    )

    sequence = figure(page, "loss")
    choose(page, "unit", "bits")
    expect(page.locator("#figure-loss-note")).to_have_text("bits per character")
    assert figure(page, "loss") == pytest.approx(sequence / 25 / 0.6931, abs=0.02)
    choose(page, "xAxis", "seconds")
    page.get_by_role("button", name="Loss: logarithmic").click()
    page.get_by_role("button", name="X axis: logarithmic").click()
    expect(page.locator("#chart-readout")).to_have_text(
        "loss, in bits per character, over seconds of training, smoothing 0.9"
    )
    # An axis of seconds is at least 0.1 s long.
    seconds = max(server.call("GET", f"runs/{run}")["seconds"], 0.1)
    drawn(
        page,
        lambda axes: (
            axes["x"]["type"] == axes["y"]["type"] == "log"
            and 10 ** axes["x"]["range"][1] == pytest.approx(seconds * 1.06, rel=0.01)
        ),
        "logarithmic axes of seconds and bits",
    )
    page.keyboard.press("Escape")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#copy-link").click()
    expect(page.locator(".toast", has_text="Link copied.")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    for part in (f"run={run}", "x=seconds", "y=bits", "yscale=log", "scale=log", "smoothing=0.9"):
        assert part in link
    other = page.context.new_page()
    other.goto(link)
    other.locator("#chart[data-drawn-update]").wait_for(state="attached")
    # Each axis fits the loss after the chosen smoothing has been fetched.
    drawn(other, lambda axes: axes == layout(page), "the same view in another window")


def test_smoothing_continues_live(server: Server, lasting_window: Window) -> None:
    run = server.create_run(max_updates=None, hidden_size=8)
    page = lasting_window.open(server, run, "&smoothing=0.99")
    drawn_x = f"{SMOOTH_LINE}.x.at(-1)"
    first = eventually(lambda: page.evaluate(drawn_x), lambda x: x > 200, "a line")
    eventually(lambda: page.evaluate(drawn_x), lambda x: x > first + 500, "the line to go on")
    server.call("POST", f"runs/{run}/pause", {})
    stands = server.call("GET", f"runs/{run}")["update"]
    expected = server.call("GET", f"runs/{run}/loss?smoothing=0.99")["smooth"][-1]
    eventually(
        lambda: page.evaluate(
            f"(() => {{ const {{ x, y }} = {SMOOTH_LINE}; return [x.at(-1), y.at(-1)]; }})()"
        ),
        lambda end: end == [stands, pytest.approx(expected, rel=1e-3)],
        "the line to end where the run stands",
    )


def delete_notes(server: Server, run: str) -> None:
    for each in server.call("GET", f"runs/{run}/milestones"):
        if each["kind"] == "note":
            server.call("DELETE", f"runs/{run}/milestones/{each['id']}")


def test_a_note_is_written_edited_deleted_restored_and_described(
    server: Server, page: Page, run: str, open_window: Callable[..., Window]
) -> None:
    other = open_window().open(server, run)
    box = plot_box(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.press("m")
    field = page.get_by_role("textbox", name="Note at update")
    expect(field).to_be_focused()
    field.fill("here it finds the spaces")
    field.press("Enter")
    label = "#chart .annotation-text"
    for each in (page, other):
        expect(each.locator(label, has_text="here it finds the spaces")).to_be_visible()
    (note,) = [m for m in server.call("GET", f"runs/{run}/milestones") if m["kind"] == "note"]
    assert 280 <= note["update"] <= 320

    page.mouse.move(box["x"] - 30, box["y"] - 60)
    page.keyboard.press("[")
    card = page.locator("#pin-card")
    expect(card).to_contain_text("here it finds the spaces")
    card.get_by_role("button", name="Edit this note").click()
    field.fill("and here words")
    field.press("Enter")
    expect(other.locator(label, has_text="and here words")).to_be_visible()
    card.get_by_role("button", name="Delete this note").click()
    deleted = page.locator(".toast", has_text="Note deleted")
    deleted.hover()  # it stays
    expect(other.locator(label, has_text="and here words")).to_have_count(0)
    deleted.get_by_role("button", name="Undo").click()
    expect(other.locator(label, has_text="and here words")).to_be_visible()

    delete_notes(server, run)
    expect(page.locator(label, has_text="and here words")).to_have_count(0)
    server.call("POST", f"runs/{run}/milestones", {"update": 300, "text": "look at this"})
    expect(page.locator("#chart .annotation-text", has_text="look at this")).to_be_visible()
    box = plot_box(page)
    page.mouse.move(box["x"] + box["width"] * 300 / (600 * 1.015), box["y"] + 20)
    expect(page.locator("#chart-mark")).to_contain_text("note, update 300: look at this")
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] - 5)
    expect(page.locator("#pin-line")).to_be_visible()
    page.locator("#pin-card").get_by_role("button", name="Back to live").click()
    expect(page.locator("#pin-line")).to_be_hidden()
    delete_notes(server, run)


def test_two_fingers_zoom_on_a_phone(server: Server, lasting_window: Window, run: str) -> None:
    lasting_window.page.set_viewport_size({"width": 390, "height": 844})
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    expect_whole_curve(page)
    page.locator("#chart").scroll_into_view_if_needed()
    box = plot_box(page)
    y = box["y"] + box["height"] / 2

    def points(*shares: float) -> list[tuple[float, float]]:
        return [(box["x"] + box["width"] * share, y) for share in shares]

    with touch_screen(page) as fingers:
        fingers.send("touchStart", *points(0.4))
        fingers.send("touchStart", *points(0.4, 0.6))
        for step in range(1, 5):
            fingers.send("touchMove", *points(0.4 - step * 0.05, 0.6 + step * 0.05))
        fingers.send("touchEnd")
    third = pytest.approx(600 * 1.015 / 3, rel=0.1)
    drawn(
        page, lambda axes: axes["x"]["range"][1] - axes["x"]["range"][0] == third, "a third of it"
    )


def test_the_curve_can_be_exported_zoomed_and_panned(page: Page) -> None:

    def take(button: str) -> bytes:
        page.locator("#export-open").click()
        with page.expect_download() as download:
            page.locator(button).click()
        return download.value.path().read_bytes()

    assert struct.unpack(">II", take("#export-png")[16:24]) == (2_000, 1_240)
    drawing = take("#export-svg").decode()
    assert drawing.startswith("<svg")
    assert "loss, nats per sequence" in drawing
    rows = list(csv.DictReader(take("#export-csv").decode().splitlines()))
    assert list(rows[0])[:3] == ["update", "epochs", "seconds"]
    assert rows[-1]["update"] == "600"
    assert len(take("#export-losses").splitlines()) == 601

    # The keys and the wheel zoom; Shift pans.
    whole = layout(page)["x"]["range"]
    page.keyboard.press("+")
    closer = drawn(page, lambda axes: axes["x"]["range"][0] > 1, "a closer look")["x"]["range"]
    assert closer[1] - closer[0] == pytest.approx((whole[1] - whole[0]) / 1.6, rel=0.02)
    box = plot_box(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 150)
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + 150, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    by = 60 / box["width"] * (closer[1] - closer[0])
    span = pytest.approx([closer[0] - by, closer[1] - by], rel=0.02)
    drawn(page, lambda axes: axes["x"]["range"] == span, "an earlier stretch")
    page.mouse.wheel(0, -400)
    drawn(
        page, lambda axes: axes["x"]["range"][0] > closer[0] - by + 5, "a closer look by the wheel"
    )
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("f")
    drawn(page, lambda axes: axes["x"]["range"] == whole, "the whole curve again")

    # The controls stay in one row.
    for width, height in ((1440, 900), (1024, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        eventually(
            lambda: page.evaluate(SWITCHES),
            lambda row: row[0] <= 34 and row[1],
            f"the controls to be in one row at a width of {width}",
        )


def test_a_run_that_only_gets_worse_is_reported(server: Server, lasting_window: Window) -> None:
    run = server.create_run(pace="max", max_updates=2_000, learning_rate=1_000, hidden_size=8)
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    expect(page.locator("#figure-book-note")).to_have_text("worse than random guessing")
    # Large tick labels fit beside the curve.
    ticks = page.locator("#chart .ytick text")
    expect(ticks.last).to_contain_text(re.compile("[kMG]$"))


def pinned_update(page: Page) -> int:
    found = re.search(r"update ([\d,]+)", page.locator("#pin-card").inner_text())
    return int(found[1].replace(",", "")) if found else 1


def test_a_long_curve_names_what_a_click_reads_and_when_a_reference_was_passed(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(max_updates=3_000, sample_every=1_000, hidden_size=8)
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    # The update at which a reference was passed is exact.
    note = page.locator("#figure-book-note")
    expect(note).to_contain_text("below unigram since")
    corpus = server.call("GET", f"runs/{run}")["corpus"]
    entropy = next(c for c in server.call("GET", "corpora") if c["id"] == corpus)["entropy"]
    loss = server.call("GET", f"runs/{run}/loss?points=5000")
    pairs = zip(loss["update"], loss["smooth"], strict=True)
    first = next(update for update, smooth in pairs if smooth < entropy["unigram"] * 25)
    expect(note).to_have_text(f"below unigram since {first:,}")

    # The hover text is beside the pointer.
    text = httpx.get(f"{server.url}api/runs/{run}/losses.csv", timeout=TIMEOUT_S).text
    rows = list(csv.DictReader(text.splitlines()))
    plot = plot_box(page)
    for share in (0.3, 0.8):
        x, y = plot["x"] + plot["width"] * share, plot["y"] + plot["height"] * 0.85
        page.mouse.move(x, y)
        readout = page.locator("#chart-readout")
        expect(readout).to_contain_text("a click reads the greatest")
        box = readout.bounding_box()
        assert box is not None
        far_px = 60
        assert box["y"] - far_px < y < box["y"] + box["height"] + far_px
        assert box["x"] - far_px < x < box["x"] + box["width"] + far_px
        found = re.match(
            r"updates ([\d,]+) to ([\d,]+): .* losses [\d.]+ to ([\d.]+),", readout.inner_text()
        )
        assert found
        first, last, greatest = (float(each.replace(",", "")) for each in found.groups())
        page.mouse.click(x, y)
        # The middle is pinned until the greatest loss is found.
        eventually(
            lambda: float(rows[pinned_update(page) - 1]["loss"]),
            functools.partial(operator.eq, pytest.approx(greatest, abs=0.06)),
            "the greatest loss to be pinned",
        )
        assert first <= pinned_update(page) <= last
        page.keyboard.press("Escape")
