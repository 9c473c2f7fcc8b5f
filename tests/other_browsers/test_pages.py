"""The other pages show what they are for."""

import re
from pathlib import Path

import pytest

from tests.other_browsers.window import wait_until, watch

GUIDE = Path(__file__).parents[2] / "docs" / "lessons.md"
SMALL = {"hidden_size": 8, "sample_length": 40, "sample_every": 100}
SWEEP = {
    "name": "Rates",
    "spec": {"max_updates": 100, "hidden_size": 8},
    "parameters": {"learning_rate": {"values": [0.02, 0.1]}},
    "sampler": "random",
    "runs": 2,
}


@pytest.fixture(scope="module")
def runs(server):
    """Two finished runs."""
    made = [
        server.create_run(**SMALL, max_updates=200, name=name, learning_rate=rate)
        for name, rate in (("Quick", 0.1), ("Slow", 0.02))
    ]
    for run in made:
        wait_until(lambda: server.call("GET", f"runs/{run}")["state"], "finished".__eq__)  # noqa: B023
    server.kept_runs.update(made)
    yield made
    server.kept_runs.clear()


def test_two_runs_are_compared(server, window, runs):
    window.open(f"{server.url}compare?runs={','.join(runs)}")
    drawn = "document.querySelector('#compare-chart').dataset.drawn ?? ''"
    for run in runs:
        window.wait_for(drawn, lambda shown: f"{run}:200" in shown)  # noqa: B023
    window.expect_text("#compare-head", "rate")
    assert window.evaluate("document.querySelectorAll('#compare-body tr').length") == 2
    window.hover("#compare-chart")
    window.expect_text("#compare-readout", "update")
    window.click("#compare-runs label", "Slow")
    window.wait_for("document.querySelectorAll('#compare-body tr').length", (1).__eq__)


def test_the_views_inside_a_network_are_shown(server, window, runs):
    window.open(f"{server.url}inside?run={runs[0]}")
    window.wait_for("document.querySelector('#text-view').dataset.ready === 'true'")
    window.click("#text-strip span:nth-of-type(8)")
    window.expect_text("#text-character", "bits")
    window.wait_for("document.querySelector('#text-curve .curve-line')?.getTotalLength()")
    for view, shown in (
        ("units", "#units-rows tr"),
        ("memory", "#memory-view[data-ready=true] svg path"),
        ("health", "#health-view[data-ready=true] #health-figures > *"),
        ("update", "#update"),
    ):
        window.click(f"#inside-tab-{view}")
        window.wait_for(
            f"document.querySelector('#inside-tab-{view}').ariaSelected === 'true'"
            f" && document.querySelector('{shown}')?.getBoundingClientRect().height"
        )


def test_the_wall_shows_every_run_and_opens_one(server, window, runs):
    window.open(f"{server.url}wall")
    for run in runs:
        window.wait_for(f"document.querySelector(\"[data-run='{run}'] .wall-line[d^=M]\") !== null")
    window.click(f"[data-run='{runs[1]}'] a")
    window.expect_text("#run-name", "^Slow$")


def test_a_sweep_shows_its_results(server, window):
    sweep = server.call("POST", "sweeps", SWEEP)["id"]
    window.open(f"{server.url}sweeps?sweep={sweep}")
    window.expect_text("#sweep-state", "finished")
    window.expect_text("#best-value", r"[\d.]+")
    window.expect_text("#best-parameters", r"0\.1|0\.02")
    window.wait_for("document.querySelectorAll('.scatter-points a').length", (2).__eq__)


def test_the_gradients_are_checked(server, window):
    window.open(f"{server.url}gradients")
    window.expect_text("#check-verdict", "The gradients are correct.")
    window.wait_for("document.querySelector('#check-plot').dataset.drawnStep !== undefined")
    assert window.evaluate("document.querySelectorAll('#check-maps canvas').length") == 5


@pytest.mark.parametrize("page", ["passages", "course", "course/mistakes", "sweeps"])
def test_other_pages_open(server, window, page):
    window.open(server.url + page)
    window.wait_for("document.querySelector('main').innerText.length > 50")
    window.click("#theme")
    dark = "rgb(19, 21, 25)"
    background = "getComputedStyle(document.documentElement).backgroundColor"
    window.wait_for(background, dark.__eq__)
    for width in (1440, 390):
        window.resize(width, 844)
        window.wait_for("document.documentElement.scrollWidth - innerWidth", (0).__ge__)


def test_a_lesson_link_hides_controls_and_is_left(server, window, runs):
    (lesson,) = re.findall(r"^#lesson=.*", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    watch(window, server, runs[0])
    window.open("about:blank")
    window.open(f"{server.url}?run={runs[0]}{lesson}")
    window.expect_text("#lesson-title", "When does it learn spaces?")
    window.expect_hidden("#new-run")
    window.expect_text(".timeline", "")
    window.click("#lesson-leave")
    window.expect_hidden("#lesson")
    window.expect_text("#new-run", "")
