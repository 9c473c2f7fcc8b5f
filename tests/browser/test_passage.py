"""Asking the network for a passage."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually
from tests.browser.server_process import Server


@pytest.fixture
def run(server: Server) -> str:
    run = server.create_run(paused=True)
    server.call("POST", f"runs/{run}/step", {"updates": 40})
    return run


def text(page: Page) -> str:
    return page.locator("#passage-text").inner_text()


def written(page: Page) -> str:
    expect(page.locator("#passage")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#passage-text .prose")).to_be_visible()
    return text(page)


def test_a_passage_appears_beside_the_curve(server: Server, window: Window, run: str) -> None:
    page = window.open(server, run)
    page.locator("#write").click()
    assert len(written(page)) > 500
    expect(page.locator("#passage-quality")).to_contain_text("real words")
    expect(page.locator("#passage-source")).to_contain_text("best model, update")
    drawer, curve = page.locator("#passage").bounding_box(), page.locator("#chart").bounding_box()
    assert drawer is not None
    assert curve is not None
    assert drawer["x"] >= curve["x"] + curve["width"]


def test_the_same_seed_gives_the_same_text(server: Server, window: Window, run: str) -> None:
    page = window.open(server, run)
    page.locator("#write").click()
    first = written(page)
    seed = page.locator("#passage-seed").input_value()

    page.locator("#passage-roll").click()
    eventually(lambda: text(page), lambda now: now != first, "another text")
    assert page.locator("#passage-seed").input_value() != seed

    page.locator("#passage-seed").fill(seed)
    page.locator("#passage-form").get_by_text("Write", exact=True).click()
    eventually(lambda: text(page), lambda now: now == first, "the first text again")


def test_copy_and_download(server: Server, open_window: Callable[..., Window], run: str) -> None:
    window = open_window(permissions=["clipboard-read", "clipboard-write"])
    page = window.open(server, run)
    page.locator("#write").click()
    shown = "".join(written(page).split())
    page.locator("#passage-copy").click()
    expect(page.locator("#passage-copy")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "".join(copied.split()) == shown
    with page.expect_download() as download:
        page.locator("#passage-download").click()
    assert download.value.suggested_filename.endswith(".txt")
    assert download.value.path().read_text("utf-8") == copied


def test_unknown_characters_of_the_prime_are_named(
    server: Server, window: Window, run: str
) -> None:
    page = window.open(server, run)
    page.locator("#write").click()
    written(page)
    page.locator("#passage-begin").fill("Orla ☃ 漢")
    page.locator("#passage-begin").press("Enter")
    expect(page.locator("#passage-unknown")).to_contain_text("“☃” “漢”")


def test_a_refusal_is_told_in_words(
    server: Server, open_window: Callable[..., Window], run: str
) -> None:
    window = open_window()
    window.expect_complaints("status of 422")
    page = window.open(server, run)
    page.locator("#write").click()
    before = written(page)
    page.locator("#passage-form").evaluate("form => { form.noValidate = true; }")
    page.locator("#passage-length").fill("20001")
    page.locator("#passage-length").press("Enter")
    expect(page.locator("#passage-problem")).to_contain_text("length")
    assert text(page) == before


def test_other_models_can_write(server: Server, window: Window, run: str) -> None:
    server.call("POST", f"runs/{run}/checkpoints", {})
    page = window.open(server, run)
    page.locator("#write").click()
    written(page)
    page.locator("#passage-model").select_option("checkpoint 40")
    page.locator("#passage-form").get_by_text("Write", exact=True).click()
    expect(page.locator("#passage-source")).to_contain_text("checkpoint model, update 40")


def test_on_a_phone_the_passage_is_the_page(
    server: Server, open_window: Callable[..., Window], run: str
) -> None:
    page = open_window(viewport={"width": 390, "height": 844}).open(server, run)
    page.locator("#write").click()
    written(page)
    box = page.locator("#passage").bounding_box()
    assert box is not None
    assert box["width"] == 390
    page.locator("#passage-close").click()
    expect(page.locator("#passage")).to_be_hidden()
