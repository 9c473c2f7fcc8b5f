"""The view of one update in a real browser: every step, by keyboard, and the update itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import TIMEOUT_S, Window, eventually
from tests.browser.server_process import Server

SPEC: dict[str, Any] = {"hidden_size": 9, "layers": 2, "sequence_length": 6, "sample_length": 20}
STEPS = SPEC["sequence_length"]
PHONE: ViewportSize = {"width": 390, "height": 844}
# Before the page's modules run.
AS_VIEWER = """new MutationObserver(() => {
  if (document.body) document.body.dataset.operator = "false";
}).observe(document, { childList: true, subtree: true });"""

# The texts that an element has from now on: each is shown for a second only.
RECORD_PHASES = """(phase) => {
  window.phases = [];
  new MutationObserver(() => window.phases.push(phase.textContent))
    .observe(phase, { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A paused run."""
    return keep_run(updates=40, **SPEC)


def open_update(page: Page, server: Server, run: str) -> None:
    page.goto(f"{server.url}inside?run={run}&view=update")
    expect(page.locator("#update")).to_be_visible()


def test_an_update_is_gone_through_forward_and_back_and_then_made(
    server: Server, run: str, window: Window, keep_run: Callable[..., str]
) -> None:
    text = "abcdef\u0301\u200b" * 40
    files = {"file": ("unseen.txt", text.encode())}
    sent = httpx.post(f"{server.url}api/corpora", files=files, timeout=TIMEOUT_S)
    unseen = keep_run(updates=1, corpus=sent.json()["id"], **SPEC)
    page = window.page
    open_update(page, server, run)
    # The link leads to the run in view, although there is a newer one.
    watch = page.get_by_role("link", name="Watch", exact=True)
    expect(watch).to_have_attribute("href", f"/?run={run}")
    found = server.call("GET", f"runs/{run}/unrolled")
    caption, phase = page.locator("#update-caption"), page.locator("#update-phase")
    expect(page.locator("#update-title")).to_have_text("Update 41")
    expect(page.locator(".step[data-read]")).to_have_count(1)  # the state before
    page.keyboard.press("ArrowRight")
    expect(phase).to_have_text(f"forward 1 of {STEPS}")
    expect(caption).to_contain_text(f"loss {found['loss'][0]:.2f} nats")
    page.locator("#update-next").click()
    expect(page.locator(".step[data-read]")).to_have_count(3)
    expect(page.locator(".step[data-now] .step-number")).to_have_text("2")
    # A strip has a pixel for each unit, and colours.
    height, drawn = page.locator(".step[data-now] .strip").first.evaluate(
        "strip => [strip.height, strip.getContext('2d').getImageData(0, 0, 1, strip.height)"
        ".data.some(Boolean)]"
    )
    assert (height, drawn) == (9, True)
    for _ in range(STEPS):
        page.keyboard.press("ArrowRight")
    expect(phase).to_have_text(f"backward {STEPS} of {STEPS}")
    expect(caption).to_contain_text("the last one")
    page.locator(".step[data-step='3']").click()
    expect(phase).to_have_text(f"backward 3 of {STEPS}")
    expect(page.locator(".step[data-back]")).to_have_count(STEPS - 2)
    expect(page.locator("#update-explanations [data-now] h3")).to_have_text("Backward")
    bars = page.locator("#update-rows tr:first-child rect")
    expect(bars).to_have_count(STEPS)
    expect(page.locator("#update-rows tr:first-child rect[data-back]")).to_have_count(STEPS - 2)
    position = f"step={2 * STEPS - 1}"
    eventually(lambda: page.evaluate("location.search"), lambda url: position in url, "the URL")
    # A slider uses its own keys.
    page.locator("#update-position").focus()
    page.keyboard.press("End")
    expect(phase).to_have_text("step of the optimizer")
    before, after = found["total"]["loss"], found["total"]["loss_after"]
    expect(caption).to_contain_text(f"from {before:.2f} to {after:.2f} nats")
    expect(page.locator("#update-rows tr")).to_have_count(len(found["parameters"]) + 1)
    page.locator(".update-table summary").click()
    expect(page.locator("#update-steps tr")).to_have_count(STEPS)
    grave = Axe().run(page, context="#inside-view-update").response["violations"]
    assert [each for each in grave if each["impact"] in {"serious", "critical"}] == []

    page.locator("#update-make").click()
    expect(page.locator("#update-result")).to_contain_text(
        f"Update 41 was made. On the same characters the loss fell from {before:.2f}"
    )
    expect(page.locator("#update-title")).to_have_text("Update 42")
    expect(phase).to_have_text("start")
    now = server.call("GET", f"runs/{run}")
    assert now["update"] == 41
    assert now["loss"] == pytest.approx(before, rel=1e-5)

    # It plays by itself, and stops at a key.
    phase.evaluate(RECORD_PHASES)
    page.keyboard.press("Space")
    expect(page.locator("#update-play")).to_have_accessible_name("Pause")
    phases = eventually(lambda: page.evaluate("window.phases"), bool, "another phase")
    assert phases[0] == f"forward 1 of {STEPS}"
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#update-play")).to_have_accessible_name("Play")

    # Characters without a glyph have codes.
    page.locator("#inside-run").select_option(unseen)
    expect(page.locator("#update-title")).to_have_text("Update 2")
    page.locator("#update-title").click()
    page.keyboard.press("ArrowRight")
    expect(caption).to_contain_text("reads ‘◌\u0301’.")
    page.keyboard.press("ArrowRight")
    expect(caption).to_contain_text("reads U+200B.")
    expect(page.locator(".step[data-now] .step-input")).to_have_text("200B")


def test_a_viewer_on_a_phone_steps_through_without_motion(
    server: Server, run: str, open_window: Callable[..., Window]
) -> None:
    page = open_window(viewport=PHONE, color_scheme="dark", reduced_motion="reduce").page
    page.add_init_script(AS_VIEWER)
    open_update(page, server, run)
    expect(page.locator("#update-play")).to_be_hidden()
    expect(page.locator("#update-make")).to_be_hidden()
    expect(page.locator("#update-about")).to_contain_text("The operator can make it.")
    page.keyboard.press("End")
    expect(page.locator("#update-caption")).to_contain_text("learning rate")
    page.keyboard.press("Home")
    for _ in range(STEPS):
        page.locator("#update-next").click()
    # The network scrolls in its card to the current step, the page does not.
    eventually(
        page.locator(".step[data-now]").bounding_box,
        lambda box: box is not None and 0 < box["x"] < PHONE["width"] - box["width"],
        "the step to be in view",
    )
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) == PHONE["width"]


def test_a_run_that_trains_is_paused_first(server: Server, lasting_window: Window) -> None:
    run = server.create_run(**SPEC)
    page = lasting_window.open(server, run)
    # The link beside the button that steps.
    page.locator("#step-inside").click()
    expect(page.locator("#update-about")).to_contain_text("when the page asked")
    page.locator("#update-pause").click()
    expect(page.locator("#update-make")).to_be_visible()
    update = server.call("GET", f"runs/{run}")["update"]
    expect(page.locator("#update-title")).to_have_text(f"Update {update + 1:,}")
