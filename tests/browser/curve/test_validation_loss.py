"""The validation loss, and a loss that diverged."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Module, Window, eventually
from tests.browser.server_process import Server


def trace(page: Page, dash: str) -> Any:
    """The dashed line of the chart."""
    return page.evaluate(
        "dash => { const found = document.querySelector('#chart-plot').data"
        "?.find(({ line }) => line?.dash === dash); return found && { x: found.x, y: found.y }; }",
        dash,
    )


def test_the_validation_loss_is_live_on_the_chart_and_its_best_model_writes(
    server: Server, lasting_window: Window
) -> None:
    # The last update is not in the schedule of samples.
    run = server.create_run(
        validation_fraction=0.1, max_updates=40, sample_every=30, hidden_size=8, paused=True
    )
    page = lasting_window.open(server, run)
    server.call("POST", f"runs/{run}/resume", {})
    expect(page.locator("#notice")).to_contain_text("Finished at update 40")
    drawn = eventually(
        lambda: trace(page, "5px,3px"),
        lambda line: line and line["x"] and line["x"][-1] == 40,
        "the last validation loss",
    )
    kept = server.call("GET", f"runs/{run}/loss")["validation"]
    assert kept["update"][-2:] == [30, 40]
    now = server.call("GET", f"runs/{run}")
    assert (now["validation_update"], now["validation_loss"]) == (40, kept["loss"][-1])
    expect(page.locator("#writing-title")).to_contain_text("at update 40")
    assert drawn["y"][-1] == kept["loss"][-1]
    expect(page.locator("#chart .annotation-text", has_text="validation")).to_be_visible()
    expect(page.locator("#figure-loss-note")).to_contain_text(re.compile(r"validation .* at 40$"))
    expect(page.locator("#writing-loss")).to_contain_text("validation")
    # Opened again, the run has the same line.
    lasting_window.open(server, server.create_run(hidden_size=8, paused=True))
    eventually(lambda: trace(page, "5px,3px"), lambda line: not line or not line["x"], "no line")
    lasting_window.open(server, run)
    eventually(lambda: trace(page, "5px,3px"), lambda line: line == drawn, "the same line again")

    page.locator("#write").click()
    page.locator("#passage-model").select_option("best_validation")
    page.locator("#passage-form").get_by_text("Write", exact=True).click()
    expect(page.locator("#passage-source")).to_contain_text("best model by validation")


def test_without_validation_there_is_no_validation_loss_and_streams_share_the_epoch(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(batch_size=20, hidden_size=8, paused=True)
    updates = server.call("GET", f"runs/{run}")["updates_per_epoch"]
    server.call("POST", f"runs/{run}/step", {"updates": updates // 2})
    page = lasting_window.open(server, run)
    expect(page.locator("#figure-book")).to_have_text("epoch 1, 50% read")
    expect(page.locator("#book-bar")).to_have_attribute("aria-valuenow", "50")
    expect(page.locator("#figure-loss-note")).to_contain_text("nats per character")
    expect(page.locator("#chart .annotation-text", has_text="validation")).to_have_count(0)


def test_a_diverged_loss_is_reported_and_can_be_fixed(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(
        optimizer="sgd", learning_rate=0.01, clip=None, hidden_size=20, paused=True
    )
    server.call("POST", f"runs/{run}/step", {"updates": 30})
    server.call("POST", f"runs/{run}/checkpoints", {})
    page = lasting_window.open(server, run)
    server.call("PATCH", f"runs/{run}", {"learning_rate": 1e37})
    server.call("POST", f"runs/{run}/resume", {})
    expect(page.locator("#notice")).to_contain_text("went back to update 30")
    expect(page.locator("#notice")).to_contain_text("A lower learning rate")
    crosses = (
        "document.querySelector('#chart-plot').data.find(t => t.marker?.symbol === 'x-thin')?.x"
    )
    eventually(lambda: page.evaluate(crosses), lambda x: x == [30], "a mark on the curve")
    server.call("PATCH", f"runs/{run}", {"learning_rate": 0.02})
    expect(page.locator("#run-about")).to_contain_text("sgd 0.02")
    page.locator("#notice").get_by_role("button", name="Halve the rate and resume").click()
    eventually(
        lambda: server.call("GET", f"runs/{run}"),
        lambda now: now["update"] > 40 and now["spec"]["learning_rate"] == 0.01,
        "the run to go on at half the rate",
    )


def test_a_finite_loss_that_runs_away_is_reported_with_a_way_back(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(
        optimizer="sgd", learning_rate=0.01, hidden_size=20, paused=True, max_updates=2_000
    )
    server.call("POST", f"runs/{run}/step", {"updates": 30})
    server.call("POST", f"runs/{run}/checkpoints", {})
    server.call("PATCH", f"runs/{run}", {"learning_rate": 1e4})
    page = lasting_window.open(server, run)
    notice = page.locator("#notice")
    server.call("POST", f"runs/{run}/resume", {})
    expect(notice).to_contain_text("Finished at update 2,000. The training diverged at update 3")
    expect(notice).to_contain_text("more than three times that of random guessing")
    expect(notice).to_contain_text("The learning rate of 10000 is probably too high")
    notice.get_by_role("button", name="Go back and lower the rate").click()
    dialog = page.locator("#fork-dialog")
    expect(dialog.locator("select[name=checkpoint] option:checked")).to_contain_text("update 30")
    rate = dialog.locator("input[name=learning_rate]")
    expect(rate).to_have_value("5000")
    # Without a value, the fork keeps that of its parent.
    expect(rate).to_have_attribute("placeholder", "10000, as before")
    dialog.locator("input[name=learning_rate]").fill("0.01")
    dialog.locator("input[name=max_updates]").fill("200")
    dialog.locator("button[type=submit]").click()
    eventually(
        lambda: server.call("GET", "runs")[0],
        lambda fork: (fork["state"], fork["update"]) == ("finished", 200),
        "the fork to finish",
    )
    fork = server.call("GET", "runs")[0]
    assert (fork["forked_from"]["update"], fork["diverged_since"]) == (30, None)
    # Chromium may never close a page that is just going to another address.
    page.wait_for_url(re.compile(rf"/compare\?runs=.*{fork['id']}"))
    expect(page.locator("#compare-table")).to_contain_text(fork["name"])


def test_a_divergence_without_a_checkpoint_from_before_leads_to_a_new_run(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(
        optimizer="sgd", learning_rate=1e4, init_scale=10.0, hidden_size=8, max_updates=300
    )
    page = lasting_window.open(server, run)
    notice = page.locator("#notice")
    expect(notice).to_contain_text("Finished at update 300. The training diverged at update 1:")
    expect(notice).to_contain_text("or the initial weights are too large")
    notice.get_by_role("button", name="Go back and lower the rate").click()
    form = page.locator("#new-run-dialog")
    expect(form).to_contain_text("no checkpoint from before the divergence")
    # The settings are those of the run, but for the learning rate.
    expect(form.locator("[name=learning_rate]")).to_have_value("5000")
    expect(form.locator("[name=hidden_size]")).to_have_value("8")
    expect(form.locator("[name=max_updates]")).to_have_value("300")


def test_a_loss_that_is_infinite_after_a_divergence_leads_back_before_it(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(
        optimizer="sgd", learning_rate=1e4, init_scale=10.0, hidden_size=8, max_updates=None
    )
    eventually(
        lambda: server.call("GET", f"runs/{run}")["diverged_since"],
        lambda since: since == 1,
        "the divergence",
    )
    server.call("PATCH", f"runs/{run}", {"learning_rate": 1e38})
    notice = lasting_window.open(server, run).locator("#notice")
    expect(notice).to_contain_text("not a finite number")
    expect(notice).to_contain_text("The training had diverged at update 1 already.")
    expect(notice.get_by_role("button", name="Go back and lower the rate")).to_be_visible()
    expect(notice.get_by_role("button", name="Halve the rate and resume")).to_have_count(0)


def test_validation_stays_bounded_and_keeps_its_lowest_point(module: Module) -> None:
    kept = module(
        "curve/validation-loss.js",
        """(() => {
          let kept = m.validationOf(null);
          for (let update = 1; update <= 5000; update += 1) {
            kept = m.addSample(kept, { update, validation_loss: update === x ? 1 : 50 });
          }
          return kept;
        })()""",
        1_234,
    )
    assert len(kept["update"]) <= 1_000
    assert kept["update"][kept["loss"].index(1)] == 1_234
    assert kept["update"][-1] == 5_000


def test_the_test_part_is_measured_after_a_warning(server: Server, lasting_window: Window) -> None:
    run = server.create_run(
        hidden_size=8, validation_fraction=0.1, test_fraction=0.1, max_updates=200
    )
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    page.locator("#checkpoint-open").click()
    result, dialog = page.locator("#test-part-result"), page.locator("#test-dialog")
    expect(result).to_contain_text("The last 10% of the text")
    page.locator("#test-part-measure").click()
    expect(dialog).to_contain_text("A test part is for one measurement")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert server.call("GET", f"runs/{run}")["test"] is None
    if page.locator("#checkpoint-panel").is_hidden():
        page.locator("#checkpoint-open").click()
    page.locator("#test-part-measure").click()
    page.locator("#test-confirm").click()
    expect(result).to_contain_text("by the best model by validation, of update 200")
    test = server.call("GET", f"runs/{run}")["test"]
    expect(result).to_contain_text(f"{test['nats']:.3f} nats ({test['bits']:.3f} bits)")
    if page.locator("#checkpoint-panel").is_hidden():
        page.locator("#checkpoint-open").click()
    expect(page.locator("#test-part-measure")).to_have_text("Measure again")
    page.locator("#test-part-measure").click()
    expect(dialog).to_contain_text("It has been measured once.")
    page.locator("#test-cancel").click()
    assert server.call("GET", f"runs/{run}")["test"]["times"] == 1
    # Another window is told of a second measurement.
    server.call("POST", f"runs/{run}/test", {"again": True})
    expect(result).to_contain_text("Measured 2 times, last on")
