"""A whole run leaves the page as a file, and comes back by a button or by dropping it."""

from __future__ import annotations

from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, run_in_address
from tests.browser.server_process import Server

# No other test adds this text to the shared server.
STORY = "Anna took the run along to another mill, and Anna went home without it.\n" * 40


def export(page: Page, link: str, path: Path) -> bytes:
    page.locator("#export-open").click()
    with page.expect_download() as download:
        page.locator(link).click()
    ending = "-without-text" if link == "#export-run-textless" else ""
    assert download.value.suggested_filename == f"hurrah-{run_in_address(page)}{ending}.hurrah"
    download.value.save_as(path)
    return path.read_bytes()


def drop(page: Page, content: bytes) -> None:
    dropped = page.evaluate_handle(
        "bytes => { const data = new DataTransfer();"
        " data.items.add(new File([new Uint8Array(bytes)], 'b.hurrah')); return data; }",
        list(content),
    )
    for event in ("dragover", "drop"):
        page.dispatch_event("body", event, {"dataTransfer": dropped})


def test_a_run_is_exported_and_imported(server: Server, window: Window, tmp_path: Path) -> None:
    window.expect_errors("status of 422")
    added = httpx.post(f"{server.url}api/corpora", files={"file": ("anna.txt", STORY.encode())})
    corpus = added.json()["id"]
    run = server.create_run(corpus=corpus, name="Anna", paused=True, hidden_size=4)
    server.call("POST", f"runs/{run}/step", {"updates": 20})
    page = window.open(server, run)
    whole, textless = tmp_path / "whole.hurrah", tmp_path / "textless.hurrah"
    export(page, "#export-run", whole)
    without_text = export(page, "#export-run-textless", textless)

    # The run is still there: a copy of it is imported.
    page.locator("#run-switch").click()
    with page.expect_file_chooser() as chooser:
        page.locator("#import-open").click()
    chooser.value.set_files(whole)
    expect(page.locator("#run-name")).to_have_text("Anna (copy)")
    expect(page.locator("#toasts")).to_contain_text("“Anna (copy)” was imported.")
    expect(page.locator("#import-dialog")).to_be_hidden()
    expect(page.locator("#figure-update")).to_have_text("20")

    # A page without runs, on a server without the text: the text is asked for.
    for each in server.call("GET", "runs"):
        server.call("DELETE", f"runs/{each['id']}")
    server.call("DELETE", f"corpora/{corpus}")
    page.goto(server.url)
    expect(page.locator("#empty-import")).to_be_visible()
    drop(page, without_text)
    expect(page.locator("#new-run-dialog")).to_be_hidden()
    problem = page.locator("#import-problem")
    expect(problem).to_contain_text("SHA-256")
    expect(page.locator("#import-text-choose")).to_be_focused()
    page.locator("#import-text-file").set_input_files(
        {"name": "anna.txt", "mimeType": "text/plain", "buffer": STORY.encode()}
    )
    expect(page.locator("#run-name")).to_have_text("Anna")
    assert run_in_address(page) == run

    # An upload that is cancelled imports nothing.
    page.route("**/api/runs/import", lambda _: None)
    drop(page, without_text)
    expect(page.locator("#import-name")).to_contain_text("b.hurrah")
    page.locator("#import-cancel").click()
    expect(page.locator("#import-dialog")).to_be_hidden()
    expect(page.locator("#toasts")).to_contain_text("The import was cancelled.")
    assert [each["id"] for each in server.call("GET", "runs")] == [run]
