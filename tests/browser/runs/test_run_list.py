"""The list of runs: its order, its filters, and actions on several runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Module, Window, eventually
from tests.browser.server_process import Server

STATES = ["queued", "finished", "running", "queued", "paused", "interrupted", "stopped", "running"]


def runs_in(states: list[str]) -> list[dict[str, Any]]:
    """Runs, newest first; their names are their states with a number. Older runs start first."""
    spec = {"cell": "gru"}
    return [
        {"name": f"{state} {i}", "state": state, "corpus_name": "Alice", "spec": spec}
        | {"queue_position": len(states) - i if state == "queued" else None}
        for i, state in enumerate(states)
    ]


def names(module: Module, **wanted: str) -> list[str]:
    wanted = {"text": "", "filter": "all"} | wanted
    argument = {"runs": runs_in(STATES), "wanted": wanted}
    listed = module("run-lists/order.js", "m.listedRuns(x.runs, x.wanted)", argument)
    return [run["name"] for run in listed]


def test_the_runs_that_train_come_first(module: Module) -> None:
    assert names(module) == [
        *("running 2", "running 7"),
        *("queued 3", "queued 0"),  # in the order in which they will train
        *("paused 4", "interrupted 5", "finished 1", "stopped 6"),
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"text": "QUEUED ali"}, ["queued 3", "queued 0"]),
        ({"text": "gru 5"}, ["interrupted 5"]),
        ({"text": "lstm"}, []),
        ({"filter": "active", "text": "7"}, ["running 7"]),
        ({"filter": "paused"}, ["paused 4", "interrupted 5"]),
        ({"filter": "ended"}, ["finished 1", "stopped 6"]),
    ],
)
def test_runs_are_found_by_words_and_state(
    module: Module, wanted: dict[str, str], found: list[str]
) -> None:
    assert names(module, **wanted) == found


def opened(page: Page) -> Locator:
    page.locator("#run-switch").click()
    return page.locator(".run-row .run-name")


def states(server: Server) -> dict[str, str]:
    return {run["name"]: run["state"] for run in server.call("GET", "runs")}


def test_several_runs_are_deleted_restored_resumed_and_stopped_together(
    server: Server, lasting_window: Window
) -> None:
    spec = {"paused": True, "pace": 1, "max_updates": None, "hidden_size": 8}
    *_, newest = (
        server.create_run(name=name, **spec) for name in ("both one", "both two", "three")
    )
    page = lasting_window.open(server, newest)
    rows = opened(page)
    expect(rows).to_have_text(["three", "both two", "both one"])
    for name in ("three", "both one"):
        page.get_by_label(f"Select {name}").check()
    page.locator("#run-batch").get_by_role("button", name="Delete").click()
    expect(page.locator(".toast")).to_contain_text("2 runs were deleted.")
    expect(page.locator("#run-name")).to_have_text("both two")
    page.locator(".toast").get_by_text("Undo").click()
    expect(page.locator("#run-name")).to_have_text("three")
    opened(page)
    expect(rows).to_have_text(["three", "both two", "both one"])
    assert len(server.call("GET", "runs")) == 3

    page.locator("#run-search").fill("both")
    expect(rows).to_have_text(["both two", "both one"])
    batch = page.locator("#run-batch")
    expect(batch.get_by_role("button", name="Stop")).to_be_disabled()
    page.locator("#run-select-all").check()
    expect(page.locator("#run-selected")).to_have_text("2 selected")
    batch.get_by_role("button", name="Resume").click()
    eventually(
        lambda: states(server),
        lambda now: now["three"] == "paused" and "paused" not in {now["both one"], now["both two"]},
        "two runs to resume",
    )
    batch.get_by_role("button", name="Stop").click()
    expect(page.locator("#stop-run-name")).to_have_text("2 runs")
    page.locator("#stop-dialog").get_by_text("Stop it", exact=True).click()
    eventually(
        lambda: states(server),
        lambda now: now == {"both one": "stopped", "both two": "stopped", "three": "paused"},
        "two runs to stop",
    )


def test_a_phone_names_the_state_of_a_run_and_each_state_looks_different(
    server: Server, lasting_window: Window
) -> None:
    run = server.create_run(name="x" * 60, paused=True, layers=2, batch_size=50, hidden_size=8)
    lasting_window.page.set_viewport_size({"width": 390, "height": 844})
    page = lasting_window.open(server, run)
    expect(page.locator("#run-state")).to_be_visible()
    expect(page.locator("#run-state")).to_have_text("paused")
    opened(page)
    about = page.locator(".run-row .run-about")
    expect(about).to_be_visible()
    expect(about).to_contain_text("rnn 8, 2 layers, batch 50, adagrad 0.1")
    looks = page.evaluate(
        """["queued", "paused", "running", "failed", "finished"].map((state) => {
          const dot = document.querySelector("#run-dot");
          dot.dataset.state = state;
          const { backgroundColor, borderTopWidth } = getComputedStyle(dot);
          return `${backgroundColor} ${borderTopWidth}`;
        })"""
    )
    assert len(set(looks)) == len(looks)


def test_waiting_runs_are_moved_by_keyboard_other_windows_follow_and_refusals_are_shown(
    own_server: Server, open_window: Callable[..., Window]
) -> None:
    # "a" trains, the others wait.
    own_server.environment["HURRAH_MAX_TRAINING_RUNS"] = "1"
    own_server.start()
    spec = {"pace": 1, "max_updates": None, "hidden_size": 8}
    ids = {name: own_server.create_run(name=name, **spec) for name in "abcd"}
    window = open_window()
    window.expect_errors("status of 409", "status of 404", "ERR_FAILED")
    page = window.open(own_server, ids["a"])
    other = open_window().open(own_server, ids["d"])
    expect(other.locator("#notice")).to_contain_text("It is number 3 of 3 that wait.")
    rows, others = opened(page), opened(other)
    expect(rows).to_have_text(["a", "b", "c", "d"])
    expect(page.get_by_role("button", name="Move a up")).to_have_count(0)
    up = page.get_by_role("button", name="Move d up")
    up.focus()
    for order in (["a", "b", "d", "c"], ["a", "d", "b", "c"]):
        page.keyboard.press("Enter")
        expect(rows).to_have_text(order)
        expect(up).to_be_focused()
    expect(page.locator("#run-moved")).to_have_text("d is now number 1 of 3 that wait.")
    expect(up).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")  # already the first
    expect(others).to_have_text(["a", "d", "b", "c"])
    expect(other.locator("#notice")).to_contain_text("It is number 1 of 3 that wait.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Move d down")).to_be_focused()
    page.keyboard.press("Space")
    expect(rows).to_have_text(["a", "b", "d", "c"])
    # A clicked button of the list has the key too: it does not pause the run that is watched.
    page.get_by_role("button", name="Move c up").click()
    expect(rows).to_have_text(["a", "b", "c", "d"])
    expect(page.locator("#run-moved")).to_have_text("c is now number 2 of 3 that wait.")
    page.keyboard.press("Space")
    expect(rows).to_have_text(["a", "c", "b", "d"])
    assert own_server.call("GET", f"runs/{ids['a']}")["state"] == "running"
    # Two quick presses move a run by two places.
    up = page.get_by_role("button", name="Move d up")
    up.evaluate("(button) => { button.click(); button.click(); }")
    expect(rows).to_have_text(["a", "d", "c", "b"])
    own_server.call("POST", f"runs/{ids['a']}/stop")
    expect(rows).to_have_text(["d", "c", "b", "a"])

    # A move of a run that has started or is gone says so.
    page.route("**/api/runs", lambda route: route.abort())  # the list is old
    own_server.call("POST", f"runs/{ids['c']}/pause")
    own_server.call("DELETE", f"runs/{ids['b']}")
    page.get_by_role("button", name="Move c down").click()
    expect(page.locator(".toast").first).to_contain_text("is not waiting for a free core")
    page.get_by_role("button", name="Move b up").click()
    expect(page.locator(".toast").last).to_contain_text("There is no run")
