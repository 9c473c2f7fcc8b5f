"""The page of a viewer without the operator token."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Window, eventually, figure
from tests.browser.server_process import Server

TOKEN = "a token that nobody guesses"


def test_a_viewer_sees_everything_and_changes_nothing(
    own_server: Server, open_window: Callable[..., Window]
) -> None:
    own_server.demo = True
    own_server.token = TOKEN
    own_server.start()
    operator = open_window()
    operator.page.goto(f"{own_server.url}?token={TOKEN}")
    expect(operator.page.locator("#pause")).to_be_visible()
    assert TOKEN not in operator.page.url

    viewer = open_window().open(own_server)
    eventually(lambda: figure(viewer, "update"), lambda update: update > 0, "the first update")
    # The rest of the test needs no speed.
    [run] = own_server.call("GET", "runs")
    own_server.call("PATCH", f"runs/{run['id']}", {"pace": 20})
    expect(viewer.locator("#viewer-note")).to_be_visible()
    for control in ("#pause", "#step", ".pace", "#checkpoint", "#stop", "#new-run"):
        expect(viewer.locator(control)).to_be_hidden()
    viewer.keyboard.press("Space")
    viewer.keyboard.press("n")
    viewer.keyboard.press("m")
    expect(viewer.get_by_role("textbox", name="Note at update")).to_have_count(0)
    expect(viewer.locator("#new-run-dialog")).to_be_hidden()
    # The list of shortcuts omits those that would do nothing.
    viewer.keyboard.press("?")
    expect(viewer.locator("#keys kbd", has_text="Home")).to_be_visible()
    expect(viewer.locator("#keys kbd", has_text="space")).to_have_count(0)
    viewer.keyboard.press("Escape")

    # A link with settings opens the form, to look at.
    linked = open_window().page
    linked.goto(f"{own_server.url}?new=hidden_size:20")
    expect(linked.locator("#spec-status")).to_contain_text("Only the operator can start a run.")
    expect(linked.locator("#new-hidden_size")).to_have_value("20")
    for control in ("#new-run-start", "#drop-choose", "#corpus-remove"):
        expect(linked.locator(control)).to_be_hidden()
    linked.locator("#new-hidden_size").press("Enter")

    # A viewer lays own losses over the chart, without keeping them.
    viewer.locator("#own-open").click()
    viewer.locator("#own-file").set_input_files(
        {"name": "own.csv", "mimeType": "text/csv", "buffer": b"update,loss\n1,100\n2,99\n"}
    )
    expect(viewer.locator("#own-name")).to_have_text("own.csv: 2 rows, shown here only")
    expect(viewer.locator("#own-keep")).to_be_hidden()
    viewer.keyboard.press("Escape")

    viewer.keyboard.press("p")
    expect(viewer.locator("#passage-text .prose")).to_be_visible()
    viewer.keyboard.press("Escape")

    operator.page.locator("#pause").click()
    expect(viewer.locator("#notice")).to_contain_text("Paused at update")
    viewer.locator("#run-switch").click()
    expect(viewer.locator(".run-row")).to_have_count(1)
    expect(viewer.locator("#run-list").get_by_label("Delete")).to_have_count(0)
    viewer.locator("#checkpoint-open").click()
    expect(viewer.locator(".checkpoint-row")).not_to_have_count(0)
    expect(viewer.locator(".checkpoint-row button")).to_have_count(0)
    viewer.keyboard.press("Escape")
    viewer.keyboard.press("Escape")

    viewer.locator("#words-open").click()
    expect(viewer.locator("#words-pending li")).not_to_have_count(0)
    expect(viewer.locator("#words-text")).to_have_count(0)
    expect(viewer.locator("#words-save")).to_have_count(0)
    viewer.keyboard.press("Escape")

    # A report, but without adding anything to it.
    viewer.locator("#report-open").click()
    expect(viewer.locator("#report-form").locator("input, textarea")).to_have_count(0)
    with viewer.expect_download() as download:
        viewer.locator("#report-md").click()
    assert download.value.suggested_filename.endswith("-report.zip")


def test_the_operators_link_also_works_from_another_site(
    own_server: Server, open_window: Callable[..., Window]
) -> None:
    own_server.token = TOKEN
    own_server.start()
    own_server.create_run(pace=20, max_updates=None)
    page = open_window().page
    # For a browser these are two sites.
    page.goto(own_server.url.replace("127.0.0.1", "localhost"))
    expect(page.locator("#viewer-note")).to_be_visible()
    page.evaluate("address => { location.href = address; }", f"{own_server.url}?token={TOKEN}")
    expect(page.locator("#pause")).to_be_visible()
    assert page.url.startswith(own_server.url)
    assert "token" not in page.url
