"""Groups of runs with different seeds: the form, the band, the list of runs and the comparison."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Module, Window, eventually, run_in_address
from tests.browser.server_process import Server

SMALL = {"hidden_size": 6, "sequence_length": 10, "sample_length": 20, "sample_every": 1_000}


@pytest.fixture(scope="module")
def groups(server: Server) -> Iterator[dict[str, Any]]:
    """Two groups of three finished runs, by name; those named "still" hardly learn."""
    made = {}
    for name, rate, updates in (("learns", 0.1, 2_000), ("still", 1e-6, 500)):
        spec = SMALL | {"name": name, "learning_rate": rate, "max_updates": updates}
        answer = server.call("POST", "groups", {"spec": spec, "seeds": 3})
        made[name] = answer["group"]
        server.kept_runs |= set(answer["group"]["runs"])
    for group in made.values():
        path = f"groups/{group['id']}/figures"
        eventually(
            lambda path=path: {each["run"]["state"] for each in server.call("GET", path)},  # type: ignore[misc]
            lambda states: states == {"finished"},
            "the runs",
        )
    yield made
    for group in made.values():
        server.kept_runs -= set(group["runs"])
        server.call("DELETE", f"groups/{group['id']}")


def traces(page: Page, name: str) -> int:
    """The number of points of the traces of the chart with a name."""
    return int(
        page.evaluate(
            """(name) => (document.querySelector('#chart-plot').data ?? [])
              .filter((trace) => trace.name === name)
              .reduce((sum, { x }) => sum + x.length, 0)""",
            name,
        )
    )


def test_the_band_of_a_group_more_seeds_and_one_entry_in_the_list(
    server: Server, window: Window, groups: dict[str, Any]
) -> None:
    first = groups["learns"]["runs"][0]
    page = window.open(server, first)
    expect(page.locator("#legend-seeds")).to_be_visible()
    eventually(lambda: traces(page, "mean of the seeds"), lambda count: count > 10, "the mean")
    page.locator("#seeds-open").click()
    expect(page.locator("#seeds-about")).to_have_text("“learns”: 3 runs, all finished.")
    expect(page.locator("#seeds-count")).to_have_text("Mean and band of 3 runs.")
    expect(page.locator("#seeds-members [aria-current]")).to_contain_text("seed 0")
    page.locator("#seeds-panel label", has_text="off").click()
    expect(page.locator("#legend-seeds")).to_be_hidden()
    eventually(lambda: traces(page, "mean of the seeds"), lambda count: count == 0, "no mean")
    expect(page.locator("#seeds-open")).to_have_attribute("aria-pressed", "false")
    page.locator("#seeds-panel label", has_text="standard deviation").click()
    search = "location.search"
    eventually(
        lambda: page.evaluate(search), lambda found: "seeds=deviation" in found, "the choice"
    )
    # Too many are refused with a sentence, one is created.
    page.locator("#seeds-more").fill("21")
    page.locator("#seeds-add").click()
    expect(page.locator("#seeds-problem")).not_to_be_empty()
    page.locator("#seeds-more").fill("1")
    page.locator("#seeds-add").click()
    expect(page.locator("#seeds-members li")).to_have_count(4)
    page.locator("#seeds-members button", has_text="seed 3").click()
    expect(page.locator("#run-name")).to_have_text("learns, seed 3")
    server.call("DELETE", f"runs/{run_in_address(page)}")
    # Requests for the deleted run may be in progress.
    window.expect_errors("422", "404")

    # Several seeds from the form are one entry in the list.
    page.keyboard.press("Escape")
    page.locator("#new-run").click()
    page.locator("#new-name").fill("from the form")
    page.locator("#new-hidden_size").fill("4")
    page.locator("#new-max_updates").fill("20")
    page.locator("#new-seed").fill("5")
    page.locator("#new-seeds").fill("50")
    page.locator("#new-run-start").click()
    expect(page.locator("#error-group_seeds")).not_to_be_empty()
    expect(page.locator("#new-seeds")).to_be_focused()
    page.locator("#new-seeds").fill("2")
    page.locator("#new-run-start").click()
    expect(page.locator("#run-name")).to_have_text("from the form, seed 5")
    page.locator("#run-switch").click()
    row = page.locator("#run-list .run-row", has_text="from the form × 2 seeds")
    expect(row).to_have_attribute("aria-current", "true")
    toggle = row.locator(".run-open")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    toggle.click()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    expect(toggle).to_be_focused()
    expect(page.locator("#run-list .run-member .run-name")).to_have_text(
        ["from the form, seed 5", "from the form, seed 6"]
    )
    row.locator("input").check()
    expect(page.locator("#run-selected")).to_have_text("2 selected")
    # A new name of the group is that of its runs too.
    row.get_by_label("Rename from the form", exact=True).click()
    field = page.locator(".run-rename")
    assert (field.bounding_box() or {"width": 0})["width"] > 100
    field.fill("renamed")
    page.keyboard.press("Enter")
    expect(page.locator("#run-list .run-member .run-name")).to_have_text(
        ["renamed, seed 5", "renamed, seed 6"]
    )
    expect(page.get_by_label("Rename renamed", exact=True)).to_be_focused()


def test_groups_are_compared_as_one_run_each(
    server: Server, window: Window, groups: dict[str, Any], module: Module
) -> None:
    ids = [groups["learns"]["id"], groups["still"]["id"]]
    page = window.page
    page.goto(f"{server.url}compare?runs={','.join(ids)}")
    verdict = page.locator("#compare-verdict-list li")
    expect(verdict).to_contain_text("“learns” is lower than “still” by")
    expect(verdict).to_contain_text("95% interval; 3 seeds each, up to update 500")
    expect(verdict).to_have_attribute("data-different", "true")
    best = page.locator("#compare-body tr", has_text="learns × 3 seeds").locator(
        "[data-label=best]"
    )
    expect(best).to_contain_text(" ± ")
    losses = [
        server.call("GET", f"runs/{run}")["best"]["smooth_loss"] / 10
        for run in groups["learns"]["runs"]
    ]
    assert float(best.inner_text().split(" ±")[0]) == pytest.approx(sum(losses) / 3, abs=6e-4)
    bands = """() => document.querySelector('#compare-plot').data
      .filter(({ fill }) => fill === 'toself').length"""
    eventually(lambda: page.evaluate(bands), lambda count: count == 2, "the bands")
    page.locator("#compare-metric").select_option("gradient_norm")
    expect(page.locator("#compare-chart")).to_have_attribute("aria-label", re.compile("gradient"))
    eventually(lambda: page.evaluate(bands), lambda count: count == 2, "the bands of a metric")
    page.locator("#compare-seeds label", has_text="no band").click()
    eventually(lambda: page.evaluate(bands), lambda count: count == 0, "no bands")
    page.locator("#compare-metric").select_option("")
    # Until the server has said when a group reached a new goal, nothing is said about it.
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/figures?smooth_loss=*", hold)
    reached = page.locator("#compare-body [data-label='reached at']")
    page.locator("#compare-goal").fill("4.2")
    page.locator("#compare-goal").press("Enter")
    # Requests reach `hold` only while the page is asked something.
    eventually(lambda: (page.title(), len(held))[1], lambda count: count >= 2, "the requests")
    expect(reached).to_have_text(["…", "…"])
    # Requests that come now are not held.
    page.route("**/figures?smooth_loss=*", lambda route: route.continue_())
    for route in held:
        route.continue_()
    expect(reached).to_have_text([re.compile(r"^\d"), "not yet"])
    # The table to copy has the deviations.
    with page.expect_download() as download:
        page.locator("#compare-download").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    found = next(name for name in rows[0] if name.startswith("lowest smooth loss, deviation"))
    assert 0 < float(rows[0][found]) < 0.5
    # One of the runs beside its group.
    page.get_by_label("Single runs of learns").click()
    page.locator("#compare-runs .picker-member input").first.check()
    expect(page.locator("#compare-body tr")).to_have_count(3)
    # A zoom fetches every update of the group: its band has 200 of them above and below.
    page.goto(f"{server.url}compare?runs={ids[0]}&range=100-300")
    ends = """() => (document.querySelector('#compare-plot').data ?? [])
      .find(({ fill }) => fill === 'toself')?.x.length ?? 0"""
    eventually(lambda: page.evaluate(ends), lambda count: count > 400, "the finer band")


def test_numbers_are_spread_and_lists_are_folded(module: Module) -> None:
    spread = module("groups/group-run.js", "m.spreadOf(x)", [1, None, 3])
    assert spread == {"mean": 2, "deviation": pytest.approx(2**0.5), "count": 2}
    assert module("groups/group-run.js", "m.spreadOf(x)", [4])["deviation"] is None
    assert module("groups/group-run.js", "m.spreadOf(x)", [None]) is None

    def run(identity: str, group: str | None, seed: int = 0, state: str = "finished") -> Any:
        about = {"id": identity, "state": state, "spec": {"seed": seed}, "diverged_since": None}
        return about | {"group": group and {"id": group, "name": group}}

    runs = [run("a", "g", 2), run("b", None), run("c", "g", 1, "running"), run("d", "alone")]
    entries = module(
        "run-lists/groups.js",
        "m.folded(x).map(({ run, group }) => run?.id ?? group.members.map(({ id }) => id))",
        runs,
    )
    assert entries == [["c", "a"], "b", "d"]
    sentence = module("run-lists/groups.js", "m.statesSentence(x)", runs)
    assert sentence == "4 runs: 3 finished, 1 training"
    deviation = module(
        "curve/seed-band.js",
        "m.bandOf({ mean: [5], low: [3], high: [6], deviation: [1.5] }, 0, x)",
        "deviation",
    )
    assert deviation == {"low": 3.5, "high": 6.5}


def difference(**fields: Any) -> dict[str, Any]:
    known = {"groups": ["a", "b"], "runs": [5, 5], "left_out": [0, 0], "update": 2_000}
    known |= {"difference": -0.8, "margin": 0.3, "different": True, "reason": None}
    return known | fields


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            difference(),
            (
                "“A” is lower than “B” by 0.800 ± 0.300 nats (95% interval; 5 seeds each, up to"
                " update 2,000)."
            ),
        ),
        (
            difference(difference=0.8, runs=[5, 4], left_out=[0, 1]),
            (
                "“B” is lower than “A” by 0.800 ± 0.300 nats (95% interval; 5 and 4 seeds, up to"
                " update 2,000). Not counted, since failed or diverged: 1 run of “B”."
            ),
        ),
        (
            difference(difference=0.1, different=False),
            (
                "No difference shown between “A” and “B”: 0.100 ± 0.300 nats (95% interval; 5 seeds"
                " each, up to update 2,000)."
            ),
        ),
        (
            difference(difference=None, margin=None, reason="too few", runs=[5, 2]),
            "“A” and “B”: a comparison needs 3 seeds each; there are 5 and 2.",
        ),
        (
            difference(difference=None, margin=None, reason="other text"),
            "“A” and “B” learn from different texts: their losses cannot be compared.",
        ),
    ],
)
def test_a_difference_in_a_sentence(module: Module, found: dict[str, Any], sentence: str) -> None:
    shown = {"factor": 1, "unit": "nats"}
    text = module(
        "groups/difference-words.js",
        "m.differenceSentence(x.found, ['A', 'B'], x.shown).text",
        {"found": found, "shown": shown},
    )
    assert text == sentence
