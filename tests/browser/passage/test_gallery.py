"""The gallery of saved passages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually, expect_list_of_shortcuts, press_in_toast
from tests.browser.server_process import Server
from tests.browser.test_accessibility import SCHEMES

TOKEN = "a token that nobody guesses"


@pytest.fixture
def run(server: Server) -> str:
    run = server.create_run(paused=True, name="A small one")
    server.call("POST", f"runs/{run}/step", {"updates": 40})
    return run


def keep(server: Server, run: str, title: str | None = None, **request: Any) -> dict[str, Any]:
    """Save a passage without the page."""
    answer = server.call("POST", f"runs/{run}/passages", {"length": 300, "seed": 1} | request)
    [first, *_] = answer.get("passages", [answer])
    kept = {"run": run, "fingerprint": first["fingerprint"], "title": title}
    return dict(server.call("POST", "passages", kept))


def gallery(server: Server, page: Page, query: str = "") -> Page:
    page.goto(f"{server.url}passages{query}")
    expect(page.locator("#gallery")).not_to_have_attribute("data-state", "loading")
    return page


def letters(text: str) -> str:
    return "".join(text.split()).lower()


def test_a_passage_is_saved_with_one_key_and_appears_in_the_gallery(
    server: Server, window: Window, run: str
) -> None:
    page = gallery(server, window.page)
    expect(page.locator("#gallery-empty-title")).to_have_text("No saved passages yet.")
    page.get_by_role("link", name="Write a passage").click()
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    page.keyboard.press("p")
    expect(page.locator("#passage-quality")).to_contain_text("real words")
    text = page.locator("#passage-text").inner_text()
    page.keyboard.press("k")
    expect(page.locator("#passage-save")).to_have_text("Saved")
    press_in_toast(page, "Show")

    card = page.locator("#gallery-passages .passage-card")
    expect(card).to_have_count(1)
    expect(card).to_contain_text("A small one")
    expect(card).to_contain_text("update ")
    expect(card).to_contain_text("real words")
    assert letters(card.locator(".prose").inner_text()) == letters(text)
    # The exact model writes it again in the drawer.
    server.call("POST", f"runs/{run}/step", {"updates": 200})
    card.get_by_label("Write it again").click()
    expect(page.locator("#passage-source")).to_contain_text("exact model of the link")
    assert page.locator("#passage-text").inner_text() == text


def test_titles_deletion_with_undo_passages_of_another_client_a_phone_and_paper(
    server: Server, window: Window, run: str
) -> None:
    keep(server, run, seed=1)
    keep(server, run, "The second", seed=2)
    page = gallery(server, window.page)
    expect_list_of_shortcuts(page)
    cards = page.locator("#gallery-passages .passage-card")
    expect(cards).to_have_count(2)
    expect(cards.first.locator("h3")).to_have_text("The second")
    cards.last.get_by_label("Add a title").click()
    page.keyboard.type("The first")
    page.keyboard.press("Enter")
    expect(cards.last.locator("h3")).to_have_text("The first")
    expect(page.locator("#gallery-contents")).to_contain_text("The first")
    eventually(
        lambda: [each["title"] for each in server.call("GET", "passages")["passages"]],
        lambda titles: titles == ["The second", "The first"],
        "the title",
    )
    cards.last.get_by_label("Delete").click()
    expect(cards).to_have_count(1)
    page.locator(".toast").get_by_text("Undo").click()
    expect(cards).to_have_count(2)
    cards.last.get_by_label("Delete").click()
    page.locator(".toast").get_by_label("Dismiss").click()
    eventually(lambda: server.call("GET", "passages")["total"], lambda total: total == 1, "one")
    expect(cards).to_have_count(1)

    # Passages that another client saves appear when the page becomes visible again, and from time
    # to time.
    titles = page.locator("#gallery-passages .passage-card h3")
    keep(server, run, "Here", length=5000)
    look_again(page)
    expect(titles).to_have_text(["Here", "The second"])
    page.get_by_text("Show more").click()
    expect(page.get_by_text("Show more")).to_have_count(0)
    keep(server, run, "There", seed=3)
    look_again(page)
    expect(titles).to_have_text(["There", "Here", "The second"])
    expect(page.get_by_text("Show more")).to_have_count(0)

    keep(server, run, "A title", prime="The ", temperatures=[0.5, 1.0])
    page.set_viewport_size({"width": 390, "height": 844})
    look_again(page)
    expect(titles.first).to_have_text("A title")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, media="screen")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        columns = page.locator(".passage-card-columns section")
        boxes = [columns.nth(i).bounding_box() for i in range(2)]
        assert len({box["x"] for box in boxes if box}) == 1
        page.emulate_media(media="print")
        for gone in (".top", ".passage-card-actions", ".gallery-tools", "#theme"):
            expect(page.locator(gone).first).to_be_hidden()
        expect(page.locator("#gallery-title")).to_be_visible()
        expect(titles.first).to_be_visible()


def look_again(page: Page) -> None:
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_older_passages_files_and_a_single_passage(
    server: Server, window: Window, run: str
) -> None:
    server.call("POST", f"runs/{run}/checkpoints", {})
    kept = [keep(server, run, f"Number {i}", seed=i, length=30) for i in range(22)]
    other = server.create_run(paused=True, name="Another")
    keep(server, other, "Of another", temperatures=[0.4, 1.0], length=40)
    page = gallery(server, window.page)
    cards = page.locator("#gallery-passages .passage-card")
    expect(cards).to_have_count(20)
    expect(cards.first.locator("h4")).to_have_text(["temperature 0.40", "temperature 1.00"])
    measures = cards.first.locator(".passage-card-columns .quality > :nth-child(-n + 3) b")
    expect(measures).to_have_count(6)
    page.locator("#gallery-more").click()
    expect(cards).to_have_count(23)
    expect(page.locator("#gallery-more")).to_be_hidden()
    with page.expect_download() as download:
        page.locator("#gallery-md").click()
    assert download.value.suggested_filename == "hurrah-passages.md"
    assert "## Number 7" in download.value.path().read_text("utf-8")

    page.locator("#gallery-run").select_option(label="Another (1)")
    expect(cards).to_have_count(1)
    expect(page).to_have_url(re.compile(rf"\brun={other}\b"))
    watch = page.get_by_role("link", name="Watch", exact=True)
    expect(watch).to_have_attribute("href", f"/?run={other}")
    gallery(server, page, f"?passage={kept[3]['id']}")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("Number 3")
    expect(page.locator("#gallery-only")).to_contain_text("One passage of 23")
    window.expect_errors("status of 404")
    page.goto(f"{server.url}passages?passage=nothing")
    expect(page.locator("#gallery-problem")).to_contain_text("does not exist")
