"""The comparison: differences, goals, and forks beside their parents."""

from __future__ import annotations

import csv
import functools
import io
import math
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import TIMEOUT_S, Module, Window, eventually
from tests.browser.server_process import Server
from tests.browser.test_accessibility import CONTRASTS
from tests.serving import NOVEL

SMALL = {"hidden_size": 8, "sample_length": 20, "sample_every": 1_000}


def finished(server: Server, **spec: Any) -> str:
    """Create a run and wait until it is finished."""
    run = server.create_run(**SMALL | {"max_updates": 400} | spec)
    eventually(
        lambda: server.call("GET", f"runs/{run}")["state"], lambda state: state == "finished", "it"
    )
    return run


@pytest.fixture(scope="module")
def rates(keep_run: Callable[..., str]) -> list[str]:
    """Three finished runs of 400 updates with different learning rates."""
    make = functools.partial(keep_run, **SMALL, max_updates=400)
    return [
        make(name="quick"),
        make(name="slow", learning_rate=0.02, sequence_length=10),
        make(name="never", learning_rate=0.000_01),
    ]


@pytest.fixture(scope="module")
def alike(keep_run: Callable[..., str]) -> list[str]:
    """Three finished runs of 80 updates that differ in their names only, which are long."""
    return [
        keep_run(**SMALL, name=f"a run with a rather long name, the {n}th", max_updates=80, seed=2)
        for n in range(3)
    ]


def compare(server: Server, window: Window, *runs: str, query: str = "") -> Page:
    """Open the page on some runs, and wait until all of them are drawn."""
    window.page.goto(f"{server.url}compare?runs={','.join(runs)}{query}")
    drawn(window.page, *runs)
    return window.page


def drawn(page: Page, *runs: str) -> None:
    for run in runs:
        expect(page.locator("#compare-chart")).to_have_attribute(
            "data-drawn", re.compile(f"{run}:[1-9]")
        )


def choose(page: Page, server: Server, *runs: str) -> None:
    """Select these runs in the list, and no others, and wait until they are drawn."""
    wanted = {server.call("GET", f"runs/{run}")["name"] for run in runs}
    rows = page.locator("#compare-runs li")
    names = rows.locator(".run-name").all_inner_texts()
    # No more than eight can be selected at any time.
    for choice in (False, True):
        for i, name in enumerate(names):
            if (name in wanted) is choice:
                rows.nth(i).locator("input").set_checked(choice)
    drawn(page, *runs)
    expect(page.locator("#compare-body tr")).to_have_count(len(runs))


def created(server: Server) -> Callable[[str], Any]:
    return lambda run: server.call("GET", f"runs/{run}")["created_at"]


def row(page: Page, run: str) -> Locator:
    return page.locator(f"#compare-body tr[data-run='{run}']")


def cell(page: Page, run: str, label: str) -> Locator:
    return row(page, run).locator(f"td[data-label='{label}']")


def note(page: Page, words: str) -> Locator:
    return page.locator("#toasts .toast").filter(has_text=words)


def smooth_losses(server: Server, run: str) -> list[float]:
    """The smooth loss after every update."""
    text = httpx.get(f"{server.url}api/runs/{run}/losses.csv", timeout=TIMEOUT_S).text
    return [float(line["smooth_loss"]) for line in csv.DictReader(io.StringIO(text))]


