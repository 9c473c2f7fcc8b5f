"""Sharing a passage: by a link that names the exact model, and with a translator."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.browser.conftest import Module, Window
from tests.browser.passage.test_passage import press_copying, run, written
from tests.browser.server_process import Server

__all__ = ["run"]  # a fixture


def share(page: Page) -> str:
    press_copying(page, "#passage-share")
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_a_shared_link_gives_the_same_text_after_more_training(
    server: Server, window: Window, open_window: Callable[..., Window], run: str
) -> None:
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = window.open(server, run)
    page.locator("#write").click()
    written(page)
    page.locator("#passage-prime-text").fill("The ")
    page.locator("#passage-prime-text").press("Enter")
    expect(page.locator(".primed")).to_have_text("The ")
    first = written(page)
    link = share(page)
    expect(page.locator(".toast")).to_contain_text("however the network changes")
    assert "prime=The" in link

    best = server.call("GET", f"runs/{run}")["best"]
    server.call("POST", f"runs/{run}/step", {"updates": 300})
    assert server.call("GET", f"runs/{run}")["best"] != best
    other = open_window().page
    other.goto(link)
    expect(other.locator("#passage-source")).to_contain_text("exact model of the link")
    assert written(other) == first
    expect(other.locator("#passage-prime-text")).to_have_value("The ")
    # The URL still contains the passage.
    shared, shown = (parse_qs(urlsplit(url).query) for url in (link, other.url))
    assert "passage" in shared
    assert {name: shown.get(name) for name in shared} == shared


def test_a_link_whose_model_no_longer_exists_says_so(
    server: Server, open_window: Callable[..., Window], run: str
) -> None:
    window = open_window()
    window.expect_errors("status of 404")
    page = window.page
    page.goto(f"{server.url}?run={run}&passage=17-{'0' * 24}&seed=3&length=80")
    instead = page.locator("#passage-substitute")
    expect(instead).to_contain_text("The model of update 17 that wrote this passage")
    expect(instead).to_contain_text("the nearest model writes")
    expect(page.locator("#passage-source")).to_contain_text("snapshot, update")
    assert written(page)
    page.locator("#passage-random-seed").click()
    expect(page.locator("#passage-source")).to_contain_text("update")


def test_a_custom_translator(server: Server, window: Window, run: str) -> None:
    page = window.open(server, run)
    page.locator("#write").click()
    written(page)
    page.locator("#passage-length").fill("5000")
    page.locator("#passage-write").click()
    expect(page.locator("#passage-status")).to_contain_text("5,000 characters")
    page.locator("#passage-translate").click()
    links = page.locator("#translate-list a")
    expect(links).to_have_count(3)
    expect(page.locator("#translate-panel")).to_contain_text("sends the text to that site")
    for i in range(3):
        link = links.nth(i)
        href = link.get_attribute("href") or ""
        assert href.startswith("https://")
        assert len(href) <= 4000
        assert link.get_attribute("target") == "_blank"
        assert link.get_attribute("rel") == "noopener noreferrer"
        assert "the first" in link.inner_text()
    own = page.locator("#translate-template")
    for template, fault in [
        ("http://example.org/?q={text}", "https"),
        ("https://example.org/", "{text}"),
        ("https://{text}.example.org/", "host name"),
        ("javascript:alert({text})", "https"),
    ]:
        own.fill(template)
        own.press("Enter")
        expect(page.locator("#translate-fault")).to_contain_text(fault)
    own.fill("https://example.org/?to={language}&q={text}")
    own.press("Enter")
    expect(links).to_have_count(4)
    expect(links.last).to_contain_text("example.org")
    page.keyboard.press("Escape")
    expect(page.locator("#translate-panel")).to_be_hidden()
    expect(page.locator("#passage")).to_be_visible()


def test_a_translator_gets_the_text(module: Module) -> None:
    parts = module(
        "passage/translators.js",
        """(() => {
          const text = "a/b & c? $& 漢字 🙂 ".repeat(400);
          const short = m.translationUrl("https://x.org/?q={text}", "a b", "en");
          const long = m.translationUrl("https://x.org/?l={language}&q={text}", text, "pt");
          const query = new URL(long.href).searchParams.get("q");
          const noRoom = m.translationUrl("https://x.org/" + "y".repeat(5000), "a b", "en");
          return [short, long.href.length, text.startsWith(query), long.characters,
            Array.from(query).length, noRoom];
        })()""",
    )
    assert parts[0] == {"href": "https://x.org/?q=a%20b", "characters": 3}
    assert 3800 < parts[1] <= 4000
    assert parts[2]
    assert parts[3] == parts[4]
    assert parts[5]["characters"] == 0
