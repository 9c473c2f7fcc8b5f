"""The page of a viewer without the operator token."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually, figure
from tests.browser.server_process import Server

TOKEN = "a token that nobody guesses"


def test_the_demo_run_trains_and_a_viewer_sees_everything_and_changes_nothing(
    own_server: Server, open_window: Callable[..., Window]
) -> None:
    own_server.demo = True
    own_server.token = TOKEN
    own_server.environment["HURRAH_MAX_TRAINING_RUNS"] = "1"
    own_server.start()
    operator = open_window()
    operator.page.goto(f"{own_server.url}?token={TOKEN}")
    expect(operator.page.locator("#pause")).to_be_visible()
    assert TOKEN not in operator.page.url
    expect_demo_run_to_train(operator.page)

    viewer = open_window().open(own_server)
    eventually(lambda: figure(viewer, "update"), lambda update: update > 0, "the first update")
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

    # The rest of the test needs no run that trains, and no operator.
    operator.page.locator("#pause").click()
    expect(viewer.locator("#notice")).to_contain_text("Paused at update")
    # There is something else to try in place of a step, which only the operator can make.
    viewer.locator("#help").click()
    viewer.locator("#tour-try").click()
    viewer.get_by_role("button", name="See which characters were hard to guess").click()
    expect(viewer.locator("#reading-excerpt")).not_to_be_empty()
    viewer.locator("#tab-writing").click()
    operator.page.close()

    # A link with settings opens the form, to look at.
    linked = open_window().page
    linked.goto(f"{own_server.url}?new=hidden_size:20")
    expect(linked.locator("#spec-status")).to_contain_text("Only the operator can start a run.")
    expect(linked.locator("#new-hidden_size")).to_have_value("20")
    for control in ("#new-run-start", "#drop-choose", "#corpus-remove"):
        expect(linked.locator(control)).to_be_hidden()
    linked.locator("#new-hidden_size").press("Enter")
    expect(linked.locator("#new-run-dialog")).to_be_visible()
    linked.close()

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

    # A run that has ended, one that trains, and two that wait for it.
    ended = own_server.create_run(name="ended", max_updates=50)
    eventually(
        lambda: own_server.call("GET", f"runs/{ended}")["state"], "finished".__eq__, "the end"
    )
    for name in "abc":
        own_server.create_run(name=name, pace=2, max_updates=None, hidden_size=8)
    viewer.locator("#run-switch").click()
    expect(viewer.locator(".run-row .run-name").first).to_have_text("a")
    expect(viewer.locator(".run-row")).to_have_count(5)
    expect(viewer.locator("#run-list").get_by_label("Delete")).to_have_count(0)
    expect(viewer.get_by_role("button", name="Move")).to_have_count(0)
    viewer.locator(".run-open", has_text="ended").click()
    expect(viewer.locator("#notice").get_by_role("button")).to_have_text(["Replay", ""])
    viewer.locator("#checkpoint-open").click()
    expect(viewer.locator(".checkpoint-row")).not_to_have_count(0)
    expect(viewer.locator(".checkpoint-row button")).to_have_count(0)
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

    # The comparison and the gallery, from where a passage is written again.
    request = {"length": 300, "seed": 1}
    written = own_server.call("POST", f"runs/{ended}/passages", request)
    saved = {"run": ended, "fingerprint": written["fingerprint"], "title": "To be read"}
    viewer.goto(f"{own_server.url}compare?runs={ended}")
    row = viewer.locator(f"#compare-body tr[data-run='{ended}']")
    expect(row).to_have_count(1)
    expect(row.get_by_role("button")).to_have_count(0)
    expect(viewer.locator("#fork-dialog")).to_have_count(0)
    viewer.get_by_role("link", name="Passages").click()
    expect(viewer.locator("#gallery-empty")).to_contain_text("Passages saved by the operator")
    own_server.call("POST", "passages", saved)
    viewer.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(viewer.locator("#gallery-passages .passage-card h3")).to_have_text(["To be read"])
    expect(viewer.get_by_label("Delete")).to_have_count(0)
    expect(viewer.get_by_label("Change the title")).to_have_count(0)
    viewer.get_by_label("Write it again").click()
    expect(viewer.locator("#passage-source")).to_contain_text("exact model of the link")
    expect(viewer.locator("#passage-save")).to_be_hidden()
    # A viewer can share a link too, and learns how long it works, even if copying is not allowed.
    viewer.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    )
    viewer.locator("#passage-share").click()
    expect(viewer.locator(".toast")).to_contain_text("as long as the server has the model")
    assert f"run={ended}&passage=" in viewer.locator("#passage-link").input_value()


def expect_demo_run_to_train(page: Page) -> None:
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    expect(page.locator("#run-name")).to_have_text("The Lamps of Saltmere")
    expect(page.locator("#run-about")).to_contain_text("rnn 100")
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page.locator("input[name=scale][value=log]")).to_be_checked()
    expect(page.locator("input[name=pace][value=cinematic]")).to_be_checked()
    expect(page.locator("#sample-text .prose").last).not_to_be_empty()
    first = eventually(lambda: figure(page, "update"), lambda u: u > 0, "the first update")
    eventually(lambda: figure(page, "update"), lambda u: u > first, "another update")


def test_the_operators_link_also_works_from_another_site(
    own_server: Server, open_window: Callable[..., Window]
) -> None:
    own_server.token = TOKEN
    own_server.start()
    own_server.create_run(pace=4, max_updates=None)
    page = open_window().page
    # For a browser these are two sites.
    page.goto(own_server.url.replace("127.0.0.1", "localhost"))
    expect(page.locator("#viewer-note")).to_be_visible()
    page.evaluate("address => { location.href = address; }", f"{own_server.url}?token={TOKEN}")
    expect(page.locator("#pause")).to_be_visible()
    assert page.url.startswith(own_server.url)
    assert "token" not in page.url
