"""A run that has ended: its notice, its replay, and training on."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import Module, Window, eventually, figure, plot_box, stop_clock
from tests.browser.server_process import Server

SIZES: list[ViewportSize] = [
    {"width": 1440, "height": 900},
    {"width": 1024, "height": 768},
    {"width": 390, "height": 844},
]


def test_the_notice_never_covers_the_plot_and_can_be_closed(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(hidden_size=8, max_updates=50)
    for scale in ("linear", "log"):
        page = lasting_window.open(server, run, f"&scale={scale}")
        page.set_viewport_size(SIZES[0])
        expect_notice_beside_plot(page)
    page.locator("#notice").get_by_label("Close this notice").click()
    expect(page.locator("#notice")).to_be_hidden()


def notice_is_beside(page: Page) -> bool:
    """Whether the notice covers neither the plot nor the readout."""
    body, plot = page.locator("#notice .notice-body").bounding_box(), plot_box(page)
    assert body is not None
    right, bottom = page.locator("#chart-readout").evaluate(
        """(element) => {
          const range = document.createRange();
          range.selectNodeContents(element);
          const { right, bottom } = range.getBoundingClientRect();
          return [right, bottom];
        }"""
    )
    lower = body["y"] + body["height"]
    return lower <= plot["y"] + 0.5 and (body["x"] >= right or lower <= bottom + 0.5)


def expect_notice_beside_plot(page: Page) -> None:
    notice = page.locator("#notice")
    expect(notice).to_contain_text("Finished at update 50")
    expect(notice.get_by_role("button")).to_have_text(
        ["Replay", "Continue training", "New run", ""]
    )
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    for size in SIZES:
        page.set_viewport_size(size)
        eventually(
            lambda: notice_is_beside(page),
            bool,
            f"the notice to be beside plot and readout at {size}",
        )


def test_a_replay_grows_curve_and_writing_and_returns(
    server: Server, open_window: Callable[..., Window]
) -> None:
    run = server.create_run(pace="max", max_updates=4_000, sample_every=500)
    # The clock is that of all pages of the context.
    page = open_window(new_context=True).open(server, run)
    notice = page.locator("#notice")
    expect(notice).to_contain_text("Finished at update 4,000")
    page.clock.install()
    stop_clock(page)
    notice.get_by_role("button", name="Replay").click()
    expect(notice).to_contain_text("Replay of the training")
    expect(page.locator("#run-about")).to_have_text("replay of the training")
    expect(page.locator("#figure-update-note")).to_have_text("of 4,000, replay")
    page.clock.fast_forward(10_000)
    seen = eventually(lambda: figure(page, "update"), lambda update: update > 100, "a third of it")
    # The third power of a third.
    assert seen == round(4_000 / 27)
    assert page.locator("#timeline-dots circle").count() < 11
    page.clock.fast_forward(14_000)
    later = eventually(lambda: figure(page, "update"), lambda update: update > 1_500, "more of it")
    assert later < 3_000
    assert figure(page, "best") > 0
    drawn = lambda: int(page.locator("#chart").get_attribute("data-drawn-update") or 0)  # noqa: E731
    page.clock.run_for(500)
    assert 1_000 < drawn() < 3_500
    # It returns by itself.
    page.clock.fast_forward(8_000)
    expect(notice).to_contain_text("Finished at update 4,000")
    expect(page.locator("#figure-update")).to_have_text("4,000")
    expect(page.locator("#writing-title")).to_have_text("Newest sample, at update 4,000")

    for end in (
        lambda: notice.get_by_role("button", name="End replay").click(),
        lambda: page.keyboard.press("Escape"),
    ):
        notice.get_by_role("button", name="Replay").click()
        page.clock.run_for(1_000)
        expect(page.locator("#figure-speed")).to_have_text("–")
        end()
        expect(page.locator("#figure-update")).to_have_text("4,000")
        expect(page.locator("#figure-update-note")).to_have_text("of 4,000, finished")
        expect(page.locator("#run-about")).to_contain_text("rnn 100")
    now = server.call("GET", f"runs/{run}")
    assert figure(page, "speed") == round(now["update"] / now["seconds"])
    expect(page.locator("#figure-speed-note")).to_have_text("average per second")


def test_a_finished_run_trains_on(server: Server, lasting_window: Window) -> None:
    run = server.create_run(pace="max", max_updates=200, sample_every=100)
    page = lasting_window.open(server, run)
    page.locator("#notice").get_by_role("button", name="Continue training").click()
    expect(page.locator("#notice")).to_contain_text("Finished at update 400")
    assert server.call("GET", f"runs/{run}")["spec"]["max_updates"] == 400


def test_what_changes_meanwhile_is_not_lost(module: Module) -> None:
    """Messages change the whole state, of which a playback shows the beginning."""
    found = module(
        "state/reducers.js",
        """(() => {
          const points = (...update) => ({ update, seconds: update, smooth: update.map(() => 5),
            low: update, high: update });
          const run = { id: "r", state: "finished", update: 30, updates_per_epoch: 10,
            spec: { sequence_length: 5, pace: "max" } };
          const sample = (update) => ({ update, hurrahs: [], text: "" });
          let state = m.reduce(m.initialState({ operator: true }), { type: "open", runId: "r" });
          const message = (message) => {
            state = m.reduce(state, { type: "message", message: { run: "r", ...message } });
          };
          message({ type: "snapshot", run_state: run, milestones: [], checkpoints: [],
            samples: [sample(10), sample(20)], loss: { ...points(10, 20, 30), bucket: 1 } });
          state = m.reduce(state, { type: "playback", update: 12 });
          const during = [state.run.update, state.run.epoch, state.curve.update,
            state.samples.length];
          message({ type: "sample", sample: sample(30) });
          const same = state.samples.length;
          const again = m.reduce(state, { type: "playback", update: null });
          const whole = [again.run.update, again.curve.update, again.samples.length];
          message({ type: "state", run_state: { ...run, state: "running" } });
          return { during, same, whole, ended: state.playback, now: state.run.update };
        })()""",
    )
    assert found == {
        "during": [12, 2, [10], 1],
        "same": 1,
        "whole": [30, [10, 20, 30], 3],
        "ended": None,
        "now": 30,
    }
