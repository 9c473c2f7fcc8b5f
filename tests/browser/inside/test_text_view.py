"""The Inside page and its text view."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, Module, Window, eventually
from tests.browser.server_process import Server

SMALL = {"hidden_size": 10, "sample_length": 20}
MARKUP = "<img src=x onerror=alert(1)></p><script>alert(2)</script>{{7*7}}"
# Arabic, a direction override, a mark without a letter, and a character beyond 16 bits.
SCRIPTS = "مرحبا said\u202e Orla\u0301. 😀"


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    return keep_run(max_updates=200, **SMALL)


def inside(server: Server, page: Page, run: str, query: str = "") -> Page:
    """Open the page and wait until a probe is drawn."""
    page.goto(f"{server.url}inside?run={run}{query}")
    expect(page.locator("#text-view")).to_have_attribute("data-ready", "true")
    return page


def strip_text(page: Page) -> str:
    return str(page.locator("#text-strip p").evaluate("p => p.textContent"))


# The first one, before the module's run exists.
def test_without_a_run_the_page_says_so(server: Server, window: Window) -> None:
    window.page.goto(f"{server.url}inside")
    expect(window.page.locator("#inside-none-title")).to_be_visible()
    expect(window.page.locator("#inside")).to_be_hidden()


def test_the_views_of_a_text_follow_the_selection_the_snapshots_the_text_and_the_training(
    server: Server, window: Window, run: str
) -> None:
    live = server.create_run(name="live", pace=200, paused=True, max_updates=None, **SMALL)
    page = inside(server, window.page, run, f"&text={'a' * 500}")
    expect_fit(page)
    page.get_by_role("button", name="Passage of the corpus").click()
    eventually(lambda: strip_text(page), lambda shown: shown[:2] != "aa", "the passage")
    expect(page).not_to_have_url(re.compile("text="))
    expect_selection_to_be_followed(page)
    expect_snapshots_to_be_shown(page)

    # Any text can be read; one that is empty or too long changes nothing.
    for text in (MARKUP, SCRIPTS):
        expect_text_is_read(page, text)
    expect_bad_lengths_to_be_refused(page)

    # The address has all of it.
    expect_text_is_read(page, SCRIPTS)
    page.keyboard.press("ArrowLeft")
    place = f"character {len(SCRIPTS) - 1} of {len(SCRIPTS)}"
    expect(page.locator("#text-place")).to_have_text(place)
    for part in ("tint=gradient", f"at={len(SCRIPTS) - 2}", "temperature=2", "text=(?!.*img)"):
        expect(page).to_have_url(re.compile(part))
    page.reload()
    expect(page.locator("#text-place")).to_have_text(place)
    expect(page.locator("#inside-text")).to_have_value(SCRIPTS)
    expect(page.locator("#text-temperature")).to_have_value("2")
    expect(page.locator("input[name=text-tint][value=gradient]")).to_be_checked()

    page.locator("#inside-run").select_option(live)
    expect(page.locator("#text-about")).to_contain_text("network of update 0.")
    server.call("POST", f"runs/{live}/resume", {})
    expect_training_to_be_followed(server, page, live)


def expect_fit(page: Page) -> None:
    overflow = "document.documentElement.scrollWidth - innerWidth"
    for width in (1440, 1024, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        eventually(
            lambda: page.evaluate(overflow), lambda pixels: pixels <= 0, f"no overflow of {width}"
        )
        tops = page.locator(".top nav a").evaluate_all(
            "all => all.map(({ offsetTop }) => offsetTop)"
        )
        if width >= 390:
            assert len(set(tops)) <= (1 if width >= 1024 else 2), width
    page.set_viewport_size(DESKTOP)


def expect_selection_to_be_followed(page: Page) -> None:
    strip, place = page.locator("#text-strip"), page.locator("#text-place")
    text = page.locator("#inside-text").input_value()
    assert strip_text(page) == text
    # A passage with dialogue.
    assert text.count('"') >= 4
    expect(place).to_have_text(f"character {len(text)} of {len(text)}")
    expect(page.locator("#text-about")).to_contain_text("Read by the network of update 200.")
    assert page.locator("#text-strip .tint").count() > 20

    page.locator("#text-strip span").nth(7).click()
    expect(page.locator("#text-name")).to_have_text(re.sub("^ $", "space", text[7]))
    expect(page.locator("#text-character")).to_contain_text("bits")
    curve = page.locator("#text-curve-about")
    expect(curve).to_contain_text("at update 0")
    expect(curve).to_contain_text("at update 200")
    expect(page.locator("#text-curve .curve-line")).to_have_attribute("d", re.compile("^M0 "))

    # The keys move the selection, and it is announced; hovering shows another one for a moment.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_text(f"character 9 of {len(text)}")
    expect(page.locator("#live-region")).to_contain_text(f"character 9 of {len(text)}")
    expect(strip.locator(".chosen")).to_have_count(1)
    page.locator("#text-strip span").nth(30).hover()
    expect(place).to_have_text(f"character 31 of {len(text)}")
    page.mouse.move(2, 2)
    expect(place).to_have_text(f"character 9 of {len(text)}")
    page.keyboard.press("Home")
    expect(page.locator("#text-character")).to_have_text("Not predicted: nothing comes before it.")
    expect(curve).to_contain_text("it has no curve")
    page.keyboard.press("End")
    expect(place).to_have_text(f"character {len(text)} of {len(text)}")

    # A low temperature gives all to the likeliest.
    shares = page.locator("#text-likeliest .share")
    names = page.locator("#text-likeliest bdi").all_inner_texts()
    assert len(names) == len(set(names)) == 5
    page.locator("#text-temperature").fill("0")
    expect(shares.first).to_have_text("100%")
    assert page.locator("#text-likeliest bdi").all_inner_texts() == names
    page.locator("#text-temperature").fill("2")
    expect(shares.first).not_to_have_text("100%")

    # Only earlier characters have a gradient, the last ones the greatest.
    page.locator("input[name=text-tint][value=gradient]").check()
    page.locator("#text-strip span").nth(60).click()
    expect(strip.locator(".tint").first).to_be_attached()
    tinted = strip.locator(".tint").evaluate_all("all => all.map((each) => Number(each.dataset.i))")
    assert set(tinted) <= set(range(60))
    assert max(tinted) >= 57


def expect_snapshots_to_be_shown(page: Page) -> None:
    about, update = page.locator("#text-about"), page.locator("#inside-snapshot-update")
    page.locator("input[name=inside-source][value=snapshot]").check()
    slider = page.locator("#inside-snapshot")
    slider.fill("0")
    expect(update).to_have_text("update 0")
    expect(about).to_contain_text("network of update 0.")
    slider.press("ArrowRight")
    expect(update).to_have_text("update 1")
    expect(slider).to_have_attribute("aria-valuetext", "update 1")
    expect(about).to_contain_text("network of update 1.")
    expect(page).to_have_url(re.compile("update=1"))
    page.locator("input[name=inside-source][value=live]").check()
    expect(about).to_contain_text("network of update 200.")


def expect_bad_lengths_to_be_refused(page: Page) -> None:
    field, error = page.locator("#inside-text"), page.locator("#error-inside-text")
    shown = strip_text(page)
    field.fill("x" * 2_003)
    expect(error).to_have_text("The text may have at most 2,000 characters: remove 3.")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("")
    expect(error).to_have_text("Write at least one character for the network to read.")
    assert strip_text(page) == shown
    field.fill("x" * 2_000)
    expect(error).to_have_text("")
    eventually(lambda: strip_text(page), lambda text: text == "x" * 2_000, "the longest text")


def expect_training_to_be_followed(server: Server, page: Page, run: str) -> None:
    about = page.locator("#text-about")
    for _ in range(4):
        now = about.inner_text()
        expect(about).not_to_have_text(now)
    server.call("POST", f"runs/{run}/pause", {})
    paused = server.call("GET", f"runs/{run}")["update"]
    expect(about).to_contain_text(f"network of update {paused:,}.")
    expect(page.locator("#inside-live-word")).to_have_text("Latest")


def expect_text_is_read(page: Page, text: str) -> None:
    field = page.locator("#inside-text")
    field.fill(text)
    eventually(lambda: strip_text(page), lambda shown: shown == text, "the text")
    assert page.locator("#text-strip :is(img, script)").count() == 0
    expect(page.locator("#inside-text-count")).to_have_text(f"{len(text)} of 2,000")
    unknown = page.locator("#text-strip .unknown")
    expect(unknown.first).to_be_attached()
    page.locator("#text-strip").press("End")
    if text == SCRIPTS:
        expect(page.locator("#text-name")).to_have_text("😀")
        expect(page.locator("#text-character")).to_have_text(
            "Unknown to the network, which skips it."
        )
        expect(page.locator("#text-about")).to_contain_text("characters are unknown to it.")


def test_a_probe_is_asked_for_at_most_five_times_a_second(module: Module) -> None:
    """By a clock of its own, with a report of the run every 10 ms."""
    sent = module(
        "inside/state/refresher.js",
        """(async () => {
          let nowMs = 0;
          const timers = new Map();
          const originals = [performance.now, setTimeout, clearTimeout];
          const settle = () => new Promise((done) => originals[1].call(window, done));
          performance.now = () => nowMs;
          window.setTimeout = (next, ms) => (timers.set(nowMs, [nowMs + ms, next]), nowMs);
          window.clearTimeout = (id) => timers.delete(id);
          const run = { update: 0, state: "running" };
          const state = { source: "latest", operator: true, run, connection: { status: "live" } };
          const store = {
            get: () => state,
            watch: (select, listener) => (store.report = listener, listener(...select(state))),
          };
          const sent = [];
          let answer;
          try {
            new m.Refresher(store, {
              wanted: () => ({ run: "a" }),
              fetch: () => new Promise((done) => { sent.push(nowMs); answer = done; }),
              show: () => {},
              refuse: () => {},
            });
            for (nowMs = 5; nowMs <= 2000; nowMs += 5) {
              for (const [id, [due, next]] of timers) if (nowMs >= due) next(timers.delete(id));
              // The answers to the first requests are at once, those to later ones take 150 ms.
              if (nowMs < 900 || nowMs - sent.at(-1) >= 150) answer();
              await settle();
              if (nowMs % 10) continue;
              state.run = { ...run, update: nowMs };
              store.report();
            }
          } finally {
            [performance.now, window.setTimeout, window.clearTimeout] = originals;
          }
          return sent;
        })()""",
    )
    # Where answers take long, the pause is twice that time.
    assert sent == [0, 200, 400, 600, 800, 1_000, 1_300, 1_600, 1_900]


def test_a_lost_connection_is_shown_and_survived(
    own_server: Server, open_window: Callable[..., Window]
) -> None:
    own_server.start()
    window = open_window(clock=True)
    window.expect_errors("WebSocket", "ERR_CONNECTION_REFUSED", "Failed to load resource")
    run = own_server.create_run(paused=True, **SMALL)
    page = inside(own_server, window.page, run)
    own_server.signal(signal.SIGSTOP)
    try:
        page.clock.fast_forward(3_000)
        expect(page.locator("body[data-outdated]")).to_be_attached()
        expect(page.locator("#inside-view-text")).to_have_css("filter", "grayscale(1) opacity(0.5)")
        page.locator("#inside-text").fill("Orla")
    finally:
        own_server.signal(signal.SIGCONT)
    page.clock.fast_forward(1_000)
    expect(page.locator("body[data-outdated]")).not_to_be_attached()
    eventually(lambda: strip_text(page), lambda text: text == "Orla", "the new text")
