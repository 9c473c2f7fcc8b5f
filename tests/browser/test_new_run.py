"""Starting a run from the page, with a text of one's own."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import Window, eventually, figure
from tests.browser.server_process import Server

STORY = "Old Anna went to the mill. The mill was shut, and Anna went home again.\n" * 40


def as_file(text: str, name: str = "anna.txt") -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def form(server: Server, window: Window) -> Page:
    page = window.open(server, server.create_run(paused=True))
    page.locator("#new-run").click()
    expect(page.locator("#corpus-about")).to_contain_text("characters")
    return page


def test_a_run_through_the_form_with_an_uploaded_text(server: Server, window: Window) -> None:
    page = form(server, window)
    page.locator("#drop-file").set_input_files(as_file(STORY))
    expect(page.locator("#corpus-about")).to_contain_text(f"{len(STORY):,} characters")
    page.locator("#new-hidden_size").fill("20")
    characters = len(set(STORY))
    parameters = 20 * 20 + 2 * 20 * characters + 20 + characters
    expect(page.locator("#parameter-count")).to_have_text(f"{parameters:,} parameters to learn")
    page.locator("#new-name").fill("Anna")
    page.locator("#new-max_updates").fill("50")
    page.locator("#new-sample_every").fill("10")
    page.locator("#new-run-start").click()
    expect(page.locator("#run-name")).to_have_text("Anna")
    expect(page.locator("#notice")).to_contain_text("Finished at update 50")
    run = server.call("GET", f"runs/{page.url.split('run=')[1]}")
    assert run["spec"]["hidden_size"] == 20
    assert run["parameters"] == parameters


def test_a_text_dropped_on_the_page_opens_the_form(server: Server, window: Window) -> None:
    page = window.open(server, server.create_run(paused=True))
    dropped = page.evaluate_handle(
        "text => { const data = new DataTransfer();"
        " data.items.add(new File([text], 'dropped.txt', { type: 'text/plain' })); return data; }",
        STORY,
    )
    for event in ("dragover", "drop"):
        page.dispatch_event("body", event, {"dataTransfer": dropped})
    expect(page.locator("#new-run-dialog")).to_be_visible()
    expect(page.locator("#corpus-about")).to_contain_text(f"{len(STORY):,} characters")


def test_a_bad_upload_gets_the_servers_sentence(
    server: Server, open_window: Callable[..., Window]
) -> None:
    window = open_window()
    window.expect_complaints("status of 4(15|22)")
    page = form(server, window)
    page.locator("#drop-file").set_input_files(as_file("Too short."))
    expect(page.locator("#error-corpus")).to_contain_text("at least 200")
    noise = bytes(range(256)) * 8
    page.locator("#drop-file").set_input_files(
        {"name": "noise.bin", "mimeType": "application/octet-stream", "buffer": noise}
    )
    expect(page.locator("#error-corpus")).to_contain_text("noise.bin")
    expect(page.locator("#new-run-start")).to_be_enabled()


def test_a_wrong_field_is_told_at_the_field(
    server: Server, open_window: Callable[..., Window]
) -> None:
    window = open_window()
    window.expect_complaints("status of 422")
    page = form(server, window)
    runs = len(server.call("GET", "runs"))
    page.locator("#new-hidden_size").fill("0")
    page.locator("#new-learning_rate").fill("-1")
    page.locator("#new-run-start").click()
    expect(page.locator("#error-hidden_size")).not_to_be_empty()
    expect(page.locator("#error-learning_rate")).not_to_be_empty()
    expect(page.locator("#new-hidden_size")).to_be_focused()
    assert len(server.call("GET", "runs")) == runs


def test_until_stopped(server: Server, window: Window) -> None:
    page = form(server, window)
    page.get_by_label("until stopped").check()
    page.locator("#new-pace").select_option("10")
    page.locator("#new-run-start").click()
    expect(page.locator("#figure-update-note")).to_contain_text("until stopped")
    eventually(lambda: figure(page, "update"), lambda update: update > 0, "the first update")


def test_markup_in_a_text_stays_text(server: Server, window: Window) -> None:
    markup = "<img src=x onerror=alert(1)> <b>Bold</b> & <script>alert(2)</script>\n" * 60
    window.page.on("dialog", lambda dialog: dialog.dismiss())
    page = form(server, window)
    page.locator("#drop-file").set_input_files(as_file(markup, "<b>evil</b>.txt"))
    expect(page.locator("#corpus-about")).to_contain_text(f"{len(markup):,} characters")
    page.locator("#new-name").fill("<i>Italic</i>")
    page.locator("#new-max_updates").fill("1500")
    page.locator("#new-sample_every").fill("500")
    page.locator("#new-run-start").click()
    expect(page.locator("#run-name")).to_have_text("<i>Italic</i>")
    expect(page.locator("#notice")).to_contain_text("Finished")
    expect(page.locator("#page-now")).to_contain_text("<")
    page.locator("#write").click()
    expect(page.locator("#passage-text .prose")).to_contain_text("<")
    for place in ("#page-now", "#earlier", "#passage-text", "#run-name", "#chart"):
        assert page.locator(f"{place} :is(img, b, i, script)").count() == 0
