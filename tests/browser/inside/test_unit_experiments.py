"""The heat map of units, the text coloured by a unit, where units fire, and a unit held."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Position, expect

from tests.browser.conftest import TIMEOUT_S, Module, Window, eventually
from tests.browser.server_process import Server
from tests.browser.test_accessibility import CONTRASTS, SCHEMES
from tests.serving import PAGES

UNITS = 12
SMALL = {"hidden_size": UNITS, "sample_length": 20, "sample_every": 60}
TEXT = '"No," said Hester. "Wait."'
SAID = (6, 10)

# The colour of a point of the canvas of the heat map, in its own pixels.
COLOUR = """([x, y]) => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  pen.drawImage(document.querySelector("#unit-map-canvas"), x, y, 1, 1, 0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""


@pytest.fixture(scope="module")
def run(server: Server, keep_run: Callable[..., str]) -> str:
    files = {"file": ("pages.txt", PAGES.encode())}
    sent = httpx.post(f"{server.url}api/corpora", files=files, timeout=TIMEOUT_S)
    return keep_run(corpus=sent.json()["id"], max_updates=120, layers=2, **SMALL)


def view(server: Server, window: Window, run: str, **query: str) -> Page:
    """Open the view with a text of its own, and wait for the heat map."""
    asked = httpx.QueryParams({"run": run, "view": "units", "text": TEXT, **query})
    window.page.goto(f"{server.url}inside?{asked}")
    expect(window.page.locator("#unit-text span")).to_have_count(len(TEXT))
    return window.page


def post(server: Server, run: str, path: str, **request: Any) -> Any:
    answer = httpx.post(f"{server.url}api/runs/{run}/{path}", json=request, timeout=TIMEOUT_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def activations(server: Server, run: str, layer: int) -> np.ndarray:
    """The activations (n, m) in the text, as bytes."""
    hidden = post(server, run, "probe", text=TEXT, layer=layer)["hidden"]
    return np.frombuffer(base64.b64decode(hidden["int8"]), np.int8).reshape(hidden["shape"])


def cell(row: int, character: int) -> Position:
    """The middle of a cell of the heat map, from its corner; see SIZES in heat-map.js."""
    return {"x": 190 + 13 * (character + 0.5), "y": 24 + 17 * (row + 0.5)}


def character(page: Page, index: int) -> Locator:
    return page.locator("#unit-text span").nth(index)


def test_the_heat_map_shows_the_activations_and_selects_a_unit_by_pointer_or_keys(
    server: Server, window: Window, run: str, module: Module
) -> None:
    page = view(server, window, run, unit="1-0")
    page.locator("#unit-map-order").select_option("number")
    found = activations(server, run, layer=1)
    colours = module("inside/units/map-colours.js", "m.mapColours('light').cells")
    for unit, index in ((0, 3), (5, 0), (UNITS - 1, 10)):
        wanted = re.findall(r"\d+", colours[int(found[index, unit]) + 127])
        at = cell(unit, index)
        read = partial(page.evaluate, COLOUR, [at["x"], at["y"]])
        what = f"the colour of unit {unit} at character {index}"
        eventually(read, [int(part) for part in wanted].__eq__, what)
    # Below zero it is blue, above orange.
    assert colours[0] == "rgb(47 95 158)"
    assert colours[254] == "rgb(196 85 26)"

    # A click colours the text by the unit.
    page.locator("#unit-map").hover(position=cell(4, 6))
    value = f"{found[6, 4] / 127:.2f}".replace("-", "−")
    readout = f"Layer 2, unit 4, after “s”: {value}"
    expect(page.locator("#unit-map-readout")).to_contain_text(re.compile(r"unit 4.*, after “s”"))
    assert page.locator("#unit-map-readout").inner_text().endswith(value), readout
    page.locator("#unit-map").click(position=cell(4, 6))
    expect(page.locator("#unit-text-title")).to_contain_text("Layer 2, unit 4")
    for index, byte in enumerate(found[:, 4].tolist()):
        tint = round(abs(byte) / 127 * 7)
        name = f"tint-low-{tint}" if byte < 0 else f"tint-{tint}"
        if tint:
            expect(character(page, index)).to_have_class(re.compile(rf"(^| ){name}( |$)"))
        else:
            expect(character(page, index)).not_to_have_class(re.compile("tint"))
    eventually(
        lambda: page.evaluate("location.search"),
        lambda url: "unit=1-4" in url and "at=6" in url,
        "the URL",
    )

    # The other layer has units of its own.
    page.locator("#unit-map-layer").select_option("0")
    expect(page.locator("#unit-text-title")).to_contain_text("Layer 1, unit 0")
    heat_map = page.locator("#unit-map")
    expect(heat_map).to_have_attribute("aria-label", re.compile(r"of layer 1 by"))

    # The keys move over the map and say what is there.
    page.locator("#unit-map-layer").select_option("1")
    expect(page.locator("#unit-text-title")).to_contain_text("Layer 2, unit 0")
    expect(heat_map).to_have_attribute("aria-label", re.compile(r"of layer 2 by"))
    page.locator("#unit-map").click(position=cell(2, 4))
    expect(page.locator("#unit-text-title")).to_contain_text("Layer 2, unit 2")
    page.locator("#unit-map").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    said = page.locator("#unit-map-live")
    expect(said).to_contain_text(re.compile(r"Layer 2, unit 3.*, after “,”: −?\d"))
    page.keyboard.press("End")
    page.keyboard.press("PageDown")
    expect(said).to_contain_text(re.compile(rf"unit {UNITS - 1}.*, after “\"”"))
    page.keyboard.press("Enter")
    expect(page.locator("#unit-text-title")).to_contain_text(f"unit {UNITS - 1}")


def test_the_orders_have_every_unit_once(module: Module) -> None:
    units = [
        {"layer": 0, "unit": unit, "feature": feature, "correlation": r}
        for unit, (feature, r) in enumerate(
            [("a vowel", 0.5), (None, None), ("a digit", -0.9), ("a vowel", -0.7), ("a digit", 0.1)]
        )
    ]
    order = "m.orderByFeature(x)"
    assert module("inside/units/unit-order.js", order, units) == [2, 4, 3, 0, 1]
    # Units 0 and 2 are alike, and 1 and 3.
    rows = [[100, -100, 90, -100], [-50, 20, -50, 20], [9, 80, 10, 90], [-3, 3, 4, 12]]
    similar = module(
        "inside/units/unit-order.js",
        "m.orderBySimilarity({ n: 4, m: 4, bytes: Int8Array.from(x) })",
        [byte for row in rows for byte in row],
    )
    assert similar == [0, 2, 3, 1]


def test_a_unit_is_held_and_the_stretches_where_it_is_active_are_found(
    server: Server, window: Window, run: str
) -> None:
    query = {"unit": "1-2", "held": "-0.5", "seed": "7", "temperature": "0.8", "threshold": "0.2"}
    page = view(server, window, run, **query)
    expect_held_unit(server, page, run)
    expect_stretch_by_keys(page)
    expect_stretch_by_pointer(server, page, run)
    expect_legible_on_a_phone(page)


def expect_held_unit(server: Server, page: Page, run: str) -> None:
    asked = {"unit": 2, "layer": 1, "seed": 7, "temperature": 0.8, "prime": TEXT}
    found = post(server, run, "intervention", **asked, value=-0.5)
    without, held = page.locator("#hold-without"), page.locator("#hold-with")
    # The passages are written when they are in view.
    page.locator("#hold-texts").scroll_into_view_if_needed()
    expect(held).to_have_text(found["with"], use_inner_text=False)
    assert without.text_content() == found["without"]
    expect(page.locator("#hold-with-title")).to_have_text("Layer 2, unit 2 held at −0.50")
    assert (
        page.locator("#hold-with .context").text_content()
        == (found["with"][: found["first_difference"]])
    )

    page.locator("#hold-value").focus()
    page.keyboard.press("End")
    expect(page.locator("#hold-with-title")).to_have_text("Layer 2, unit 2 held at 1.00")
    found = post(server, run, "intervention", **asked, value=1)
    assert held.text_content() == found["with"]
    page.locator("#hold-seed").click()
    expect(without).not_to_have_text(found["without"], use_inner_text=False)
    seed = page.locator("#hold-seed-value").inner_text()
    eventually(
        lambda: page.evaluate("location.search"), lambda url: f"seed={seed}" in url, "the URL"
    )


def expect_stretch_by_keys(page: Page) -> None:
    character(page, SAID[0]).click()
    page.locator("#unit-text").focus()
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    stretch = page.locator("#unit-text .in-stretch")
    expect(stretch).to_have_text(list("said"))
    expect(page.locator("#unit-text-live")).to_have_text("Selected: “said”")
    expect(page.locator("#spans-about")).to_contain_text("“said”")
    page.keyboard.press("Escape")
    expect(stretch).to_have_count(0)
    expect(page.locator("#spans-results")).to_be_hidden()
    # A word at once.
    character(page, 13).dblclick()
    expect(stretch).to_have_text(list("Hester"))
    page.keyboard.press("Escape")
    expect(stretch).to_have_count(0)


def expect_stretch_by_pointer(server: Server, page: Page, run: str) -> None:
    expect(page.locator("#spans-hint")).to_be_visible()
    page.locator("#spans-hint").scroll_into_view_if_needed()
    first, last = SAID[0], SAID[1] - 1
    character(page, first).hover()
    page.mouse.down()
    character(page, last).hover()
    page.mouse.up()
    expect(page.locator("#unit-text .in-stretch")).to_have_text(list("said"))
    expect(page.locator("#spans-about")).to_contain_text("active throughout “said”.")
    asked = {"text": TEXT, "from": SAID[0], "to": SAID[1], "layer": 1}
    found = post(server, run, "units/spans", **asked, threshold=0.2)
    assert found["spans"]
    expect(page.locator("#spans-units button")).to_have_count(len(found["units"]))
    items = page.locator("#spans-list li")
    expect(items).to_have_count(len(found["spans"]))
    first = found["spans"][0]
    shown = re.sub(r"(\n+)", lambda ends: "↵" * len(ends[1]) + " ", first["text"])
    assert items.first.locator("mark").text_content() == shown
    expect(items.first).to_contain_text(f"from {first['from']:,}")
    eventually(
        lambda: page.evaluate("location.search"), lambda url: "stretch=6-10" in url, "the URL"
    )

    # With the keys: a smaller threshold has more units.
    page.locator("#spans-threshold").focus()
    page.keyboard.press("Home")
    more = post(server, run, "units/spans", **asked, threshold=0)
    assert len(more["units"]) > len(found["units"])
    expect(page.locator("#spans-units button")).to_have_count(len(more["units"]))
    chosen = more["units"][0]["unit"]
    page.locator("#spans-units button").first.click()
    expect(page.locator("#unit-text-title")).to_contain_text(f"Layer 2, unit {chosen}")
    page.get_by_label(f"Only layer 2, unit {chosen}").check()
    expect(page.locator("#spans-about")).to_have_text(
        f"Layer 2, unit {chosen} is active throughout “said”."
    )


def expect_legible_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#spans-list li").first).to_be_visible()
    page.locator("#hold-texts").scroll_into_view_if_needed()
    expect(page.locator("#hold-with .context")).to_be_attached()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        faint = [text for text in page.evaluate(CONTRASTS) if text["contrast"] < 4.5]
        assert faint == [], scheme
        found = Axe().run(page, context="#inside-view-units").response["violations"]
        grave = [each["id"] for each in found if each["impact"] in {"serious", "critical"}]
        assert grave == [], scheme
    width = "document.documentElement.scrollWidth"
    eventually(lambda: page.evaluate(width), lambda pixels: pixels <= 390, "no overflow")
