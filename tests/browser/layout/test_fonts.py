"""The shipped fonts, and the layout with them, without them, and with others."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually, expect_parts_below_each_other
from tests.browser.server_process import Server

LATIN_PAGE_BYTES = 250_000
OTHERS = ("DejaVu", "Noto")


def use_installed(page: Page, family: str) -> bool:
    """Use a family instead of the shipped ones, if it is installed."""
    installed = shutil.which("fc-list") and subprocess.run(
        ["fc-list", f"{family} Sans"], capture_output=True, text=True, check=True
    )
    if not installed or not installed.stdout:
        return False
    page.evaluate(
        "(family) => { for (const name of ['Sans', 'Serif'])"
        " document.documentElement.style.setProperty("
        "`--${name.toLowerCase()}`, `'${family} ${name}'`); }",
        family,
    )
    return True


# The page goes on without its fonts, as if they had not arrived.
REMOVE_FONTS = """() => {
  const removeFrom = (sheet) => {
    let removed = 0;
    for (let i = sheet.cssRules.length - 1; i >= 0; i -= 1) {
      const rule = sheet.cssRules[i];
      if (rule.styleSheet) removed += removeFrom(rule.styleSheet);
      if (!(rule instanceof CSSFontFaceRule) || !rule.cssText.includes("url(")) continue;
      sheet.deleteRule(i);
      removed += 1;
    }
    return removed;
  };
  return [...document.styleSheets].reduce((sum, sheet) => sum + removeFrom(sheet), 0);
}"""


def remove_fonts(page: Page) -> None:
    """Show the page in the fonts that are used while the shipped ones are missing."""
    assert page.evaluate(REMOVE_FONTS) >= 4
    page.evaluate("document.fonts.ready")
    loaded = "[...document.fonts].filter(({ status }) => status === 'loaded').length"
    assert page.evaluate(loaded) == 0


def test_a_latin_page_loads_few_bytes_of_fonts_and_no_font_makes_texts_overlap(
    server: Server, window: Window
) -> None:
    run = server.create_run(max_updates=300, sample_every=100, hidden_size=8, name="The Lamps")
    sizes: dict[str, int] = {}
    page = window.page

    def note(response: Any) -> None:
        if response.url.endswith(".woff2"):
            sizes[response.url] = int(response.headers["content-length"])

    page.on("response", note)
    window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    page.evaluate("document.fonts.ready")
    families = page.evaluate("[...document.fonts].filter((f) => f.status === 'loaded').length")
    assert families >= 2
    # Responses reach `note` only while the page is asked something.
    eventually(
        lambda: (page.title(), len(sizes))[1],
        lambda count: count >= families,
        "the sizes of the fonts",
    )
    assert sum(sizes.values()) < LATIN_PAGE_BYTES
    assert all(url.startswith(f"{server.url}static/") for url in sizes)
    widths = page.evaluate(
        """["1111111", "8888888", "4074707"].map((text) => {
          const figure = document.querySelector("#figure-update");
          const span = document.createElement("span");
          span.textContent = text;
          figure.replaceChildren(span);
          return span.getBoundingClientRect().width;
        })"""
    )
    assert len({round(width, 2) for width in widths}) == 1

    expect_no_overlap(page)
    missing = []
    for family in OTHERS:
        if use_installed(page, family):
            expect_no_overlap(page)
        else:
            missing.append(family)
    page.evaluate("document.documentElement.removeAttribute('style')")
    remove_fonts(page)
    expect_no_overlap(page)
    if missing:
        pytest.skip(f"passed, but not installed: {', '.join(missing)}")


def expect_no_overlap(page: Page) -> None:
    page.evaluate("document.fonts.ready")
    for width, height in ((1440, 900), (1280, 720), (1024, 768)):
        page.set_viewport_size({"width": width, "height": height})
        expect_parts_below_each_other(page)
