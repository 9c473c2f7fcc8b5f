"""Accessibility: contrast, names, focus, announcements and motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually, figure
from tests.browser.server_process import Server

# The contrast of every visible text with the surface behind it, by the WCAG formula.
CONTRASTS = """async () => {
  // On its way from one colour to another a text may be as faint as it likes.
  const turning = document.getAnimations().filter((each) => each instanceof CSSTransition);
  await Promise.allSettled(turning.map(({ finished }) => finished));
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].map((part) => part / 255);
  };
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const surface = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return rgba("white");
  };
  const seen = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.data.trim();
    const skipped = element.closest(
      "script, template, option, .visually-hidden, [aria-hidden=true], #chart-plot, :disabled, " +
        "label:has(:disabled)",
    );
    if (!text || skipped || !element.checkVisibility({ opacityProperty: true })) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(rgba(style.color)), luminance(surface(element))];
    seen.push({ text, contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) });
  }
  return seen;
}"""


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A finished run of 1,000 updates."""
    return keep_run(max_updates=1_000, sample_every=100, watch_words=["e", "Zebedee"])


def test_every_text_has_contrast(server: Server, lasting_window: Window, run: str) -> None:
    lasting_window.page.emulate_media(reduced_motion="reduce")
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished at update 1,000")
    expect(page.locator("#earlier button")).not_to_have_count(0)

    def expect_contrast() -> None:
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            seen = page.evaluate(CONTRASTS)
            assert len(seen) > 50
            assert [text for text in seen if text["contrast"] < 4.5] == [], scheme

    expect_contrast()
    page.locator("#write").click()
    expect(page.locator("#passage-text .prose")).to_be_visible()
    page.locator("#passage-more summary").click()
    expect_contrast()
    page.locator("#passage-close").click()
    page.locator("#new-run").click()
    expect(page.locator("#parameter-count")).to_contain_text("parameters")
    page.locator("#advanced summary").click()
    expect_contrast()


def test_changes_are_announced(server: Server, lasting_window: Window) -> None:
    run = server.create_run(pace=10, max_updates=None)
    page = lasting_window.open(server, run)
    # Before the first update there is only one sample.
    eventually(lambda: figure(page, "update"), lambda update: update > 0, "the first update")
    page.locator("#pause").click()
    announcer = page.locator("#live-region")
    expect(announcer).to_contain_text("The run is paused at update")
    # With only one sample, the oldest is also the newest.
    expect(page.locator("#timeline")).to_be_enabled()
    # The results of actions do not wait for earlier announcements.
    page.keyboard.press("Home")
    expect(announcer).to_contain_text("Sample before the first update.")
    page.keyboard.press("l")
    expect(announcer).to_contain_text("The axis is logarithmic.")
    # Toasts are announced by their container, which exists before them.
    expect(page.locator("#toasts")).to_have_attribute("aria-live", "polite")


def test_a_dialog_and_the_drawer_keep_and_restore_the_focus_and_every_control_has_a_name(
    server: Server, lasting_window: Window
) -> None:
    page = lasting_window.open(server, server.create_run(paused=True))
    page.locator("#new-run").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#new-run-dialog")).to_be_visible()
    for _ in range(30):
        page.keyboard.press("Tab")
        assert focus_in(page, "#new-run-dialog, body")
    page.keyboard.press("Escape")
    expect(page.locator("#new-run")).to_be_focused()

    page.locator("#write").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#passage-text .prose")).to_be_visible()
    assert focus_in(page, "#passage")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a[href], input, select")]
          // An empty term is not displayed.
          .filter((element) => !element.matches(".term:empty"))
          .filter((element) => !(element.ariaLabel || element.labels?.length ||
            element.textContent.trim()))
          .map((element) => element.outerHTML)"""
    )
    assert nameless == []
    page.keyboard.press("Escape")
    expect(page.locator("#write")).to_be_focused()


def focus_in(page: Page, selector: str) -> bool:
    return bool(page.evaluate(f"document.activeElement.closest('{selector}') !== null"))


def test_reduced_motion_stops_animations(server: Server, lasting_window: Window, run: str) -> None:
    lasting_window.page.emulate_media(reduced_motion="reduce")
    page = lasting_window.open(server, run)
    expect(page.locator("#writing-title")).to_have_text("Newest sample, at update 1,000")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#writing-title")).to_contain_text("900")
    assert (
        page.evaluate("document.getAnimations().filter(a => a.playState === 'running').length") == 0
    )


def test_forced_colours_keep_those_of_the_curve(
    server: Server, lasting_window: Window, run: str
) -> None:
    lasting_window.page.emulate_media(forced_colors="active")
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    colours = page.evaluate("import('/static/js/lib/theme.js').then((m) => m.colours())")
    assert len({colours[name] for name in ("ink", "soft", "line", "accent", "band")}) == 5
    dot = "getComputedStyle(document.querySelector('#run-dot')).forcedColorAdjust"
    assert page.evaluate(dot) == "none"
