"""A server that disappears and comes back."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable

from playwright.sync_api import Page, Route, WebSocket, WebSocketRoute, expect
from websockets.sync.client import connect

from tests.browser.conftest import Module, Window, eventually, figure
from tests.browser.server_process import Server
from tests.slow_proxy import SlowProxy

OpenWindow = Callable[..., Window]

# Of static/js/net/.
SILENT_AFTER_S = 3
RECONNECT_AFTER_S = 10
CONNECT_WITHIN_S = 10
POLL_EVERY_S = 3
LONGEST_WAIT_S = 15

WHILE_AWAY = ("WebSocket", "ERR_CONNECTION_REFUSED", "Failed to load resource")


def skip_s(page: Page, seconds: int) -> None:
    """Let time pass in the page only; its timers fire at most once."""
    page.clock.fast_forward(seconds * 1_000)


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


def test_a_dead_worker_a_stopped_server_and_a_killed_one_are_reported_and_survived(
    own_server: Server, open_window: OpenWindow
) -> None:
    own_server.start()
    window = open_window(clock=True)
    window.expect_errors(*WHILE_AWAY)
    page = window.open(own_server, own_server.create_run(pace=4, max_updates=None))
    expect_current(page)
    notice, word = page.locator("#notice"), page.locator("#connection-word")

    own_server.kill_workers()
    expect(notice).to_contain_text("Failed.")
    [run] = own_server.call("GET", "runs")
    expect(notice).to_contain_text(run["error"])
    expect(word).to_have_text("live")
    # One click, or one key, resumes it.
    expect(page.locator("#pause")).to_be_enabled()
    expect(page.locator("#pause")).to_contain_text("Resume")
    notice.get_by_role("button", name="Resume").click()
    expect(notice).to_be_hidden()
    eventually(lambda: figure(page, "update"), lambda update: update > run["update"], "going on")

    own_server.signal(signal.SIGSTOP)
    try:
        skip_s(page, SILENT_AFTER_S)
        expect_outdated(page, NO_NEWS)
    finally:
        own_server.signal(signal.SIGCONT)
    expect_current(page)

    prose = page.locator("#sample-text .prose").last
    expect(prose).not_to_be_empty()
    page.locator("#run-switch").click()
    listed = page.locator("#run-list .run-about")
    expect(listed).to_contain_text(re.compile("^training at"))
    comparison = open_window()
    comparison.expect_errors(*WHILE_AWAY)
    compared = comparison.page
    compared.goto(f"{own_server.url}compare?runs={run['id']}")
    expect(compared.locator("#connection-word")).to_have_text("live")
    expect(compared.locator("body[data-outdated]")).not_to_be_attached()

    own_server.kill()
    expect_outdated(page, re.compile("reconnecting in"))
    expect(listed).to_contain_text(re.compile("^was training at"))
    expect(page.locator("#run-state")).to_have_text("was training")
    expect(page.locator("#run-list")).to_have_css("filter", "grayscale(1) opacity(0.5)")
    expect(page.locator("#run-list .dot")).to_have_css("background-color", "rgba(0, 0, 0, 0)")
    expect(prose).not_to_be_empty()
    # Also while it tries to connect, and for a run that does not train.
    expect(word).to_have_text("reconnecting in 2 s")
    assert is_outdated(page)
    page.keyboard.press("Escape")
    page.locator("#checkpoint").click()
    expect(page.locator("#toasts")).to_contain_text("cannot be reached")
    expect_outdated_comparison(compared)
    compared.close()

    # The connection is restored automatically.
    own_server.start()
    expect(word).to_have_text("live")
    expect(notice).to_contain_text("Interrupted at update")
    assert not is_outdated(page)
    notice.get_by_text("Resume").click()
    before = figure(page, "update")
    eventually(lambda: figure(page, "update"), lambda update: update > before, "it to go on")


def expect_outdated_comparison(page: Page) -> None:
    expect(page.locator("#connection-word")).to_contain_text("reconnecting in")
    expect(page.locator("body[data-outdated]")).to_be_attached()
    expect(page.locator("#compare-runs .run-about")).to_contain_text("was training at")
    expect(page.locator("td[data-label=state]")).to_have_text("was training")
    expect(page.locator("td[data-label='updates/s']")).to_have_text("–")
    for faded in ("#compare-plot", "#compare-table", "#compare-runs"):
        expect(page.locator(faded)).to_have_css("filter", "grayscale(1) opacity(0.5)")


def test_a_zoomed_curve_keeps_its_detail_after_a_reconnect(
    own_server: Server, window: Window
) -> None:
    window.expect_errors(*WHILE_AWAY)
    own_server.start()
    run = own_server.create_run(
        hidden_size=2, sequence_length=2, max_updates=12_000, sample_every=6_000, name="Before"
    )
    eventually(lambda: own_server.call("GET", f"runs/{run}")["state"], "finished".__eq__, "the end")
    page = window.page
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


def test_the_latency_is_shown_and_a_run_that_rests_stays_live(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(pace=50, max_updates=None)
    beats: list[str] = []

    def count_beats(frame: str | bytes) -> None:
        if json.loads(frame)["type"] == "heartbeat":
            beats.append(str(frame))

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", count_beats)

    lasting_window.page.on("websocket", listen)
    page = lasting_window.open(server, run)
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

    # Only heartbeats arrive, one a second, longer than the page would wait for them.
    beats.clear()
    eventually(
        lambda: page.evaluate("0") or len(beats),
        lambda count: count > SILENT_AFTER_S,
        "heartbeats",
    )
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page.locator("body[data-outdated]")).not_to_be_attached()
    page.remove_listener("websocket", listen)


def test_silence_is_told_after_three_seconds_and_a_heartbeat_is_news(module: Module) -> None:
    told = module(
        "net/live-socket.js",
        """(() => {
          let nowMs = 0;
          let check;
          const { WebSocket, setInterval } = window;
          const { now } = performance;
          let receive;
          window.WebSocket = class {
            static CONNECTING = 0;
            readyState = 1;
            addEventListener(event, listener) {
              if (event === "message") receive = listener;
            }
            close() {}
          };
          window.setInterval = (listener) => (check = listener);
          performance.now = () => nowMs;
          const told = [];
          const news = (seq) => receive({ data: JSON.stringify({ type: "heartbeat", seq }) });
          let socket;
          try {
            socket = new m.LiveSocket(m0, {
              message: () => {},
              connection: ({ status, silentS }) => told.push([nowMs, status, silentS]),
            });
            // A heartbeat each second until 8 s, and one at 12 s.
            for (nowMs = 0; nowMs <= 13_000; nowMs += 250) {
              if (nowMs % 1000 === 0 && (nowMs <= 8000 || nowMs === 12_000)) news(nowMs);
              check();
            }
          } finally {
            socket?.close();
            Object.assign(window, { WebSocket, setInterval });
            performance.now = now;
          }
          return told;
        })()""".replace("m0", "{ socket: '/ws/runs/a', messages: '' }"),
    )
    silence = [[at, "silent", (at - 8_000) // 1_000] for at in range(11_000, 12_000, 250)]
    assert told == [
        [0, "connecting", None],
        [0, "live", None],
        *silence,
        [12_000, "live", None],
    ]


def test_the_latency_panel_of_a_finished_run_says_when_it_ended(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(max_updates=300, hidden_size=8)
    now = eventually(
        lambda: server.call("GET", f"runs/{run}"), lambda now: now["state"] == "finished", "the end"
    )
    page = lasting_window.open(server, run)
    page.locator("#connection").click()
    # A run saves it when it has ended.
    *_, end = eventually(
        lambda: server.call("GET", f"runs/{run}/checkpoints"),
        lambda made: made and made[-1]["update"] == 300,
        "the last checkpoint",
    )
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


def test_a_run_paused_by_a_full_disk_and_a_queued_run_say_why(
    own_server: Server, window: Window
) -> None:
    limit = 3_000_000
    own_server.environment["HURRAH_MAX_STORED_BYTES"] = str(limit)
    own_server.environment["HURRAH_MAX_TRAINING_RUNS"] = "1"
    own_server.start()
    first = own_server.create_run(name="The first", pace=4, max_updates=None)
    page = window.open(own_server, first)
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

    waits = own_server.create_run(name="The second", max_updates=None, pace=4)
    page.goto(f"{own_server.url}?run={waits}")
    expect(notice).to_contain_text("Queued behind “The first”")
    expect(page.locator("#sample-about")).to_contain_text("Nothing is written yet")
    expect(page.locator("#sample-text .text-loading")).to_be_hidden()


def test_a_connection_that_passes_no_bytes_is_noticed_and_replaced(
    server: Server, open_window: OpenWindow
) -> None:
    window = open_window(clock=True)
    window.expect_errors(*WHILE_AWAY, "ERR_INTERNET_DISCONNECTED")
    page = window.page
    word = page.locator("#connection-word")
    run = server.create_run(pace=20, max_updates=None)
    with SlowProxy(server.port) as relay:
        page.goto(f"http://127.0.0.1:{relay.port}/?run={run}")
        expect_current(page)
        relay.stall()
        expect_outdated(page, NO_NEWS)
        # Nobody does anything: the page opens a new connection.
        skip_s(page, RECONNECT_AFTER_S - SILENT_AFTER_S)
        expect_current(page)

        # A relay that works again is noticed.
        relay.broken = True
        skip_s(page, SILENT_AFTER_S)
        expect_outdated(page, NO_NEWS)
        skip_s(page, RECONNECT_AFTER_S - SILENT_AFTER_S)
        # The next connection is opened, and brings nothing either.
        expect(word).to_have_text("connecting")
        assert is_outdated(page)
        relay.stall()
        relay.broken = False
        skip_s(page, CONNECT_WITHIN_S)
        expect_current(page)

        # A browser without a network is not live.
        page.context.set_offline(True)
        skip_s(page, SILENT_AFTER_S)
        expect_outdated(page, re.compile("no news for|reconnecting in|connecting"))
        page.context.set_offline(False)
        expect_current(page)


def test_without_a_websocket_the_page_polls_and_says_why(
    own_server: Server, open_window: OpenWindow
) -> None:
    window = open_window(clock=True)
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
        own_server.call("PATCH", f"runs/{run}", {"pace": 400})
        after_a_poll(page, lambda: figure(page, "update") > before + 40, "news")
        own_server.call("PATCH", f"runs/{run}", {"pace": 20})
        expect(page.locator("#sample-text .prose").last).not_to_be_empty()
        expect(page.locator("#figure-loss")).not_to_have_text("–")
        own_server.call("POST", f"runs/{run}/pause")
        notice = page.locator("#notice")
        paused = lambda: "Paused at update" in notice.inner_text()  # noqa: E731
        after_a_poll(page, paused, "the pause")
        other.close()
    # The place is free: the WebSocket takes over.
    live = lambda: page.locator("#connection-word").inner_text() == "live"  # noqa: E731
    after_a_poll(page, live, "the WebSocket")
    own_server.call("POST", f"runs/{run}/resume")
    expect(notice).to_be_hidden()


def after_a_poll(page: Page, shown: Callable[[], bool], what: str) -> None:
    """Wait for what a later request, or the next connection, brings."""
    # The clock goes on. Were more skipped, the page would give up requests before their answers.
    skip_s(page, LONGEST_WAIT_S)
    eventually(shown, bool, what)


def test_a_proxy_without_websockets_is_named(server: Server, open_window: OpenWindow) -> None:
    window = open_window(clock=True)
    window.expect_errors(*WHILE_AWAY)
    run = server.create_run(pace=4, max_updates=None)
    page = window.page
    page.route_web_socket("**/ws/**", lambda socket: socket.close(code=1011))
    page.goto(f"{server.url}?run={run}")
    expect(page.locator("#connection-word")).to_have_text("polling")
    page.locator("#connection").click()
    expect(page.locator("#latency-connection")).to_contain_text("removed its Upgrade header")
    before = figure(page, "update")
    after_a_poll(page, lambda: figure(page, "update") > before, "news")
    # When HTTP fails, too, nothing is current.
    page.route("**/api/**", lambda route: route.abort())
    page.route("**/ws/**", lambda route: route.abort())
    skip_s(page, POLL_EVERY_S)
    expect(page.locator("body[data-outdated]")).to_be_attached()


def test_a_server_clock_that_is_set_leaves_no_impossible_latency(
    server: Server, open_window: OpenWindow
) -> None:
    window = open_window()
    page = window.page
    run = server.create_run(pace=4, max_updates=None)
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
    expect(latency).to_have_text(re.compile(r"^, [\d,]{1,6} ms$"))
    page.evaluate(
        """() => {
          const latency = document.querySelector("#connection-latency");
          const note = () => window.latencies.push(latency.textContent);
          new MutationObserver(note).observe(latency, { childList: true, subtree: true,
                                                        characterData: true });
        }"""
    )
    for days in (-3, 3):
        page.evaluate("window.latencies = []")
        set_by_s = days * 86_400.0
        eventually(
            lambda: page.evaluate("window.latencies"),
            lambda seen: "" in seen and seen[-1] != "",
            "a new measurement",
        )
        # Not even a slow machine has such latencies as the clocks differ.
        day_ms = 86_400_000
        shown = [re.sub(r"\D", "", text) for text in page.evaluate("window.latencies")]
        assert [text for text in shown if text and int(text) > day_ms] == []
        page.locator("#connection").click()
        expect(page.locator("#latency-clocks")).to_contain_text("259,")
        page.keyboard.press("Escape")