def test_the_table_shows_differences_and_goals(
    server: Server, window: Window, rates: list[str]
) -> None:
    quick, slow, never = rates
    page = compare(server, window, quick, slow)
    expect(page.locator("#compare-head th").nth(1)).to_have_text("sequence")
    heads = page.locator("#compare-head th").all_inner_texts()
    assert heads[:3] == ["run", "sequence", "rate"]
    assert not {"cell", "units", "text", "parameters"} & set(heads)
    shared = page.locator("#compare-shared")
    expect(shared).to_contain_text("Both have: The Lamps of Saltmere, rnn, 8 units, 1 layer")
    expect(cell(page, slow, "rate")).to_have_text("0.02")

    page.get_by_label("never").check()
    drawn(page, quick, slow, never)
    expect(shared).to_contain_text("All 3 have")
    expect(page).to_have_url(re.compile(f"runs={quick},{slow},{never}$"))
    goal = 3.9
    page.locator("#compare-goal").fill(str(goal))
    page.locator("#compare-goal").press("Enter")
    for run, length in ((quick, 25), (slow, 10), (never, 25)):
        below = (u for u, loss in enumerate(smooth_losses(server, run), 1) if loss < goal * length)
        first = next(below, None)
        words = "not yet" if first is None else f"{first:,}"
        expect(cell(page, run, "reached at")).to_have_text(words)
    expect(cell(page, never, "reached at")).to_have_text("not yet")
    expect(cell(page, quick, "reached in")).to_have_text(re.compile(r"^\d+\.\d s$"))
    best = min(smooth_losses(server, slow))
    expect(cell(page, slow, "best")).to_have_text(f"{best / 10:.2f}")
    page.get_by_label("bits", exact=True).check()
    expect(cell(page, slow, "best")).to_have_text(f"{best / 10 / 0.693147:.2f}")

    rate = page.locator("[data-column=learning_rate]")
    rate.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(rate).to_have_attribute("aria-sort", "ascending")
    expect(page.locator(".compare-name")).to_have_text(["never", "slow", "quick"])
    page.keyboard.press("Enter")
    expect(rate).to_have_attribute("aria-sort", "descending")
    expect(page.locator(".compare-name")).to_have_text(["quick", "slow", "never"])

    # A copied link opens the same view.
    expect(page).to_have_url(re.compile(r"y=bits&below=3\.9&sort=-learning_rate"))
    page.goto(page.url)
    drawn(page, quick, slow, never)
    expect(page.locator(".compare-name")).to_have_text(["quick", "slow", "never"])
    expect(page.locator("#compare-goal")).to_have_value("5.6265")


def within(page: Page, element: Locator) -> bool:
    """Whether an element is in view within the table, not cut at its right edge."""
    box, table = element.bounding_box(), page.locator("#compare-table").bounding_box()
    assert box is not None
    assert table is not None
    return table["x"] <= box["x"] and box["x"] + box["width"] <= table["x"] + table["width"] + 1


# The numbers of lines and of names in the chart, and the names that a line covers.
COVERED = """() => {
  const lines = [...document.querySelectorAll("#compare-plot .scatterlayer path.js-line")];
  const labels = [...document.querySelectorAll("#compare-plot .annotation-text-g")];
  const hits = [];
  for (const line of lines) {
    const matrix = line.getScreenCTM();
    for (let at = 0; at < line.getTotalLength(); at += 2) {
      const { x, y } = line.getPointAtLength(at).matrixTransform(matrix);
      for (const label of labels) {
        const box = label.getBoundingClientRect();
        if (x > box.left && x < box.right && y > box.top + 1 && y < box.bottom - 1) {
          hits.push(label.textContent);
        }
      }
    }
  }
  return [lines.length, labels.length, hits];
}"""
# The names at the ends of the lines, from above: their distances from the ends, and the ends, in
# pixels.
NAMES = """() => {
  const { data, layout } = document.querySelector("#compare-plot");
  const [bottom, top] = layout.yaxis.range;
  const height = layout.height - layout.margin.t - layout.margin.b;
  return layout.annotations
    .filter(({ xshift }) => xshift)
    .sort((a, b) => b.yshift - a.yshift)
    .map(({ font, yshift }) => {
      const line = data.find(({ mode, line }) => mode === "lines" && line.color === font.color);
      const end = ((top - line.y.at(-1)) / (top - bottom)) * height;
      return [Math.abs(end + yshift), end];
    });
}"""
SCROLL_SIZE = (
    "(({ scrollWidth, scrollHeight }) => [scrollWidth, scrollHeight])(document.documentElement)"
)


