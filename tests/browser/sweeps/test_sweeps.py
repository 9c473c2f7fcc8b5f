"""Sweeps: from the form to the page of their results."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Module, Window, eventually
from tests.browser.server_process import Server
from tests.browser.test_axe import grave_findings

RATES = [0.01, 0.03, 0.2]
SIZES = [50, 100]


def configuration(number: int, **changes: Any) -> dict[str, Any]:
    """A finished run: the losses fall with the number."""
    values = {"learning_rate": RATES[number % 3], "hidden_size": SIZES[number % 2]}
    return {
        "run": f"run{number}",
        "configuration": number,
        "parameters": values,
        "seed": 0,
        "value": 60.0 - number,
        "update": 900,
        "state": "finished",
        "ended": True,
        "stopped_early": False,
        "error": None,
    } | changes


def sweep_of(runs: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A sweep as the server sends it, with the last finished run as the best."""
    ended = [run for run in runs if run["state"] in {"finished", "stopped"}]
    complete = [run for run in ended if run["state"] == "finished"]
    best = complete[-1] if complete else None
    return {
        "id": "one",
        "name": "Rates and sizes",
        "state": "running",
        "spec": {
            "name": None,
            "spec": {"max_updates": 900, "cell": "gru"},
            "parameters": {
                "learning_rate": {"low": 0.01, "high": 1.0, "log": True},
                "hidden_size": {"values": SIZES},
            },
            "sampler": "random",
            "runs": len(runs),
            "seeds": 1,
            "goal": "smooth_loss",
            "stop_early": True,
            "seed": 0,
        },
        "created_at": "2026-11-30T20:00:00+00:00",
        "unit": "nats per sequence",
        "runs": runs,
        "best": best
        and {
            "configuration": best["configuration"],
            "parameters": best["parameters"],
            "value": best["value"],
            "runs": [best["run"]],
        },
        "importance": {"learning_rate": 0.8, "hidden_size": 0.2},
        "planned": len(runs),
        "started": len(runs),
        "ended": len(ended),
        "stopped_early": sum(run["stopped_early"] for run in runs),
        "failed": 0,
        "updates": sum(run["update"] for run in runs),
        "planned_updates": 900 * len(runs),
        "error": None,
    } | changes


class Shown:
    """The page of a sweep that the test sends and changes."""

    def __init__(self, page: Page, server: Server, sweep: dict[str, Any]) -> None:
        self.page = page
        self.sweep = sweep
        self.asked = 0
        page.route(re.compile(r"/api/sweeps/one$"), self._answer)
        page.goto(f"{server.url}sweeps?sweep=one")
        expect(page.locator("#sweep-name")).to_have_text(sweep["name"])

    def _answer(self, route: Route) -> None:
        self.asked += 1
        route.fulfill(json=self.sweep)

    def change(self, sweep: dict[str, Any]) -> None:
        """Send another state, and wait until the page has it."""
        self.sweep = sweep
        expect(self.page.locator("#sweep-bar")).to_have_js_property("value", sweep["ended"])

    @property
    def rows(self) -> list[str]:
        """The names of the rows of the table."""
        return self.page.locator("#sweep-body .sweep-run").all_inner_texts()

    def expect_rows(self, names: list[str]) -> None:
        expect(self.page.locator("#sweep-body .sweep-run")).to_have_text(names)


@pytest.fixture
def shown(server: Server, window: Window) -> Callable[..., Shown]:
    return lambda runs, **changes: Shown(window.page, server, sweep_of(runs, **changes))


def drag(page: Page, line: Locator, from_share: float, to_share: float) -> None:
    """Drag along an axis, between two shares of its height."""
    box = line.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] / 2
    at = lambda share: box["y"] + (1 - share) * box["height"]  # noqa: E731
    page.mouse.move(x, at(from_share))
    page.mouse.down()
    page.mouse.move(x, at((from_share + to_share) / 2))
    page.mouse.move(x, at(to_share))
    page.mouse.up()


