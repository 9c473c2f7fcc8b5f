"""What a page shows of its run while another is in front: its title, and notifications."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Module, Window, eventually
from tests.browser.server_process import Server

# The titles that the page has from now on.
RECORD_TITLES = """() => {
  window.titles = [];
  window.titleObserver = new MutationObserver(() => window.titles.push(document.title));
  window.titleObserver.observe(document.querySelector("title"), { childList: true });
}"""


def test_the_title_has_update_and_loss_and_then_the_state(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(name="Saltmere", max_updates=None, hidden_size=8)
    page = lasting_window.open(server, run)
    figures = re.compile(r"([\d,]+) · ([\d.]+) · Saltmere · Hurrah")
    expect(page).to_have_title(figures)
    page.evaluate(RECORD_TITLES)
    titles = eventually(
        lambda: page.evaluate("window.titles"), lambda seen: len(seen) >= 3, "three titles"
    )
    # Without news for some seconds it would not be current.
    current = [title for title in titles if not title.startswith("was training · ")]
    assert all(figures.fullmatch(title) for title in current)
    page.evaluate("window.titleObserver.disconnect()")

    server.call("POST", f"runs/{run}/pause")
    paused = server.call("GET", f"runs/{run}")
    loss = f"{paused['smooth_loss']:.1f}"
    expect(page).to_have_title(f"paused · {paused['update']:,} · {loss} · Saltmere · Hurrah")
    server.call("POST", f"runs/{run}/stop")
    expect(page).to_have_title(f"stopped · {paused['update']:,} · {loss} · Saltmere · Hurrah")


def test_figures_are_written_once_a_second_and_a_new_state_at_once(module: Module) -> None:
    titles = module(
        "notifications/page-title.js",
        """(() => {
          let nowMs = 0;
          const timers = new Map();
          const originals = [performance.now, setTimeout, clearTimeout];
          performance.now = () => nowMs;
          window.setTimeout = (write, ms) => (timers.set(nowMs, [nowMs + ms, write]), nowMs);
          window.clearTimeout = (id) => timers.delete(id);
          let run = { id: "a", name: "Orla", state: "running", update: 0, smooth_loss: null,
            spec: { sequence_length: 25 } };
          const store = {
            get: () => ({ run, unit: "nats", playback: null, connection: { status: "live" } }),
            watch: (select, listener) => (store.report = () => listener(...select(store.get()))),
          };
          const titles = [];
          try {
            m.mountPageTitle(store);
            for (nowMs = 1; nowMs <= 4000; nowMs += 1) {
              for (const [id, [due, write]] of timers) if (nowMs >= due) write(timers.delete(id));
              run = { ...run, update: nowMs, state: nowMs < 3500 ? "running" : "paused" };
              // No report arrives for more than a second.
              if (nowMs % 50 === 0 && !(nowMs > 2000 && nowMs < 3200)) store.report();
              if (titles.at(-1)?.[1] !== document.title) titles.push([nowMs, document.title]);
            }
          } finally {
            [performance.now, window.setTimeout, window.clearTimeout] = originals;
          }
          return titles.slice(1);
        })()""",
    )
    assert titles == [
        [50, "50 · – · Orla · Hurrah"],
        [1050, "1,049 · – · Orla · Hurrah"],
        [2050, "2,049 · – · Orla · Hurrah"],
        [3200, "3,200 · – · Orla · Hurrah"],
        [3500, "paused · 3,500 · – · Orla · Hurrah"],
    ]


def test_the_title_of_a_run_that_is_not_current_a_replay_and_no_run(module: Module) -> None:
    titles = module(
        "notifications/page-title.js",
        """(() => {
          const run = { id: "a", name: "عين", state: "running", update: 0, smooth_loss: null,
            spec: { sequence_length: 25 } };
          const state = { run, unit: "bits", playback: null, connection: { status: "live" } };
          return [
            m.titleOf(state),
            m.titleOf({ ...state, connection: { status: "waiting" } }),
            m.titleOf({ ...state, run: { ...run, update: 1234, smooth_loss: 50 * Math.LN2 } }),
            m.titleOf({ ...state, playback: { update: 3 } }),
            m.titleOf({ ...state, run: null }),
          ];
        })()""",
    )
    name = "\u2068عين\u2069"
    assert titles == [
        f"0 · – · {name} · Hurrah",
        f"was training · 0 · – · {name} · Hurrah",
        f"1,234 · 2.00 · {name} · Hurrah",
        f"replay · 0 · – · {name} · Hurrah",
        "Hurrah",
    ]


# The browser's notifications, which need a desktop: a class that records what is shown and how
# often the user was asked, and a page that is hidden on demand.
FAKES = """
  window.answer = "granted";
  window.Notification = class {
    static permission = localStorage.getItem("permission") ?? "default";
    static async requestPermission() {
      localStorage.setItem("asked", Number(localStorage.getItem("asked")) + 1);
      localStorage.setItem("permission", window.answer);
      this.permission = window.answer;
      return this.permission;
    }
    constructor(title, options) {
      if (Notification.permission !== "granted") return;
      const shown = JSON.parse(localStorage.getItem("shown") ?? "[]");
      localStorage.setItem("shown", JSON.stringify([...shown, [title, options.body, options.tag]]));
    }
  };
  window.isHidden = false;
  Object.defineProperty(document, "visibilityState", {
    get: () => (window.isHidden ? "hidden" : "visible"),
  });
