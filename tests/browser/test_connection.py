"""A server that disappears and comes back."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect
from websockets.sync.client import connect

from tests.browser.conftest import Window, eventually, figure
from tests.browser.server_process import Server
from tests.slow_proxy import SlowProxy

OpenWindow = Callable[..., Window]

WHILE_AWAY = ("WebSocket", "ERR_CONNECTION_REFUSED", "Failed to load resource")


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
    page.locator("#connection").click()
    expect(page.locator("#latency-run")).to_have_text("paused; nothing is in flight")
    expect(page.locator("#latency-delay")).to_contain_text("last known: ")


def test_the_latency_panel_of_a_finished_run_says_when_it_ended(
    server: Server, window: Window
) -> None:
    run = server.create_run(max_updates=300)
    now = eventually(
        lambda: server.call("GET", f"runs/{run}"), lambda now: now["state"] == "finished", "the end"
    )
    page = window.open(server, run)
    page.locator("#connection").click()
    [end] = server.call("GET", f"runs/{run}/checkpoints")
    ended = page.evaluate("(at) => new Date(at).toLocaleTimeString('en-GB')", end["created_at"])
    expect(page.locator("#latency-run")).to_contain_text("finished ")
    expect(page.locator("#latency-run")).to_contain_text(f"{ended}; nothing is in flight")
    expect(page.locator("#latency-update")).to_contain_text(
        f"300, smooth loss {now['smooth_loss']:.1f}, "
    )
    expect(page.locator("#latency-update")).to_contain_text("updates a second on average")
    expect(page.locator("#latency-delay")).to_have_text("not measured: no update came to this page")
    values = page.locator("#latency-panel dd").all_inner_texts()
    assert all(values), values


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
    expect(notice.get_by_role("button")).to_have_text(["Resume", ""])
    ballast.unlink()
    expect(notice).to_be_hidden()
    before = figure(page, "update")
    eventually(lambda: figure(page, "update"), lambda update: update > before, "it to go on")


def is_outdated(page: Page) -> bool:
    return bool(page.evaluate("document.body.hasAttribute('data-outdated')"))


def expect_outdated(page: Page, word: str | re.Pattern[str]) -> None:
    """The page shows at a glance that nothing on it is current."""
    expect(page.locator("#connection-word")).to_have_text(word)
    expect(page.locator("body[data-outdated]")).to_be_attached()
    expect(page.locator("#notice")).to_contain_text("Not current: no news from the server since")
    expect(page.locator("#figure-speed")).to_have_text("–")
    expect(page.locator("#figure-update-note")).to_contain_text("not current")
    expect(page.locator("#connection-latency")).to_have_text("")
    for faded in (".figures", "#chart-plot", "#sample-text", "#pause", "#run-switch"):
        expect(page.locator(faded)).to_have_css("filter", "grayscale(1) opacity(0.5)")
    assert page.evaluate(
        """() => {
          const dot = document.querySelector("#connection-dot");
          const wanted = document.createElement("i");
          wanted.style.color = "var(--bad)";
          document.body.append(wanted);
          const colour = getComputedStyle(wanted).color;
          wanted.remove();
          return getComputedStyle(dot).backgroundColor === colour;
        }"""
    )


def expect_current(page: Page) -> None:
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page.locator("body[data-outdated]")).not_to_be_attached()
    expect(page.locator("#notice:not([hidden])", has_text="Not current")).to_have_count(0)
    before = figure(page, "update")
    eventually(lambda: figure(page, "update"), lambda update: update > before, "it to go on")


NO_NEWS = re.compile(r"no news for \d+ s")


def measured_silence_s(page: Page) -> float:
    """Seconds between the last message and the moment at which the page says so."""
    silence_ms: float = page.evaluate(
        """new Promise((resolve) => {
          const word = document.querySelector("#connection-word");
          const figure = document.querySelector("#figure-update");
          let last = performance.now();
          new MutationObserver(() => (last = performance.now())).observe(figure, {
            childList: true, characterData: true, subtree: true,
          });
          new MutationObserver(() => {
            if (/^no news for 3 s$/.test(word.textContent)) resolve(performance.now() - last);
          }).observe(word, { childList: true, characterData: true, subtree: true });
        })"""
    )
    return silence_ms / 1000


def test_a_connection_that_passes_no_bytes_is_noticed_and_replaced(
    server: Server, window: Window
) -> None:
    run = server.create_run(pace=20, max_updates=None)
    with SlowProxy(server.port) as relay:
        page = window.page
        page.goto(f"http://127.0.0.1:{relay.port}/?run={run}")
        expect_current(page)
        threading.Timer(1, relay.stall).start()
        assert measured_silence_s(page) < 4
        expect_outdated(page, NO_NEWS)
        # Nobody does anything: the page opens a new connection.
        expect_current(page)


def test_a_relay_that_works_again_is_noticed(server: Server, window: Window) -> None:
    window.expect_errors(*WHILE_AWAY)
    run = server.create_run(pace=20, max_updates=None)
    with SlowProxy(server.port) as relay:
        page = window.page
        page.goto(f"http://127.0.0.1:{relay.port}/?run={run}")
        expect_current(page)
        relay.broken = True
        expect_outdated(page, NO_NEWS)
        # The next connection is opened, and brings nothing either.
        expect(page.locator("#connection-word")).to_have_text("connecting")
        assert is_outdated(page)
        relay.stall()
        relay.broken = False
        expect_current(page)


def test_a_browser_without_a_network_is_not_live(server: Server, open_window: OpenWindow) -> None:
    window = open_window()
    window.expect_errors(*WHILE_AWAY, "ERR_INTERNET_DISCONNECTED")
    run = server.create_run(pace=20, max_updates=None)
    page = window.open(server, run)
    expect_current(page)
    page.context.set_offline(True)
    expect_outdated(page, re.compile("no news for|reconnecting in|connecting"))
    page.context.set_offline(False)
    expect_current(page)


def test_a_server_that_is_stopped_for_a_while_is_not_live(
    own_server: Server, window: Window
) -> None:
    own_server.start()
    page = window.open(own_server, own_server.create_run(pace=20, max_updates=None))
    expect_current(page)
    own_server.signal(signal.SIGSTOP)
    try:
        expect_outdated(page, NO_NEWS)
    finally:
        own_server.signal(signal.SIGCONT)
    expect_current(page)


def test_a_killed_server_leaves_a_page_that_is_not_current(
    own_server: Server, window: Window
) -> None:
    window.expect_errors(*WHILE_AWAY)
    own_server.start()
    page = window.open(own_server, own_server.create_run(pace=20, max_updates=None))
    expect_current(page)
    page.locator("#run-switch").click()
    listed = page.locator("#run-list .run-about")
    expect(listed).to_contain_text(re.compile("^training at"))
    own_server.kill()
    expect_outdated(page, re.compile("reconnecting in"))
    expect(listed).to_contain_text(re.compile("^was training at"))
    expect(page.locator("#run-state")).to_have_text("was training")
    expect(page.locator("#run-list")).to_have_css("filter", "grayscale(1) opacity(0.5)")
    expect(page.locator("#run-list .dot")).to_have_css("background-color", "rgba(0, 0, 0, 0)")
    # Also while it tries to connect, and for a run that does not train.
    expect(page.locator("#connection-word")).to_have_text("reconnecting in 2 s")
    assert is_outdated(page)
    own_server.start()
    expect(page.locator("#notice")).to_contain_text("Interrupted at update")
    assert not is_outdated(page)


def test_a_run_that_rests_stays_live(server: Server, window: Window) -> None:
    page = window.open(server, server.create_run(paused=True))
    expect(page.locator("#connection-word")).to_have_text("live")
    words = page.evaluate(
        """new Promise((resolve) => {
          const word = document.querySelector("#connection-word");
          const words = new Set([word.textContent]);
          const note = () => words.add(word.textContent);
          new MutationObserver(note).observe(word, { childList: true, characterData: true,
                                                     subtree: true });
          setTimeout(() => resolve([...words]), 6000);
        })"""
    )
    assert words == ["live"]
    assert not is_outdated(page)


def test_the_comparison_shows_that_it_is_not_current(own_server: Server, window: Window) -> None:
    window.expect_errors(*WHILE_AWAY)
    own_server.start()
    run = own_server.create_run(pace=20, max_updates=None)
    page = window.page
    page.goto(f"{own_server.url}compare?runs={run}")
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page.locator("body[data-outdated]")).not_to_be_attached()
    own_server.kill()
    expect(page.locator("#connection-word")).to_contain_text("reconnecting in")
    expect(page.locator("body[data-outdated]")).to_be_attached()
    expect(page.locator("#compare-runs .run-about")).to_contain_text("was training at")
    expect(page.locator("td[data-label=state]")).to_have_text("was training")
    expect(page.locator("td[data-label='updates/s']")).to_have_text("–")
    for faded in ("#compare-plot", "#compare-table", "#compare-runs"):
        expect(page.locator(faded)).to_have_css("filter", "grayscale(1) opacity(0.5)")


def test_without_a_websocket_the_page_polls_and_says_why(
    own_server: Server, window: Window
) -> None:
    window.expect_errors(*WHILE_AWAY)
    own_server.environment["HURRAH_MAX_VIEWERS"] = "1"
    own_server.start()
    run = own_server.create_run(pace=20, max_updates=None, sample_every=40)
    with connect(f"ws://127.0.0.1:{own_server.port}/ws/runs/{run}") as other:
        page = window.open(own_server, run)
        expect(page.locator("#connection-word")).to_have_text("polling")
        page.locator("#connection").click()
        expect(page.locator("#latency-connection")).to_contain_text(
            "The limit is 1 viewers at once."
        )
        assert not is_outdated(page)
        # Everything arrives, and goes on arriving.
        before = figure(page, "update")
        eventually(lambda: figure(page, "update"), lambda update: update > before + 40, "news")
        expect(page.locator("#sample-text .prose").last).not_to_be_empty()
        expect(page.locator("#figure-loss")).not_to_have_text("–")
        own_server.call("POST", f"runs/{run}/pause")
        expect(page.locator("#notice")).to_contain_text("Paused at update")
        other.close()
    # The place is free: the WebSocket takes over.
    expect(page.locator("#connection-word")).to_have_text("live")
    own_server.call("POST", f"runs/{run}/resume")
    expect(page.locator("#notice")).to_be_hidden()


def test_a_proxy_without_websockets_is_named(server: Server, open_window: OpenWindow) -> None:
    window = open_window()
    window.expect_errors(*WHILE_AWAY)
    run = server.create_run(pace=20, max_updates=None)
    page = window.page
    page.route_web_socket("**/ws/**", lambda socket: socket.close(code=1011))
    page.goto(f"{server.url}?run={run}")
    expect(page.locator("#connection-word")).to_have_text("polling")
    page.locator("#connection").click()
    expect(page.locator("#latency-connection")).to_contain_text("removed its Upgrade header")
    before = figure(page, "update")
    eventually(lambda: figure(page, "update"), lambda update: update > before, "news")
    # When HTTP fails, too, nothing is current.
    page.route("**/api/**", lambda route: route.abort())
    page.route("**/ws/**", lambda route: route.abort())
    expect(page.locator("body[data-outdated]")).to_be_attached()


@pytest.mark.parametrize("days", [-3, 3])
def test_a_server_clock_that_is_set_leaves_no_impossible_latency(
    server: Server, open_window: OpenWindow, days: int
) -> None:
    window = open_window()
    page = window.page
    run = server.create_run(pace=20, max_updates=None)
    set_by_s = 0.0

    def forward(socket: WebSocketRoute) -> None:
        upstream = socket.connect_to_server()

        def receive(text: str | bytes) -> None:
            message = json.loads(text)
            socket.send(json.dumps(message | {"sent_at": message["sent_at"] + set_by_s}))

        upstream.on_message(receive)

    def tell_time(route: Route) -> None:
        health = route.fetch().json()
        route.fulfill(json=health | {"time": health["time"] + set_by_s})

    page.route_web_socket("**/ws/**", forward)
    page.route("**/healthz", tell_time)
    page.goto(f"{server.url}?run={run}")
    latency = page.locator("#connection-latency")
    expect(latency).to_have_text(re.compile(r"^, \d{1,3} ms$"))
    page.evaluate(
        """() => {
          window.latencies = [];
          const latency = document.querySelector("#connection-latency");
          const note = () => window.latencies.push(latency.textContent);
          new MutationObserver(note).observe(latency, { childList: true, subtree: true,
                                                        characterData: true });
        }"""
    )
    set_by_s = days * 86_400.0
    eventually(
        lambda: page.evaluate("window.latencies"),
        lambda seen: "" in seen and seen[-1] != "",
        "a new measurement",
    )
    assert [text for text in page.evaluate("window.latencies") if len(text) > 8] == []
    page.locator("#connection").click()
    expect(page.locator("#latency-clocks")).to_contain_text("259,")
