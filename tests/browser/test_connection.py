"""A server that disappears and comes back."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Window, eventually, figure
from tests.browser.server_process import Server

WHILE_AWAY = ("WebSocket connection", "ERR_CONNECTION_REFUSED", "Failed to load resource")


def test_a_lost_connection_is_restored_automatically(own_server: Server, window: Window) -> None:
    window.expect_errors(*WHILE_AWAY)
    own_server.start()
    run = own_server.create_run(pace=20, max_updates=None)
    page = window.open(own_server, run)
    eventually(lambda: figure(page, "update"), lambda update: update > 0, "the first update")
    prose = page.locator("#sample-text .prose").last
    expect(prose).not_to_be_empty()

    own_server.kill()
    expect(page.locator("#connection-word")).to_contain_text("reconnecting in")
    expect(prose).not_to_be_empty()

    own_server.start()
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page.locator("#notice")).to_contain_text("Interrupted at update")
    page.locator("#notice").get_by_text("Resume").click()
    before = figure(page, "update")
    eventually(lambda: figure(page, "update"), lambda update: update > before, "it to go on")


def test_a_zoomed_curve_keeps_its_detail_after_a_reconnect(
    own_server: Server, window: Window
) -> None:
    window.expect_errors(*WHILE_AWAY)
    own_server.start()
    run = own_server.create_run(
        hidden_size=2, pace="max", max_updates=12_000, sample_every=6_000, name="Before"
    )
    page = window.open(own_server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    page.goto(f"{own_server.url}?run={run}&scale=linear&range=6000-6600")
    resolution = page.locator("#resolution")
    expect(resolution).to_have_text("1 point = 1 update")

    own_server.kill()
    expect(page.locator("#connection-word")).to_contain_text("reconnecting in")
    own_server.start()
    own_server.call("PATCH", f"runs/{run}", {"name": "After"})
    # The name arrives with the new snapshot.
    expect(page.locator("#run-name")).to_have_text("After")
    expect(resolution).to_have_text("1 point = 1 update")


def test_an_action_without_a_server_is_reported(own_server: Server, window: Window) -> None:
    window.expect_errors(*WHILE_AWAY)
    own_server.start()
    page = window.open(own_server, own_server.create_run(paused=True))
    own_server.kill()
    page.locator("#checkpoint").click()
    expect(page.locator("#toasts")).to_contain_text("cannot be reached")


def test_a_dead_worker_is_reported_with_a_reason(own_server: Server, window: Window) -> None:
    own_server.start()
    page = window.open(own_server, own_server.create_run(pace=20, max_updates=None))
    eventually(lambda: figure(page, "update"), lambda update: update > 0, "the first update")
    own_server.kill_workers()
    expect(page.locator("#notice")).to_contain_text("Failed.")
    [run] = own_server.call("GET", "runs")
    expect(page.locator("#notice")).to_contain_text(run["error"])
    expect(page.locator("#connection-word")).to_have_text("live")
    # One click, or one key, resumes it.
    expect(page.locator("#pause")).to_be_enabled()
    expect(page.locator("#pause")).to_contain_text("Resume")
    page.locator("#notice").get_by_role("button", name="Resume").click()
    expect(page.locator("#notice")).to_be_hidden()
    eventually(lambda: figure(page, "update"), lambda update: update > run["update"], "going on")


def test_the_latency_is_shown(server: Server, window: Window) -> None:
    run = server.create_run(pace=50, max_updates=None)
    page = window.open(server, run)
    expect(page.locator("#connection-latency")).to_contain_text(" ms")
    page.locator("#connection").click()
    expect(page.locator("#latency-delay")).to_contain_text("95% within")
    expect(page.locator("#latency-frames")).to_contain_text("in the last five seconds")
    expect(page.locator("#latency-points")).to_contain_text("points drawn")
    expect(page.locator("#latency-clocks")).to_contain_text("the server (")
    page.keyboard.press("Escape")
    expect(page.locator("#latency-panel")).to_be_hidden()
    # A run that is not training has no latency.
    server.call("POST", f"runs/{run}/pause")
    expect(page.locator("#connection-latency")).to_have_text("")


def test_a_queued_run_names_the_runs_it_waits_for(own_server: Server, window: Window) -> None:
    own_server.environment["HURRAH_MAX_TRAINING_RUNS"] = "1"
    own_server.start()
    own_server.create_run(name="The first", max_updates=None, pace=20)
    waits = own_server.create_run(name="The second", max_updates=None, pace=20)
    window.page.goto(f"{own_server.url}?run={waits}")
    expect(window.page.locator("#notice")).to_contain_text("Queued behind “The first”")
    expect(window.page.locator("#sample-about")).to_contain_text("Nothing is written yet")
    expect(window.page.locator("#sample-text .text-loading")).to_be_hidden()


def test_a_run_paused_by_a_full_disk_says_so_and_can_resume(
    own_server: Server, window: Window
) -> None:
    limit = 3_000_000
    own_server.environment["HURRAH_MAX_STORED_BYTES"] = str(limit)
    own_server.start()
    page = window.open(own_server, own_server.create_run(pace=20, max_updates=None))
    eventually(lambda: figure(page, "update"), lambda update: update > 0, "the first update")
    ballast = own_server.data_dir / "ballast"
    ballast.write_bytes(bytes(limit))
    notice = page.locator("#notice")
    expect(notice).to_contain_text("The run is paused, and resumes automatically")
    # The learning rate is not the cause.
    expect(notice.get_by_role("button")).to_have_text("Resume")
    ballast.unlink()
    expect(notice).to_be_hidden()
    before = figure(page, "update")
    eventually(lambda: figure(page, "update"), lambda update: update > before, "it to go on")