"""


def stored(page: Page, key: str) -> Any:
    text = page.evaluate("(key) => localStorage.getItem(key)", key)
    return None if text is None else json.loads(text)


def test_a_hidden_page_tells_of_names_and_the_end_once_in_two_windows(
    server: Server, window: Window
) -> None:
    spec = {"hidden_size": 8, "sample_every": 100, "sample_length": 200, "paused": True}
    run = server.create_run(name="Saltmere", max_updates=400, **spec)
    pages = [window.page, window.page.context.new_page()]
    for page in pages:
        page.add_init_script(FAKES)
    page = window.open(server, run)
    assert stored(page, "asked") is None
    page.locator("#run-switch").click()
    box, hint = page.locator("#notify"), page.locator("#notify-hint")
    expect(box).not_to_be_checked()
    expect(hint).to_have_text("Only while this page is hidden.")
    box.check()
    assert stored(page, "asked") == 1
    pages[1].add_init_script("localStorage.setItem('hurrah-introduced', 'yes')")
    pages[1].goto(page.url)
    pages[1].locator("#chart[data-drawn-update]").wait_for(state="attached")
    pages[1].locator("#run-switch").click()
    expect(pages[1].locator("#notify")).to_be_checked()

    # Whoever sees the page needs no notification.
    server.call("POST", f"runs/{run}/stop")
    for each in pages:
        expect(each).to_have_title(re.compile("^stopped · "))
    assert stored(page, "shown") is None

    other = server.create_run(name="Orla", watch_words=["never"], max_updates=400, **spec)
    server.call("PATCH", f"runs/{other}", {"watch_words": ["e"]})
    for each in pages:
        each.evaluate(
            "(run) => { history.pushState(null, '', `/?run=${run}`);"
            " dispatchEvent(new PopStateEvent('popstate')); window.isHidden = true; }",
            other,
        )
        expect(each).to_have_title(re.compile("^paused · .* · Orla · Hurrah"))
    server.call("POST", f"runs/{other}/resume")
    for each in pages:
        expect(each).to_have_title(re.compile("^finished · "))
    shown = eventually(
        lambda: stored(page, "shown"), lambda found: found and len(found) >= 2, "notifications"
    )
    (hurrah,) = [each for each in shown if "hurrah - " in each[0]]
    (end,) = [each for each in shown if each != hurrah]
    smooth_loss = server.call("GET", f"runs/{other}")["smooth_loss"]
    text = f"At update 400, smooth loss {smooth_loss:.1f}."
    assert end == ["Orla: finished", text, f"hurrah {other} finished"]
    milestones = server.call("GET", f"runs/{other}/milestones")
    (update,) = [each["update"] for each in milestones if each["kind"] == "hurrah"]
    text = f"For the first time, in the sample at update {update}."
    assert hurrah == ["Orla: hurrah - e", text, f"hurrah {other} hurrah"]
    assert stored(page, "asked") == 1

    # Turned off in one window, they are off in the other.
    box.uncheck()
    expect(pages[1].locator("#notify")).not_to_be_checked()


def test_the_control_says_why_there_are_none_and_a_refusal_is_remembered(module: Module) -> None:
    found = module(
        "notifications/notification-switch.js",
        """(async () => {
          const hint = document.querySelector("#notify-hint");
          const original = window.Notification;
          let asked = 0;
          const control = async (permission, answer, change = {}) => {
            window.Notification = class {
              static permission = permission;
              static async requestPermission() {
                asked += 1;
                this.permission = answer;
              }
              constructor() {
                if (change.phone) throw new TypeError("Illegal constructor");
              }
            };
            if (change.missing) delete window.Notification;
            Object.defineProperty(window, "isSecureContext", {
              configurable: true, get: () => !change.insecure,
            });
            const box = document.querySelector("#notify").cloneNode();
            document.querySelector("#notify").replaceWith(box); // without earlier listeners
            const made = new m.NotificationSwitch();
            const before = [hint.textContent, box.checked, box.disabled];
            if (!box.disabled) {
              box.checked = !box.checked;
              box.dispatchEvent(new Event("change"));
              await new Promise((resolve) => setTimeout(resolve));
            }
            const after = [hint.textContent, box.checked, box.disabled, made.isOn];
            localStorage.removeItem("hurrah-notifications");
            return [before, after];
          };
          const all = {
            allowed: await control("default", "granted"),
            refused: await control("default", "denied"),
            dismissed: await control("default", "default"),
            blocked: await control("denied", "denied"),
            phone: await control("default", "granted", { phone: true }),
            missing: await control("", "", { missing: true }),
            insecure: await control("denied", "", { insecure: true }),
            asked,
          };
          window.Notification = original;
          delete window.isSecureContext;
          return all;
        })()""",
    )
    when = ["Only while this page is hidden.", False, False]
    blocked = (
        "This browser blocks notifications of this page. To allow them, open the settings of this"
        " site beside its address."
    )
    missing = "This browser has no notifications of an open page."
    insecure = "Notifications need HTTPS, or the address localhost."
    assert found == {
        "allowed": [when, [when[0], True, False, True]],
        "refused": [when, [blocked, False, True, False]],
        "dismissed": [when, ["This browser has not allowed them.", False, False, False]],
        "blocked": [[blocked, False, True], [blocked, False, True, False]],
        "phone": [when, [missing, False, True, False]],
        "missing": [[missing, False, True], [missing, False, True, False]],
        "insecure": [[insecure, False, True], [insecure, False, True, False]],
        # Those that could be asked, once each.
        "asked": 3,
    }
