"""Lists of many runs: pages, search, and what tells apart runs with the same name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Module, Window
from tests.browser.server_process import Server

SPEC = {
    "cell": "rnn",
    "hidden_size": 8,
    "layers": 1,
    "batch_size": 1,
    "sequence_length": 25,
    "optimizer": "adagrad",
    "learning_rate": 0.1,
    "seed": 0,
}


def labels(module: Module, *runs: dict[str, Any]) -> list[str]:
    described = [
        {"id": f"{i}23456789abc", "name": "a", "created_at": f"2026-01-0{i + 1}T12:00:00Z"}
        | run
        | {"spec": SPEC | run.get("spec", {})}
        for i, run in enumerate(runs)
    ]
    expression = "x.map((run) => m.labelOf(run, m.distinctions(x)))"
    found: list[str] = module("run-lists/labels.js", expression, described)
    return found


def test_runs_with_the_same_name_are_told_apart(module: Module) -> None:
    assert labels(module, {"name": "b"}, {}) == ["b", "a"]
    networks = labels(module, {}, {"spec": {"cell": "gru"}})
    assert networks == ["a (rnn 8, adagrad 0.1)", "a (gru 8, adagrad 0.1)"]
    seeds = labels(module, {}, {"spec": {"seed": 7}}, {"spec": {"cell": "gru", "seed": 7}})
    assert seeds[:2] == ["a (rnn 8, adagrad 0.1, seed 0)", "a (rnn 8, adagrad 0.1, seed 7)"]
    days = labels(module, {}, {})
    assert days[0].startswith("a (1 Jan, ")
    assert days[1].startswith("a (2 Jan, ")
    at = {"created_at": "2026-01-01T12:00:00Z"}
    assert labels(module, at, at) == ["a (023456)", "a (123456)"]


def with_many_runs(page: Page, server: Server, count: int) -> None:
    """Answer requests for the list of runs with the newest run and many that do not exist."""
    (run, *_) = server.call("GET", "runs")
    runs = [
        run,
        *(
            run | {"id": f"{i:012x}", "name": f"run {i % (count // 2)}", "update": i}
            for i in range(1, count)
        ),
    ]

    def answer(route: Route) -> None:
        if route.request.method == "GET":
            route.fulfill(body=json.dumps(runs), content_type="application/json")
        else:
            route.continue_()

    page.route("**/api/runs", answer)


def test_a_long_list_is_shown_a_page_at_a_time_and_searched(server: Server, window: Window) -> None:
    run = server.create_run(name="watched", paused=True, hidden_size=8)
    with_many_runs(window.page, server, 1_000)
    page = window.open(server, run)
    page.locator("#run-switch").click()
    rows = page.locator(".run-row")
    expect(rows).to_have_count(100)
    page.evaluate("window.row = document.querySelectorAll('.run-row')[50]")
    page.get_by_role("button", name="Show 100 more of 1,000").click()
    expect(rows).to_have_count(200)
    # The first of the new rows has the focus, and the others were not drawn again.
    expect(rows.nth(100).locator("button").first).to_be_focused()
    assert page.evaluate("window.row === document.querySelectorAll('.run-row')[50]")
    page.locator("#run-search").fill("run 321")
    expect(rows).to_have_count(2)
    expect(rows.nth(0).locator(".run-about")).to_contain_text("at 321")
    page.locator("#run-search").fill("")
    expect(rows).to_have_count(100)
    page.locator("#run-select-all").check()
    expect(page.locator("#run-selected")).to_have_text("1,000 selected")


def test_the_comparison_and_the_inside_page_search_among_many_runs(
    server: Server, open_window: Callable[..., Window]
) -> None:
    run = server.create_run(name="watched", paused=True, hidden_size=8)
    page = open_window().page
    with_many_runs(page, server, 300)
    page.goto(f"{server.url}compare?runs={run}")
    rows = page.locator("#compare-runs .picker-row")
    expect(rows).to_have_count(100)
    page.locator("#compare-search").fill("run 77")
    # A selected run can be unselected whatever is searched for.
    expect(rows.locator(".run-name")).to_have_text(["watched", "run 77", "run 77"])
    page.goto(f"{server.url}inside?run={run}")
    select = page.locator("#inside-run")
    expect(select.locator("option")).to_have_count(201)
    expect(select.locator("option").last).to_have_text("100 more: find them by their name")
    page.locator(".inside-run input").fill("run 77")
    expect(select.locator("option")).to_have_count(3)
    expect(select).to_have_value(run)
