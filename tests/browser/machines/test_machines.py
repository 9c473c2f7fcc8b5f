"""The dialog with the machines, their slots and their runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Module, Window
from tests.browser.server_process import Server


def machine(name: str, slots: int, used: int, state: str = "ready") -> dict[str, Any]:
    return {"name": name, "slots": slots, "used": used, "state": state, "runs": [], "address": ""}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (machine("a", 1, 1), "1 of 1 slot in use"),
        (machine("a", 1_200, 0, "paused"), "0 of 1,200 slots in use; takes no new run"),
        (machine("server", 0, 0), "trains no runs"),
        (machine("a", 2, 2, "unreachable"), "2 of 2 slots in use; not reachable"),
    ],
)
def test_the_state_of_a_machine_in_words(module: Module, given: dict[str, Any], words: str) -> None:
    assert module("machines/machine-text.js", "m.machineState(x)", given) == words


def test_the_sum_of_all_machines_in_words(module: Module) -> None:
    machines = [machine("a", 2, 1), machine("b", 8, 6)]
    expression = "[m.summary(x, 0), m.summary(x, 1), m.summary(x.slice(1), 3)]"
    assert module("machines/machine-text.js", expression, machines) == [
        "2 machines, 7 of 10 slots in use.",
        "2 machines, 7 of 10 slots in use, 1 run waiting.",
        "1 machine, 6 of 8 slots in use, 3 runs waiting.",
    ]


def test_the_notice_of_a_run_that_starts_says_where(module: Module) -> None:
    runs = [{"id": "a", "name": "A", "state": "running", "queue_position": None}]
    starts = {"id": "b", "state": "queued", "queue_position": None, "waiting_for": "M starts it."}
    waits = {"id": "c", "state": "queued", "queue_position": 1, "waiting_for": "No slot is free."}
    words = [
        module(
            "runs/run-status-banner.js", "m.queueText(x[0], x[1])", [run, [*runs, starts, waits]]
        )
        for run in (starts, waits)
    ]
    assert words == [
        "Starting. M starts it.",
        "Queued behind “A”. No slot is free. It starts automatically.",
    ]


def open_dialog(page: Page) -> None:
    page.locator("#run-switch").click()
    page.locator("#machines-open").click()


def test_machines_are_live_and_a_run_is_opened_from_there(
    server: Server, lasting_window: Window
) -> None:
    alpha = server.create_run(name="alpha", pace=1, max_updates=None, hidden_size=8)
    page = lasting_window.open(server, alpha)
    open_dialog(page)
    dialog = page.get_by_role("dialog", name="Machines")
    expect(dialog.locator("#machines-summary")).to_contain_text("1 machine, 1 of ")
    expect(page.locator("#run-panel")).to_be_hidden()
    # A second run appears while the dialog is open, and the focus stays where it is.
    dialog.get_by_role("button", name="alpha").focus()
    server.create_run(name="beta", pace=1, max_updates=None, hidden_size=8)
    expect(dialog.get_by_role("button", name="beta")).to_be_visible()
    expect(dialog.get_by_role("button", name="alpha")).to_be_focused()

    machines = [machine("server", 2, 0), machine("lab-01", 8, 8, "unreachable")]
    machines[1]["address"] = "tcp://10.0.0.7:40313"

    def answer(route: Route) -> None:
        route.fulfill(content_type="application/json", body=json.dumps(machines))

    page.route("**/api/machines", answer)
    row = page.locator("[data-machine='lab-01']")
    expect(row.locator(".machine-state")).to_have_text("8 of 8 slots in use; not reachable")
    expect(row).to_contain_text("tcp://10.0.0.7:40313")
    page.unroute("**/api/machines", answer)

    dialog.get_by_role("button", name="beta").press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#run-switch")).to_be_focused()
    expect(page.locator("#run-name")).to_have_text("beta")