def test_the_page_follows_a_sweep_without_losing_sort_selection_or_focus(
    shown: Callable[..., Shown],
) -> None:
    running = configuration(7, value=None, state="running", update=0, ended=False)
    early = configuration(6, value=80.0, state="stopped", stopped_early=True, update=100)
    runs = [*map(configuration, range(1, 6)), early]
    result = shown([*runs, running])
    page = result.page
    expect(page.locator("#sweep-progress")).to_have_text("6 of 7 runs have ended")
    expect(page.locator("#sweep-early")).to_have_text(
        "1 run stopped early, which saved 13% of the updates"
    )
    expect(page.locator("#best-value")).to_have_text("55.00")
    expect(page.locator("#best-parameters")).to_contain_text("0.2")
    result.expect_rows(["Run 5", "Run 4", "Run 3", "Run 2", "Run 1", "Run 6", "Run 7"])
    expect(page.locator("#sweep-body tr").nth(5)).to_contain_text("stopped early")
    assert page.locator("#importance-list li").all_inner_texts() == [
        "learning rate\n80%",
        "hidden size\n20%",
    ]

    # A run that trains has a value, and may be the best so far.
    live = running | {"value": 54.0, "update": 300}
    result.change(sweep_of([*runs, live]))
    expect(page.locator("#best-value")).to_have_text("54.00")
    expect(page.locator("#best-goal")).to_contain_text("now at update 300")
    expect(page.locator("#parallel-live")).to_be_visible()
    expect(page.locator(".parallel-lines .is-live")).to_have_count(1)
    expect(page.locator("#scatter .is-live")).to_have_count(2)
    eventually(lambda: result.rows[:1], ["Run 7"].__eq__, "the best run first")
    result.change(sweep_of([*runs, running]))
    expect(page.locator("#best-value")).to_have_text("55.00")

    # Sorted by a parameter, and with a row in focus, the rows stay where they are.
    page.get_by_role("button", name="run", exact=True).click()
    result.expect_rows([f"Run {number}" for number in range(1, 8)])
    expect(page).to_have_url(re.compile(r"sort=number"))
    page.get_by_role("button", name="smooth loss").click()
    link = page.get_by_role("link", name="Run 4", exact=True)
    link.focus()
    before = result.rows
    done = configuration(7, value=50.0)
    result.change(sweep_of([*runs, done]))
    expect(page.locator("#best-value")).to_have_text("50.00")
    result.expect_rows(before)
    expect(link).to_be_focused()
    page.locator("#sweep-stop").focus()
    eventually(lambda: result.rows[:1], ["Run 7"].__eq__, "the new order")

    # A part of an axis is selected with the pointer, and stays.
    drag(page, page.locator(".parallel-axes > g").nth(1).locator(".axis-line"), 0.1, 0.3)
    expect(page.locator("#sweep-count")).to_have_text("3 of 7 configurations")
    result.expect_rows(["Run 4", "Run 2", "Run 6"])
    result.change(sweep_of([*runs, done], state="finished", ended=7))
    expect(page.locator("#sweep-state")).to_have_text("finished")
    expect(page.locator("#live-region")).to_have_text("The sweep is finished.")
    result.expect_rows(["Run 4", "Run 2", "Run 6"])
    expect(page.locator(".parallel-lines [data-out]")).to_have_count(4)
    # A finished sweep is not asked for again.
    asked = result.asked
    page.locator("#sweep-show-all").click()
    eventually(lambda: len(result.rows), lambda rows: rows == 7, "all rows")
    assert result.asked == asked


def test_a_keyboard_selects_parts_of_the_axes_and_reaches_every_point(
    shown: Callable[..., Shown],
) -> None:
    result = shown([configuration(number) for number in range(1, 6)], state="finished")
    page = result.page
    least = page.get_by_role("slider", name="hidden size, from")
    expect(least).to_have_attribute("aria-valuetext", "50")
    least.focus()
    page.keyboard.press("ArrowUp")
    expect(least).to_have_attribute("aria-valuetext", "100")
    eventually(lambda: result.rows, lambda rows: rows == ["Run 5", "Run 3", "Run 1"], "three rows")
    page.keyboard.press("Escape")
    eventually(lambda: len(result.rows), lambda rows: rows == 5, "all rows")

    # A chart is one tab stop; the arrow keys go from point to point.
    chart = page.get_by_role("group", name="learning rate against smooth loss")
    stops = chart.locator("a[tabindex='0']")
    expect(stops).to_have_count(1)
    stops.focus()
    page.keyboard.press("Home")
    expect(chart.locator("a:focus")).to_have_attribute(
        "aria-label", "Run 3: learning rate 0.01, hidden size 100; 57.00, finished"
    )
    page.keyboard.press("End")
    focused = chart.locator("a:focus")
    expect(focused).to_have_attribute("href", "/?run=run2")
    expect(page.locator("#parallel-readout")).to_contain_text("Run 2: learning rate 0.2")
    expect(page.locator("#sweep-body tr[data-pointed]")).to_contain_text("Run 2")

    # The best for longer, and the first four side by side.
    expect(page.locator("#best-longer")).to_have_attribute(
        "href", re.compile(r"/\?new=.*cell:gru.*learning_rate:0\.2.*max_updates:4500")
    )
    expect(page.locator("#sweep-compare")).to_have_attribute(
        "href", "/compare?runs=run5,run4,run3,run2"
    )
    assert grave_findings(page) == []


