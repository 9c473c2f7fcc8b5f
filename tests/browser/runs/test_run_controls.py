"""Controlling a run from the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Module, Window, eventually, figure
from tests.browser.server_process import Server


def paused_at(page: Page) -> int:
    notice = page.locator("#notice")
    expect(notice).to_contain_text("Paused at update")
    found = re.search(r"Paused at update ([\d,]+)", notice.inner_text())
    assert found
    return int(found[1].replace(",", ""))


def test_steps_are_exact_and_in_order_and_a_refusal_or_typed_letters_make_none(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(
        paused=True, hidden_size=200, max_updates=None, checkpoint_every_s=86_400
    )
    lasting_window.expect_errors("status of 409", "status of 422")
    page = lasting_window.open(server, run)
    assert paused_at(page) == 0
    bar = page.locator("#controls")
    for name in ("Resume", "Step", "Checkpoint", "Write 1,000 characters"):
        expect(bar.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(page.locator("#checkpoint-open")).to_contain_text("Fork")

    page.locator("#step").click()
    expect(page.locator("#notice")).to_contain_text("Paused at update 1")
    page.locator("#step-count").fill("25")
    page.locator("#step").click()
    expect(page.locator("#figure-update")).to_have_text("26")
    assert server.call("GET", f"runs/{run}")["update"] == 26

    # A refusal of the server is shown.
    page.locator("#step-count").fill("999999999999999")
    page.locator("#step").click()
    expect(page.locator("#toasts .toast")).to_be_visible()
    expect(page.locator("#notice")).to_contain_text("Paused at update 26")

    # A number that is too small makes no update.
    page.locator("#step-count").fill("-3")
    page.locator("#step-count").press("Enter")
    expect(page.locator("#step-count")).to_have_js_property("validity.valid", False)
    page.locator("#step-count").fill("1")
    page.locator("#step").click()
    expect(page.locator("#notice")).to_contain_text("Paused at update 27")

    # Letters typed into a field are not shortcuts.
    page.locator("#write").click()
    page.locator("#passage-prime-text").fill("")
    page.locator("#passage-prime-text").press_sequentially("ss cc")
    assert page.locator("#passage-prime-text").input_value() == "ss cc"
    assert server.call("GET", f"runs/{run}")["update"] == 27
    assert server.call("GET", f"runs/{run}/checkpoints") == []
    page.locator("#passage-prime-text").fill("")
    page.locator("#passage-close").click()

    # Steps during a step, which is held up, are made after it.
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/step", hold_the_first)
    page.locator("#step-count").fill("1500")
    page.locator("#step").click()
    expect(page.locator("#step")).to_have_attribute("aria-busy", "true")
    page.locator("#step-count").fill("1")
    page.locator("#writing-title").click()
    page.keyboard.press("s")
    page.keyboard.press("s")
    expect(page.locator("#step")).to_have_attribute("aria-busy", "true")
    eventually(lambda: page.evaluate("0") or len(held), bool, "the request of the step")
    held[0].continue_()
    expect(page.locator("#figure-update")).to_have_text("1,529")
    page.unroute("**/step")
    assert server.call("GET", f"runs/{run}")["update"] == 1_529

    # A stopped run is not said to run until stopped.
    note = page.locator("#figure-update-note")
    expect(note).to_have_text("paused")
    server.call("POST", f"runs/{run}/stop")
    expect(note).to_have_text("stopped")


def test_the_pace_changes_and_a_run_is_paused_resumed_and_stopped(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(pace=1, max_updates=None, hidden_size=8)
    page = lasting_window.open(server, run)
    expect(page.locator("input[name=pace][value='1']")).to_be_checked()
    page.locator(".pace label", has_text="100/s").click()
    eventually(
        lambda: server.call("GET", f"runs/{run}")["spec"]["pace"],
        lambda pace: pace == 100,
        "the pace to be in force",
    )
    page.locator(".pace label", has_text="max").click()
    eventually(lambda: figure(page, "update"), lambda update: update > 300, "updates at full speed")
    expect(page.locator("input[name=pace][value=max]")).to_be_checked()

    expect(page.locator("#step")).to_be_disabled()
    page.locator("#pause").click()
    update = paused_at(page)
    assert server.call("GET", f"runs/{run}")["update"] == update
    assert figure(page, "update") == update
    expect(page.locator("#figure-update-note")).to_contain_text("paused")
    expect(page.locator("#step")).to_be_enabled()

    page.locator(".pace label", has_text="100/s").click()
    page.locator("#pause", has_text="Resume").click()
    eventually(lambda: figure(page, "update"), lambda now: now > update, "the next update")
    expect(page.locator("#notice")).to_be_hidden()

    # Stopping asks first.
    page.locator("#stop").click()
    page.locator("#stop-dialog").get_by_text("Keep it running").click()
    assert server.call("GET", f"runs/{run}")["state"] == "running"
    page.locator("#stop").click()
    page.locator("#stop-dialog").get_by_text("Stop it", exact=True).click()
    expect(page.locator("#notice")).to_contain_text("Stopped at update")
    expect(page.locator("#pause")).to_be_disabled()
    expect(page.locator("#figure-update-note")).to_have_text("stopped")


def test_checkpoints_are_deleted_with_undo_shown_as_damaged_saved_and_downloaded(
    server: Server, lasting_window: Window, tmp_path: Path
) -> None:
    run = server.create_run(paused=True, hidden_size=8, checkpoint_every_s=86_400)
    for _ in range(3):
        server.call("POST", f"runs/{run}/step", {"updates": 5})
        server.call("POST", f"runs/{run}/checkpoints", {})
    page = lasting_window.open(server, run)
    expect(page.locator("#checkpoint-count")).to_have_text("3")
    page.locator("#checkpoint-open").click()
    expect(page.get_by_label("Delete: Update 15")).to_have_count(0)  # it goes on from this one
    page.get_by_label("Delete: Update 10").click()
    expect(page.locator("#checkpoint-count")).to_have_text("2")
    page.keyboard.press("z")
    expect(page.locator("#checkpoint-count")).to_have_text("3")
    page.get_by_label("Delete: Update 5").click()
    note(page, "The checkpoint at update 5 was deleted").get_by_label("Dismiss").click()
    left = eventually(
        lambda: server.call("GET", f"runs/{run}/checkpoints"), lambda made: len(made) == 2, "it"
    )
    assert [made["update"] for made in left] == [10, 15]

    # A damaged checkpoint is shown as one.
    made = left[-1]
    path = server.data_dir / "runs" / run / "checkpoints" / f"{made['id']}.npz"
    path.write_bytes(path.read_bytes()[:1_000])
    page.locator("#checkpoint-open").click()
    row = page.locator(f"[data-checkpoint='{made['id']}']")
    expect(row.get_by_text("Download")).to_be_visible()
    answer = httpx.get(f"{server.url}api/runs/{run}/checkpoints/{made['id']}/file")
    assert answer.status_code == 409
    expect(row).to_contain_text("damaged, cannot be read")
    expect(row.get_by_text("Download")).to_have_count(0)
    expect(row.get_by_role("button")).to_have_count(1)

    # The next one is saved from the page, listed and downloaded.
    server.call("POST", f"runs/{run}/step", {"updates": 15})
    page.locator("#checkpoint").click()
    expect(page.locator("#toasts")).to_contain_text("Checkpoint at update 30 saved.")
    page.locator("#checkpoint-open").click()
    with page.expect_download() as download:
        page.get_by_label("Download: Update 30").click()
    saved = tmp_path / "checkpoint.npz"
    download.value.save_as(saved)
    with np.load(io.BytesIO(saved.read_bytes()), allow_pickle=False) as arrays:
        assert arrays.files
    for model in ("Best model so far", "Latest model"):
        with page.expect_download() as download:
            page.locator(".checkpoint-row", has_text=model).locator("a").click()
        assert download.value.suggested_filename.endswith(".npz")
    for name, ending in (("Page that writes", ".html"), ("Weights", ".safetensors")):
        with page.expect_download() as download:
            page.locator("#model-files a", has_text=name).click()
        assert download.value.suggested_filename == f"hurrah-{run}-best{ending}"


@pytest.mark.parametrize(
    ("parameters", "dtype", "fits"),
    [(4_000_000, "float32", True), (4_000_001, "float32", False), (3_000_000, "float64", False)],
)
def test_a_network_that_is_too_large_for_a_page_is_told_before(
    module: Module, parameters: int, dtype: str, fits: bool
) -> None:
    run = {"parameters": parameters, "spec": {"dtype": dtype}}
    problem = module("runs/checkpoints.js", "m.pageProblem(x)", run)
    assert (problem == "") is fits
    assert fits or re.search(r"too large for a page .* at most [\d.]+ MB", problem)


def test_every_control_has_a_shortcut_and_escape_closes_a_popover_after_one(
    server: Server, lasting_window: Window
) -> None:
    page = lasting_window.open(server, server.create_run(pace=2, max_updates=None, hidden_size=8))
    eventually(lambda: figure(page, "update"), lambda update: update > 0, "the first update")
    page.keyboard.press("Space")
    update = paused_at(page)
    page.keyboard.press("s")
    expect(page.locator("#notice")).to_contain_text(f"Paused at update {update + 1:,}")
    page.keyboard.press("c")
    expect(page.locator("#toasts")).to_contain_text("saved")
    page.keyboard.press("p")
    expect(page.locator("#passage-text .prose")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#passage")).to_be_hidden()
    page.keyboard.press("Space")
    expect(page.locator("#pause")).to_contain_text("Pause")

    page.locator("#axes-open").click()
    page.keyboard.press("Space")
    paused_at(page)
    expect(page.locator("#axes-panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#axes-panel")).to_be_hidden()


def test_a_clicked_widget_leaves_the_keys_to_the_page(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(pace=10, max_updates=None, sample_every=50, hidden_size=8)
    page = lasting_window.open(server, run)
    # There are samples to go back to with each of the keys that follow.
    eventually(lambda: figure(page, "update"), lambda update: update > 10, "some samples")
    expect(page.locator("#earlier button")).not_to_have_count(0)
    page.locator(".pace label", has_text="100/s").click()
    page.keyboard.press("Space")
    paused_at(page)
    # Nothing shows a focus ring that does not own the keys.
    expect(page.locator(":focus-visible")).to_have_count(0)
    title = page.locator("#writing-title")
    expect(title).to_contain_text("Newest")
    for clicked in (".quick-scale label >> nth=0", "#tab-reading", "#tab-writing"):
        page.locator(clicked).click()
        before = page.locator("#timeline").input_value()
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#timeline")).to_have_value(str(int(before) - 1))
    expect(page.locator("input[name=scale][value=linear]")).to_be_checked()
    expect(page.locator("#tab-writing")).to_have_attribute("aria-selected", "true")
    expect(page.locator("input[name=pace][value='100']")).not_to_have_attribute("aria-busy", "true")
    assert server.call("GET", f"runs/{run}")["spec"]["pace"] == 100

    # With the keyboard, the widget shows the focus and owns its keys.
    page.locator("input[name=scale][value=linear]").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(page.locator("input[name=scale][value=linear]")).to_be_focused()
    before = page.locator("#timeline").input_value()
    page.keyboard.press("ArrowRight")
    expect(page.locator("input[name=scale][value=log]")).to_be_checked()
    assert page.locator("#timeline").input_value() == before
    update = server.call("GET", f"runs/{run}")["update"]
    page.keyboard.press("Space")
    assert server.call("GET", f"runs/{run}")["update"] == update
    expect(page.locator("#notice")).to_contain_text("Paused")


def test_renaming_and_deleting_with_undo(server: Server, lasting_window: Window) -> None:
    run = server.create_run(name="Before", paused=True)
    page = lasting_window.open(server, run)
    page.locator("#run-switch").click()
    page.get_by_label("Rename Before").click()
    page.get_by_label("New name").fill("After")
    page.get_by_label("New name").press("Enter")
    expect(page.locator("#run-name")).to_have_text("After")
    expect(page.get_by_label("Rename After")).to_be_focused()
    note(page, "renamed to").get_by_text("Undo").click()
    expect(page.locator("#run-name")).to_have_text("Before")
    eventually(lambda: server.call("GET", f"runs/{run}")["name"], "Before".__eq__, "the name")

    page.locator("#run-switch").click()
    page.get_by_label("Delete Before").click()
    expect(page.locator(".run-row")).to_have_count(0)
    expect(page.locator("#empty-title")).to_be_visible()
    note(page, "was deleted").get_by_text("Undo").click()
    expect(page.locator("#run-name")).to_have_text("Before")
    page.locator("#run-switch").click()
    expect(page.locator(".run-row")).to_have_count(1)

    page.get_by_label("Delete Before").click()
    assert server.call("GET", "runs") != []
    note(page, "was deleted").get_by_label("Dismiss").click()
    eventually(lambda: server.call("GET", "runs"), lambda runs: runs == [], "the run to go")
    expect(page.locator("#empty-title")).to_be_visible()


def note(page: Page, words: str) -> Locator:
    return page.locator("#toasts .toast").filter(has_text=words)


def test_several_runs_are_deleted_and_some_restored_by_keyboard(
    server: Server, lasting_window: Window
) -> None:
    stays, first, second = (server.create_run(name=name, paused=True) for name in ("a", "b", "c"))
    page = lasting_window.open(server, stays)
    page.locator("#run-switch").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Delete c").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Delete b")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Delete a")).to_be_focused()
    expect(page.locator(".run-row")).to_have_count(1)
    page.keyboard.press("z")
    expect(page.locator(".run-row")).to_have_count(2)
    expect(page.get_by_label("Delete b")).to_be_visible()
    # The next page takes over pending deletions.
    page.reload()
    expect(note(page, "“c” was deleted")).to_be_visible()
    note(page, "“c” was deleted").get_by_label("Dismiss").click()
    runs = eventually(lambda: server.call("GET", "runs"), lambda runs: len(runs) == 2, "c to go")
    assert {run["id"] for run in runs} == {stays, first}
    assert second not in {run["id"] for run in runs}


def test_closing_the_page_cancels_a_deletion(
    server: Server, lasting_window: Window, open_window: Callable[..., Window]
) -> None:
    run, other = server.create_run(name="kept", paused=True), server.create_run(paused=True)
    gone, watching = open_window(), lasting_window.open(server, run)
    page = gone.open(server, other)
    page.locator("#run-switch").click()
    page.get_by_label("Delete kept").click()
    expect(page.locator(".run-row")).to_have_count(1)
    page.close()
    expect(watching.locator("#run-name")).to_have_text("kept")
    assert server.call("GET", f"runs/{run}")["name"] == "kept"
