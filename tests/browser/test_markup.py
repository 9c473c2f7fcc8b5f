"""Markup in names, texts and notes stays text, wherever the page shows it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually
from tests.browser.server_process import PATIENCE_S, Server

MARKUP = "\"><img src=x onerror=alert(1)><script>alert(2)</script><x-evil>'&lt;b&gt;${7*7}{{7*7}}"
# What turns the direction of all that follows, and what ends that.
TURNED = "\u202etxt.exe\u2066"
WATCH = """
window.complaints = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.complaints.push(event.violatedDirective + " " + event.blockedURI);
});
"""

# What would make elements or scripts of strings.
FROM_STRINGS = (
    "document.body.innerHTML = '<b>bold</b>'",
    "document.body.insertAdjacentHTML('beforeend', '<b>bold</b>')",
    "document.createRange().createContextualFragment('<b>bold</b>')",
    "new DOMParser().parseFromString('<b>bold</b>', 'text/html')",
    "document.createElement('iframe').srcdoc = '<b>bold</b>'",
    "document.createElement('script').src = '/static/other.js'",
    "document.createElement('script').text = '1'",
)


@pytest.fixture
def run(server: Server) -> dict[str, Any]:
    """A run whose every word is markup, on a text that is nothing else."""
    text = f"{MARKUP} {TURNED} <svg onload=alert(3)> <!-- ]]> Orla <x-evil>\n" * 30
    corpus = httpx.post(
        f"{server.url}api/corpora",
        files={"file": ("a.txt", text.encode())},
        data={"name": MARKUP + TURNED},
        timeout=PATIENCE_S,
    ).json()
    run = server.create_run(
        corpus=corpus["id"],
        name=MARKUP + TURNED,
        watch_words=["<x-evil>", "img"],
        hidden_size=20,
        max_updates=400,
        sample_every=50,
        pace="max",
    )
    state = eventually(
        lambda: server.call("GET", f"runs/{run}"),
        lambda now: now["state"] == "finished",
        "the end of the run",
    )
    server.call("POST", f"runs/{run}/checkpoints", {"note": MARKUP + TURNED})
    server.call("POST", f"runs/{run}/milestones", {"update": 100, "text": MARKUP + TURNED})
    return dict(state)


def stays_text(page: Page) -> None:
    evil = "x-evil, img[onerror], img[src='x'], svg[onload], script:not([src]), iframe, object"
    assert page.locator(evil).count() == 0
    assert page.evaluate("window.complaints") == []
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
    page.locator("#passage-prime-text").fill(MARKUP + TURNED)
    page.locator("#passage-write").click()
    expect(page.locator("#passage-text")).to_contain_text("<img src=x onerror=alert(1)>")
    stays_text(page)
    page.keyboard.press("Escape")

    page.keyboard.press("n")
    expect(page.locator("#new-run-dialog")).to_be_visible()
    # A corpus is named after a file: what stands after the last slash.
    expect(page.locator("#new-run-dialog")).to_contain_text("script><x-evil>")
    stays_text(page)


def test_no_string_becomes_markup_or_a_script(
    server: Server, window: Window, run: dict[str, Any]
) -> None:
    page = window.page
    window.expect_complaints("This document requires 'Trusted")
    window.open(server, run["id"])
    for action in FROM_STRINGS:
        thrown = page.evaluate(
            f"() => {{ try {{ {action} }} catch (error) {{ return error.name }} }}"
        )
        assert thrown == "TypeError", action


def test_no_name_turns_round_what_stands_beside_it(run: dict[str, Any]) -> None:
    for name in (run["name"], run["corpus_name"]):
        assert not set(name) & set(TURNED) - set("txt.exe"), name