def test_a_form_becomes_a_sweep_and_leads_to_its_results(server: Server, window: Window) -> None:
    page = window.page
    page.goto(f"{server.url}sweeps")
    page.get_by_role("link", name="Choose the settings to vary").click()
    start = page.locator("#new-run-start")
    expect(start).to_have_text("Start training")
    expect(page.locator("#corpus-about")).to_contain_text("characters")
    page.get_by_role("button", name="Vary Hidden size").click()
    sizes = page.get_by_label("Hidden size: values, separated by commas")
    expect(sizes).to_have_value("50, 100, 200")
    expect(start).to_have_text("Start a sweep of 3 runs")
    sizes.fill("4, 0")
    page.locator("#new-max_updates").fill("40")
    page.locator("#sweep-seeds").fill("2")
    expect(start).to_have_text("Start a sweep of 4 runs")
    expect(page.locator("#estimate-speed")).to_contain_text("a run, about")
    expect(page).to_have_url(re.compile(r"vary=hidden_size:4;0,seeds:2$"))
    # The server's message is at its field.
    window.expect_errors("422")
    start.click()
    expect(page.locator("#error-hidden_size")).to_contain_text("must be an integer from 1")
    sizes.fill("4, 8")
    expect(page.locator("#error-hidden_size")).to_be_empty()
    # The link opens the same form again.
    expect(page).to_have_url(re.compile(r"vary=hidden_size:4;8,seeds:2$"))
    page.reload()
    expect(sizes).to_have_value("4, 8")
    expect(start).to_have_text("Start a sweep of 4 runs")
    start.click()
    expect(page.locator("#sweep-state")).to_have_text("finished")
    expect(page.locator("#sweep-about")).to_have_text(
        "Every combination of hidden size (4, 8), 2 seeds each; goal: lowest smooth loss"
    )
    expect(page.locator("#sweep-body tr")).to_have_count(2)
    expect(page.locator("#sweep-body tr").first).to_contain_text("±")

    page.locator("#best-watch").click()
    expect(page.locator("#notice")).to_contain_text("Finished at update 40")
    # From a run of a sweep the link leads back to it.
    page.get_by_role("link", name="Sweeps").click()
    page.locator("#sweep-delete").click()
    page.get_by_label("Delete its 4 runs too").check()
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator("#sweeps-empty-title")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#sweep-list li")).to_have_count(1)
    [sweep] = server.call("GET", "sweeps")
    server.call("DELETE", f"sweeps/{sweep['id']}?runs=true")


@pytest.mark.parametrize(
    ("name", "value", "suggested"),
    [
        ("hidden_size", 100, {"values": [50, 100, 200]}),
        ("batch_size", 1, {"values": [1, 2, 4]}),
        ("layers", 4, {"values": [2, 4]}),
        ("learning_rate", 0.1, {"low": 0.01, "high": 1, "log": True}),
        ("dropout", 0, {"low": 0, "high": 0.5, "log": False}),
        ("learning_rate_decay", 1, {"low": 0.5, "high": 1, "log": False}),
        ("cell", "rnn", {"values": ["rnn", "gru", "lstm"]}),
    ],
)
def test_a_range_is_suggested(module: Module, name: str, value: Any, suggested: Any) -> None:
    assert module("spec/ranges.js", "m.suggestedRange(...x)", [name, value]) == suggested


def test_the_text_of_a_sweep_gives_the_same_sweep(module: Module) -> None:
    parameters = {
        "learning_rate": {"low": 0.01, "high": 1, "log": True},
        "dropout": {"low": 0, "high": 0.5, "log": False},
        "hidden_size": {"values": [50, 100]},
        "cell": {"values": ["rnn", "lstm"]},
    }
    options = {
        "sampler": "tpe",
        "runs": 30,
        "seeds": 3,
        "goal": "validation_loss",
        "stop_early": True,
    }
    found = module(
        "spec/ranges.js",
        "m.parseSweep(m.formatSweep(...x), Object.keys(x[0]))",
        [parameters, options],
    )
    assert found == {"parameters": parameters, "options": options}


def test_the_axis_of_the_goal_is_fitted_to_the_complete_configurations(module: Module) -> None:
    ended = {"ended": True, "early": False}
    complete = [{"value": 40 + number} | ended for number in range(9)]
    others = [
        {"value": 500} | ended,
        {"value": 90, "ended": True, "early": True},
        {"value": 95, "ended": False, "early": False},
    ]
    axis = "(({ high, beyond, ticks }) => ({ high, beyond, ticks: ticks.length }))"
    fitted = module("sweeps/axes.js", f"{axis}(m.goalAxis(x, String))", complete + others)
    assert 48 <= fitted["high"] < 90
    assert fitted["beyond"] is True
    assert fitted["ticks"] <= 6
    assert module("sweeps/axes.js", "m.goalAxis([], String).ticks", None) == []
