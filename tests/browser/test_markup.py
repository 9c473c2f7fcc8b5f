"""Markup in names, texts and notes is shown as text everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window
from tests.browser.server_process import TIMEOUT_S, Server

MARKUP = "\"><img src=x onerror=alert(1)><script>alert(2)</script><x-evil>'&lt;b&gt;${7*7}{{7*7}}"
# Characters that change the direction of the following text, and end that.
BIDI_CONTROLS = "\u202etxt.exe\u2066"
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(event.violatedDirective + " " + event.blockedURI);
});
"""

# Statements that would turn a string into an element or a script.
FROM_STRINGS = (
    "document.body.innerHTML = '<b>bold</b>'",
    "document.body.insertAdjacentHTML('beforeend', '<b>bold</b>')",
    "document.createRange().createContextualFragment('<b>bold</b>')",
    "new DOMParser().parseFromString('<b>bold</b>', 'text/html')",
    "document.createElement('iframe').srcdoc = '<b>bold</b>'",
    "document.createElement('script').src = '/static/other.js'",
    "document.createElement('script').text = '1'",
)


@pytest.fixture(scope="module")
def run(server: Server, keep_run: Callable[..., str]) -> Any:
    """A run whose name, text and notes are markup."""
    text = f"{MARKUP} {BIDI_CONTROLS} <svg onload=alert(3)> <!-- ]]> Orla <x-evil>\n" * 30
    corpus = httpx.post(
        f"{server.url}api/corpora",
        files={"file": ("a.txt", text.encode())},
        data={"name": MARKUP + BIDI_CONTROLS},
        timeout=TIMEOUT_S,
    ).json()
    run = keep_run(
        corpus=corpus["id"],
        name=MARKUP + BIDI_CONTROLS,
        watch_words=["<x-evil>", "img"],
        hidden_size=20,
        max_updates=400,
        sample_every=50,
        pace="max",
    )
    server.call("POST", f"runs/{run}/checkpoints", {"note": MARKUP + BIDI_CONTROLS})
    server.call("POST", f"runs/{run}/milestones", {"update": 100, "text": MARKUP + BIDI_CONTROLS})
    return server.call("GET", f"runs/{run}")


def stays_text(page: Page) -> None:
    # The page's own descriptions of the spec and of limits are data, and are never executed.
    own = "#run-spec[type='application/json'], #limits[type='application/json']"
    script = f"script:not([src], {own})"
    evil = f"x-evil, img[onerror], img[src='x'], svg[onload], {script}, iframe, object"
    assert page.locator(evil).count() == 0
    assert page.evaluate("window.violations") == []
    assert not page.evaluate("document.documentElement.innerHTML").count("<x-evil")


def test_markup_stays_text(server: Server, window: Window, run: dict[str, Any]) -> None:
    page = window.page
    page.add_init_script(WATCH)
    page.on("dialog", lambda dialog: pytest.fail(f"the page asked: {dialog.message}"))
    window.open(server, run["id"])
    expect(page.locator("#run-switch")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.get_by_text("<x-evil>").first).to_be_attached()
    stays_text(page)

    page.locator("#run-switch").click()
    expect(page.locator(".run-row").first).to_contain_text("<script>alert(2)</script>")
    stays_text(page)
    page.keyboard.press("Escape")

    page.keyboard.press("p")
    page.locator("#passage-prime-text").fill(MARKUP + BIDI_CONTROLS)
    page.locator("#passage-write").click()
    expect(page.locator("#passage-text")).to_contain_text("<img src=x onerror=alert(1)>")
    stays_text(page)
    page.keyboard.press("Escape")

    page.keyboard.press("n")
    expect(page.locator("#new-run-dialog")).to_be_visible()
    # A corpus is named after its file, without the path.
    expect(page.locator("#new-run-dialog")).to_contain_text("script><x-evil>")
    stays_text(page)


def test_no_string_becomes_markup_or_a_script(
    server: Server, lasting_window: Window, run: dict[str, Any]
) -> None:
    lasting_window.expect_errors("This document requires 'Trusted")
    page = lasting_window.open(server, run["id"])
    for action in FROM_STRINGS:
        thrown = page.evaluate(
            f"() => {{ try {{ {action} }} catch (error) {{ return error.name }} }}"
        )
        assert thrown == "TypeError", action


def test_names_cannot_reverse_the_text_beside_them(run: dict[str, Any]) -> None:
    for name in (run["name"], run["corpus_name"]):
        assert not set(name) & set(BIDI_CONTROLS) - set("txt.exe"), name