def are_apart(boxes: list[dict[str, float]]) -> bool:
    """Whether no two boxes overlap."""
    return all(
        one["right"] <= other["left"]
        or other["right"] <= one["left"]
        or one["bottom"] <= other["top"]
        or other["bottom"] <= one["top"]
        for one, other in combinations(boxes, 2)
    )


def test_a_full_page_names_what_does_not_fit_and_no_text_is_faint_covered_or_cut(
    server: Server, window: Window, rates: list[str], alike: list[str]
) -> None:
    wide = [
        finished(server, name=f"WWMMWWMM WWMM wide letters {updates}", max_updates=updates)
        for updates in (300, 900, 1_000)
    ]
    more = [server.create_run(name=f"run {n}", paused=True, hidden_size=8) for n in range(6, 10)]
    page = window.page
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(f"{server.url}compare?runs={','.join([*rates, *alike, *more])}")
    expect(page.locator("#compare-count")).to_have_text("8 of 13 selected, the maximum")
    dropped = page.locator("#compare-dropped")
    expect(dropped).to_have_text("Not shown, since at most 8 runs fit: “run 9”, “run 8”.")
    page.get_by_label("never").uncheck()
    expect(dropped).to_be_empty()
    choose(page, server, *alike)

    def too_faint() -> list[Any]:
        seen = page.evaluate(CONTRASTS)
        assert len(seen) > 30
        return [text for text in seen if text["contrast"] < 4.5]

    eventually(too_faint, [].__eq__, "contrast in the light")
    for width, height in ((1440, 900), (1024, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        # The chart is drawn again in the new size.
        eventually(
            lambda: page.evaluate(SCROLL_SIZE),
            lambda size, width=width, height=height: (  # type: ignore[misc]
                size[0] <= width and (width <= 390 or size[1] <= height)
            ),
            f"the page to fit {width} x {height}",
        )
    # The chart is drawn again in the other colours.
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    eventually(too_faint, [].__eq__, "contrast in the dark")

    # The name of a run that ended early lies within the plot, beside the lines of others.
    choose(page, server, alike[0], rates[0])
    eventually(
        lambda: page.evaluate(COVERED),
        lambda found: found[0] == 2 and found[1] >= 1 and found[2] == [],
        "two lines that cover no name",
    )

    # The label of the goal is apart from the names.
    runs = alike[:2]
    choose(page, server, *runs)
    for run in runs:
        # Just below the end of the line, so that the label is beside the run's name.
        goal = smooth_losses(server, run)[-1] / 25 - 0.002  # nats per character
        page.locator("#compare-goal").fill(f"{goal:.4f}")
        page.locator("#compare-goal").press("Enter")
        labels = page.locator("#compare-plot .annotation")
        expect(labels.filter(has_text=f"below {goal:.2f}")).to_be_visible()
        boxes = "all => all.map((each) => each.getBoundingClientRect())"
        eventually(
            functools.partial(labels.evaluate_all, boxes),
            lambda found: len(found) == 1 + len(runs) and are_apart(found),
            "the labels to be apart",
        )
        names = page.evaluate(NAMES)
        assert len(names) == len(runs)
        # The goal moves no name away from its line.
        assert names[0][0] < 2
        assert [end for _, end in names] == sorted(end for _, end in names)

    title = page.locator("#compare-plot .xtitle")
    expect(title).to_have_text("update")
    expect(page.locator("#compare-readout")).to_have_text("smooth loss, in nats per character")
    page.get_by_label("epochs", exact=True).check()
    expect(title).to_have_text("epochs")

    # On a phone no label of a line is cut.
    choose(page, server, *wide)
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("document.fonts.ready")
    # In one go: the chart may be drawn again at any time.
    beyond = """() => {
      const { right } = document.querySelector("#compare-chart").getBoundingClientRect();
      return [...document.querySelectorAll("#compare-chart .annotation-text")]
        .filter((label) => label.textContent.includes("W"))
        .map((label) => label.getBoundingClientRect().right - right);
    }"""
    eventually(
        lambda: page.evaluate(beyond),
        lambda found: bool(found) and max(found) <= 0.5,
        "labels within the chart",
    )


def test_the_watched_run_is_among_those_compared(
    server: Server, lasting_window: Window, rates: list[str], alike: list[str]
) -> None:
    oldest_first = sorted([*rates, *alike], key=created(server))
    watched, *_, third, second, first = oldest_first
    names = [server.call("GET", f"runs/{run}")["name"] for run in (watched, first, second, third)]
    page = lasting_window.open(server, watched)
    page.keyboard.press("r")
    drawn(page, watched, first, second, third)
    expect(page.locator(".compare-name")).to_have_text(names)
    expect(page).to_have_url(re.compile(rf"/compare\?runs={watched},"))
    page.locator(".compare-name").first.click()
    expect(page.locator("#run-name")).to_have_text(names[0])


def test_a_run_that_diverges_does_not_set_the_scale(
    server: Server, window: Window, lasting_window: Window
) -> None:
    twins = []
    for part in (NOVEL[2_000:22_000], NOVEL[30_000:45_000]):
        files = {"file": ("twin.txt", part.encode())}
        data = {"name": "Twin"}
        answer = httpx.post(f"{server.url}api/corpora", files=files, data=data, timeout=TIMEOUT_S)
        twins.append(answer.json()["id"])
    sound = finished(server, name="sound", corpus=twins[0], sample_every=100)
    rates = {"optimizer": "sgd", "learning_rate": 50, "clip": None}
    wild = finished(server, name="wild", corpus=twins[1], **rates)
    diverged = server.call("GET", f"runs/{wild}")["diverged_since"]
    assert diverged is not None
    page = compare(server, window, sound, wild)
    span = "document.querySelector('#compare-plot').layout.yaxis.range"
    assert page.evaluate(span)[1] < 6
    best = min(smooth_losses(server, sound)) / 25
    assert best < float(page.locator("#compare-goal").input_value()) < best + 0.06
    note = page.locator("#compare-diverged")
    expect(note).to_contain_text(f"“wild” diverged at update {diverged:,}: the scale and")
    labels = page.locator("#compare-plot .annotation")
    expect(labels.filter(has_text="↑ wild")).to_be_visible()
    # Two texts of one name are told apart.
    expect(cell(page, sound, "text")).to_have_text("Twin (20,000 characters)")
    expect(cell(page, wild, "text")).to_have_text("Twin (15,000 characters)")

    # The columns that do not fit are named, and one press away.
    page.set_viewport_size({"width": 1024, "height": 768})
    more = page.locator("#compare-more")
    expect(more).to_have_text(re.compile(r"^\d+ more columns →$"))
    last = page.locator("#compare-head th").last
    assert not within(page, last)
    name = page.locator(".compare-name").first
    page.emulate_media(reduced_motion="reduce")
    while "more" in (words := more.inner_text()):
        more.click()
        expect(more).not_to_have_text(words)
    assert within(page, last)
    assert within(page, name)
    more.click()
    expect(more).to_have_text(re.compile(r"^\d+ more columns →$"))

    page.get_by_role("checkbox", name="sound").uncheck()
    expect(note).to_be_empty()
    eventually(lambda: page.evaluate(span)[1], lambda top: top > 1_000, "the scale of the other")
    expect_short_ticks(page, "#compare-plot")
    page = lasting_window.open(server, wild)
    expect_short_ticks(page, "#chart-plot")
    # The labels of the lines at the bottom of the axis are above it.
    names = page.locator("#chart-plot .annotation")
    expect(names.filter(has_text="bigram")).to_be_visible()
    # In one go: the chart may be drawn again at any time.
    below = """(names) => {
      const { top } = document.querySelector("#chart-plot .xtick text").getBoundingClientRect();
      return names.filter((each) => each.getBoundingClientRect().bottom > top + 1).length;
    }"""
    eventually(lambda: names.evaluate_all(below), (0).__eq__, "the names to be above the axis")


def expect_short_ticks(page: Page, plot: str) -> None:
    ticks = page.locator(f"{plot} .ytick text, {plot} .xtick text")
    ticks.first.wait_for()
    short = re.compile(r"\d{1,3}(,\d{3})*|[\d.]+[kM]")
    # The chart may have been drawn without losses first.
    eventually(
        lambda: [text for text in ticks.all_text_contents() if not short.fullmatch(text)],
        [].__eq__,
        f"no other ticks in {plot}",
    )


def traces(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        "document.querySelector('#compare-plot').data.map(({ x, y, mode }) => ({ x, y, mode }))"
    )
    return found


def test_a_fork_starts_on_its_parents_line(server: Server, lasting_window: Window) -> None:
    parent = server.create_run(**SMALL, name="parent", paused=True, max_updates=300)
    server.call("POST", f"runs/{parent}/step", {"updates": 120})
    server.call("POST", f"runs/{parent}/checkpoints", {"note": "here"})
    server.call("POST", f"runs/{parent}/step", {"updates": 80})
    lasting_window.expect_errors("status of 422")
    page = lasting_window.open(server, parent)
    page.locator("#checkpoint-open").click()
    page.get_by_label("Fork from: Update 120").click()
    expect(page.locator("#fork-checkpoint")).to_contain_text("update 120, here")
    page.locator("#fork-max_updates").fill("100")
    page.locator("#fork-start").click()
    expect(page.locator("#fork-error-max_updates")).to_contain_text("must be above 120")
    page.locator("#fork-max_updates").fill("260")
    page.locator("#fork-learning_rate").fill("0.01")
    page.locator("#fork-name").fill("fork")
    page.locator("#fork-start").click()

    expect(page).to_have_url(re.compile(rf"/compare\?runs={parent}.+range=96-"))
    fork = server.call("GET", "runs")[0]
    assert (
        fork["spec"] | {"learning_rate": 0.01, "max_updates": 260, "name": "fork"} == (fork["spec"])
    )
    expect(page.locator("#compare-chart")).to_have_attribute(
        "data-drawn", f"{parent}:200 {fork['id']}:260"
    )
    losses = smooth_losses(server, parent)
    line, other, forks, *_ = traces(page)
    assert (line["x"][-1], other["x"][-1]) == (200, 260)
    assert (other["x"][0], other["y"][0]) == (120, pytest.approx(losses[119] / 25))
    assert (forks["x"], forks["y"]) == ([120], [other["y"][0]])
    expect(row(page, fork["id"])).to_contain_text("fork of “parent” at 120")

    # Without its parent, the fork's whole line is drawn.
    page.get_by_role("checkbox", name="parent").uncheck()
    page.keyboard.press("f")
    expect(page.locator("#compare-show-all")).to_have_attribute("aria-pressed", "true")
    eventually(lambda: traces(page)[0]["x"][0], lambda x: x == 1, "the whole line")


def test_runs_are_renamed_deleted_and_restored(
    server: Server, open_window: Callable[..., Window]
) -> None:
    first, second = finished(server, name="first"), finished(server, name="second")
    page = compare(server, open_window(), first, second)
    elsewhere = compare(server, open_window(), first, second)
    listed = page.locator("#compare-runs li").count()
    row(page, first).get_by_label("Rename").click()
    page.get_by_label("New name").fill("foremost")
    page.get_by_label("New name").press("Enter")
    note(page, "renamed to").hover()  # the time to undo does not pass meanwhile
    expect(elsewhere.locator(".compare-name").first).to_have_text("foremost")
    note(page, "renamed to").get_by_text("Undo").click()
    expect(elsewhere.locator(".compare-name").first).to_have_text("first")

    row(page, first).get_by_label("Delete").focus()
    page.keyboard.press("Enter")
    note(page, "“first” was deleted").hover()
    expect(row(page, first)).to_have_count(0)
    expect(row(page, second).get_by_label("Delete")).to_be_focused()
    page.keyboard.press("z")
    expect(row(page, first)).to_have_count(1)
    row(page, first).get_by_label("Delete").click()
    note(page, "“first” was deleted").hover()
    expect(page.locator("#compare-runs li")).to_have_count(listed - 1)
    expect(row(elsewhere, first)).to_have_count(1)
    note(page, "“first” was deleted").get_by_label("Dismiss").click()
    expect(note(elsewhere, "“first” was deleted")).to_be_visible()
    expect(row(elsewhere, first)).to_have_count(0)
    left = [run["id"] for run in server.call("GET", "runs")]
    assert second in left
    assert first not in left
    expect(page).to_have_url(re.compile(rf"runs={second}$"))
    # The only run in view.
    watch = page.get_by_role("link", name="Watch", exact=True)
    expect(watch).to_have_attribute("href", f"/?run={second}")


def test_validation_and_test_losses_are_shown_the_table_is_copied_and_a_live_line_grows(
    server: Server, window: Window, rates: list[str]
) -> None:
    name = 'held|out & "5%", [x]'
    parts = {"validation_fraction": 0.1, "test_fraction": 0.1}
    live = server.create_run(**SMALL, name="live", pace=50, paused=True, max_updates=None)
    held = server.create_run(**SMALL | parts | {"sample_every": 20}, name=name, paused=True)
    server.call("POST", f"runs/{held}/step", {"updates": 40})
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = compare(server, window, held, rates[0], query="&validation=shown&y=bits&sort=-name")

    # The curve: every loss that was measured, in the colour of its run, and live.
    def thin() -> list[Any]:
        found: list[Any] = page.evaluate(
            "document.querySelector('#compare-plot').data.map(({ x, y, mode, line }) =>"
            "({ x, y, mode, colour: line?.color, dash: line?.dash }))"
        )
        return [trace for trace in found if trace["dash"] == "3px,3px"]

    def expect_drawn(last: int, unit: float) -> None:
        """Wait until the losses of the API, up to an update, are the line, in a unit."""

        def read() -> tuple[Any, list[Any]]:
            kept = server.call("GET", f"runs/{held}/loss")["validation"]
            return kept, [[trace["x"], trace["y"]] for trace in thin()]

        def agree(found: tuple[Any, list[Any]]) -> bool:
            kept, lines = found
            losses = [pytest.approx(loss / unit) for loss in kept["loss"]]
            return bool(kept["update"][-1:] == [last] and lines == [[kept["update"], losses]])

        eventually(read, agree, f"the validation losses up to {last}")

    bits = 25 * math.log(2)
    expect_drawn(40, bits)
    (curve,) = thin()
    assert curve["mode"] == "lines+markers"
    assert curve["colour"] == page.evaluate(
        "document.querySelector('#compare-plot').data[0].line.color"
    )
    readout = page.locator("#compare-readout")
    expect(readout).to_have_text("smooth lossvalidation loss, in bits per character")
    expect(page.locator("#compare-unvalidated")).to_have_text(
        "“quick” holds out no text to validate on."
    )
    expect(page.get_by_role("group", name="Smooth loss and validation loss of")).to_be_visible()
    button = page.get_by_role("button", name="validation", exact=True)
    expect(button).to_have_attribute("aria-pressed", "true")
    server.call("POST", f"runs/{held}/step", {"updates": 20})
    expect_drawn(60, bits)
    page.get_by_label("nats per character", exact=True).check()
    expect_drawn(60, 25)

    # The test loss arrives when it is measured, and is in the unit of the table.
    expect(page.locator("[data-column=test]")).to_have_count(0)
    test = server.call("POST", f"runs/{held}/test", {})["test"]
    expect(cell(page, held, "test")).to_have_text(f"{test['nats']:.2f}")
    expect(cell(page, rates[0], "test")).to_have_text("–")

    def copied(words: str) -> str:
        buttons = page.locator("#compare-copy")
        buttons.get_by_role("button", name=words, exact=True).click()
        expect(page.locator(".toast").last).to_contain_text(f"copied as {words}")
        return str(page.evaluate("navigator.clipboard.readText()"))

    # The table as text: the rows and columns in view, in their order.
    in_view = page.locator("#compare-head th").all_inner_texts()
    text = copied("CSV")
    heads, *rows = list(csv.reader(io.StringIO(text)))
    assert len(heads) == len(in_view)
    assert [row[0] for row in rows] == page.locator(".compare-name").all_inner_texts()
    assert [row[0] for row in rows] == ["quick", name]
    losses = "(nats per character)"
    quick, held_out = (dict(zip(heads, row, strict=True)) for row in rows)
    assert float(held_out[f"test loss {losses}"]) == pytest.approx(test["nats"])
    assert quick[f"test loss {losses}"] == ""
    assert (quick["held out (share)"], held_out["held out (share)"]) == ("0", "0.1")
    assert float(quick[f"lowest smooth loss {losses}"]) == pytest.approx(
        min(smooth_losses(server, rates[0])) / 25
    )
    with page.expect_download() as saving:
        page.get_by_role("button", name="Download CSV").click()
    assert saving.value.suggested_filename == "hurrah-comparison.csv"
    assert Path(saving.value.path()).read_bytes() == text.encode()
    assert r'| held\|out \& "5%", \[x\] |' in copied("Markdown")
    latex = copied("LaTeX")
    assert r'held\textbar{}out \& "5\%", {[}x] &' in latex
    page.get_by_role("checkbox", name=name).uncheck()
    expect(row(page, held)).to_have_count(0)
    assert name not in copied("CSV")
    assert "held out" not in copied("Markdown").splitlines()[2]

    # Switched off, the curve and the parameter of the URL are gone.
    page.get_by_role("checkbox", name=name).check()
    eventually(lambda: len(thin()), (1).__eq__, "the curve again")
    button.click()
    eventually(thin, [].__eq__, "no validation losses")
    expect(page.locator("#compare-unvalidated")).to_be_empty()
    expect(readout).to_have_text("smooth loss, in nats per character")
    expect(page).not_to_have_url(re.compile("validation"))

    # The line of a run that trains grows, and a zoom stays.
    server.call("POST", f"runs/{live}/resume")
    choose(page, server, rates[0], live)
    box = page.locator("#compare-plot .nsewdrag").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5
    page.mouse.move(x, y)
    expect(page.locator("#compare-readout")).to_contain_text("at update")
    page.mouse.down()
    page.mouse.move(x + box["width"] * 0.3, y, steps=4)
    page.mouse.up()
    whole = page.locator("#compare-show-all")
    expect(whole).to_have_attribute("aria-pressed", "false")

    def drawn_again() -> Any:
        """The range of the x axis after another drawing."""
        before = page.locator("#compare-chart").get_attribute("data-drawn") or ""
        expect(page.locator("#compare-chart")).not_to_have_attribute("data-drawn", before)
        return page.evaluate("document.querySelector('#compare-plot').layout.xaxis.range")

    zoom = drawn_again()
    assert zoom[0] > 0
    assert drawn_again() == zoom
    server.call("POST", f"runs/{live}/pause")
    expect(cell(page, live, "state")).to_have_text("paused")
    expect(page.locator("#live-region")).to_contain_text("“live” is paused at update")
    whole.click()
    expect(whole).to_have_attribute("aria-pressed", "true")
    page.get_by_label("epochs", exact=True).check()
    expect(page.locator("#compare-plot .xtitle")).to_have_text("epochs")
    page.get_by_label("seconds", exact=True).check()
    expect(page.locator("#compare-plot .xtitle")).to_have_text("seconds of training")
    seconds = server.call("GET", f"runs/{live}/loss")["seconds"][-1]
    eventually(
        lambda: traces(page)[1]["x"][-1:], lambda x: x == [pytest.approx(seconds)], "its time"
    )


def test_validation_losses_are_points_on_the_axes_of_the_smooth_losses(module: Module) -> None:
    def run(name: str, **more: Any) -> dict[str, Any]:
        spec = {"sequence_length": 10}
        about = {"forked_from": None, "diverged_since": None, "updates_per_epoch": 50}
        return {"name": name, "spec": spec, **about, **more}

    curve = {"update": [1, 20, 40], "seconds": [None, 2, 6], "smooth": [40, 30, 20]}
    validation = {"update": [1, 10, 30, 50], "loss": [50, None, 30, 25]}
    live = {"curve": curve, "validation": validation}
    fork = run("fork", forked_from={"run": "a", "update": 30})
    state = {
        "chosen": ["a", "b"],
        "pendingDelete": [],
        "connections": {"a": {"status": "live"}, "b": {"status": "live"}},
        "slots": {"a": 0, "b": 1},
        "live": {"a": live | {"run": run("parent")}, "b": live | {"run": fork}},
        "x": "updates",
        "y": "sequence",
        "validation": "shown",
        "metricNames": [],
    }

    def lines(**changes: Any) -> list[Any]:
        found = module("compare/lines.js", "m.validationLinesOf(x)", state | changes)
        return [(line["x"], line["y"]) for line in found]

    # A value that is not finite leaves no point, and a fork starts at the last one it shares.
    assert lines() == [([1, 30, 50], [50, 30, 25]), ([30, 50], [30, 25])]
    assert lines(chosen=["b"]) == [([1, 30, 50], [50, 30, 25])]
    assert lines(chosen=["a"], y="character") == [([1, 30, 50], [5, 3, 2.5])]
    assert lines(chosen=["a"], x="epochs")[0][0] == [0.02, 0.6, 1]
    # Between the known times; before and after them, the nearest one.
    assert lines(chosen=["a"], x="seconds")[0][0] == [2, 4, 6]
    assert lines(validation="hidden") == []


def test_a_table_is_escaped_for_each_format(module: Module) -> None:
    def text(form: str, *cells: str) -> str:
        table = {"caption": "two\nlines_", "heads": ["a_b", "c"], "align": "lr", "rows": [cells]}
        expression = "m.tableText(x[0], x[1])"
        found: str = module("ui/table-text.js", expression, [form, table])
        return found

    awkward = 'a"b, c\nd', r"\1 | 2_3 ~^<&>#$%{}[]*`"
    heads, row = csv.reader(io.StringIO(text("csv", *awkward), newline=""))
    assert (heads, tuple(row)) == (["a_b", "c"], awkward)
    assert text("csv", "-1.5", "=1+1").splitlines()[1] == "-1.5,'=1+1"
    caption, _, head, rule, line = text("markdown", *awkward).splitlines()
    assert (caption, head, rule) == (r"two lines\_", r"| a\_b | c |", "| --- | ---: |")
    assert line == r'| a"b, c d | \\1 \| 2\_3 \~^\<\&\>#\$%{}\[\]\*\` |'
    latex = text("latex", *awkward).splitlines()
    assert latex[:4] == ["% two lines_", r"\begin{tabular}{lr}", r"  \hline", r"  a\_b & c \\"]
    assert latex[5] == (
        r'  a"b, c d & \textbackslash{}1 \textbar{} 2\_3 \textasciitilde{}\textasciicircum{}'
        r"\textless{}\&\textgreater{}\#\$\%\{\}{[}]{*}` \\"
    )
    assert "  3 & $1.2 \\times 10^{-8}$ \\\\" in text("latex", "3", "1.2e-8")


def test_shortened_names_stay_different(module: Module) -> None:
    names = [f"A comparison of cells, number {n}" for n in range(3)]
    short = module("compare/plot.js", "x.map((name) => m.shorten(name, 14))", names)
    assert len(set(short)) == 3
    assert all(len(name) <= 14 and "…" in name for name in short)
    assert module("compare/plot.js", "m.shorten('short', 14)") == "short"
