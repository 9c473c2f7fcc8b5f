"""The curves of the memory view, and the figures of the health view."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually
from tests.browser.server_process import Server
from tests.browser.test_accessibility import CONTRASTS, SCHEMES

SMALL = {"hidden_size": 8, "sequence_length": 10, "sample_length": 20}


@pytest.fixture(scope="module")
def runs(keep_run: Callable[..., str]) -> dict[str, str]:
    """A run of each cell, and one whose gradients explode, which is the newest."""
    wanted: dict[str, dict[str, Any]] = {
        "gru": {"cell": "gru", "max_updates": 20},
        "vanilla": {"updates": 20},
        "exploding": {"cell": "lstm", "init_scale": 9.0, "max_updates": 1, "clip": None},
    }
    return {name: keep_run(name=name, **SMALL, **spec) for name, spec in wanted.items()}


def inside(server: Server, window: Window, run: str, view: str, query: str = "") -> Page:
    window.page.goto(f"{server.url}inside?run={run}&view={view}{query}")
    expect(window.page.locator(f"#{view}-view[data-ready=true]")).to_be_visible()
    return window.page


def share_left(server: Server, run: str, lag: int) -> float:
    norms = server.call("GET", f"runs/{run}/memory")["typical"][-1]["norms"]
    return float(norms[lag] / norms[0])


def test_memory_of_the_newest_run_of_each_cell_is_compared_and_follows_the_training(
    server: Server, window: Window, runs: dict[str, str]
) -> None:
    page = inside(server, window, runs["vanilla"], "memory")
    slots = page.locator("#memory-runs > li")
    selects = page.locator("#memory-runs select")
    # The list of runs may come after the memory of the one in view.
    expect(selects.nth(0)).to_have_value(runs["exploding"])
    expect(selects.nth(1)).to_have_value(runs["gru"])
    expect(page.locator("#memory-plot path.memory-line")).to_have_count(4)
    expect(slots.nth(0)).to_contain_text("vanilla")
    expect(slots.nth(0)).to_contain_text("update 20")
    # By default as many steps back as training carries gradients.
    slider = page.locator("#memory-lag")
    assert slider.input_value() == "10"
    expect(slots.nth(2)).to_contain_text("10 steps back")

    # With the keyboard, other steps are read off.
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    left = slots.nth(2).locator(".memory-left")
    expect(left).to_contain_text("is left 2 steps back")
    percent = float(re.findall(r"[\d.]+", left.inner_text())[0])
    assert percent == pytest.approx(100 * share_left(server, runs["gru"], 2), rel=0.06)
    expect(slider).to_have_attribute("aria-valuetext", re.compile("gru:"))
    page.wait_for_url("**&lag=2")

    # Another run is chosen, and none.
    selects.nth(0).select_option("no run")
    expect(page.locator("#memory-plot path.memory-line")).to_have_count(3)
    selects.nth(1).select_option(label="exploding")
    expect(slots.nth(2)).to_contain_text("lstm 8")
    page.wait_for_url(re.compile(f"with=-,{runs['exploding']}&lag=2$"))
    page.reload()
    expect(slots.nth(2)).to_contain_text("lstm 8")
    expect(selects.nth(0)).to_have_value("")

    # It follows the training.
    line = page.locator("path.memory-line-0").first
    before = line.get_attribute("d")
    server.call("POST", f"runs/{runs['vanilla']}/step", {"updates": 3})
    expect(page.locator("#memory-runs > li").first).to_contain_text("update 23")
    expect(line).not_to_have_attribute("d", before or "")


def test_health_has_the_figures_of_the_network_and_can_be_read_everywhere(
    server: Server, window: Window, runs: dict[str, str]
) -> None:
    checkpoints = lambda: server.call("GET", f"runs/{runs['gru']}/checkpoints")  # noqa: E731
    eventually(checkpoints, bool, "the checkpoint at the end of the run")
    page = inside(server, window, runs["gru"], "health")
    health = server.call("GET", f"runs/{runs['gru']}/health")
    cards = page.locator("#health-figures article")
    expect(cards).to_have_count(len(health["figures"]))
    for i, figure in enumerate(health["figures"]):
        card = cards.nth(i)
        expect(card.locator("h3")).to_have_text(figure["label"])
        expect(card).to_contain_text(figure["meaning"])
        expect(card).to_contain_text(figure["normal"])
        assert card.locator("li").count() == len(figure["values"])
        # The status is a word, not only a colour.
        expect(card.locator(".figure-status")).to_contain_text(figure["status"] or "")
    radii = page.get_by_role("article", name="Spectral radius of W").locator("li")
    assert radii.locator("span:first-child").all_inner_texts() == [
        *("reset gate", "update gate", "candidate"),
    ]
    assert [float(text) for text in radii.locator("b").all_inner_texts()] == pytest.approx(
        health["gate_spectral_radius"][0], rel=0.01
    )
    expect(page.locator("#health-about")).to_contain_text("update 20")

    # Both views can be read in both themes and on a phone.
    overflow = "document.documentElement.scrollWidth - innerWidth"
    page.locator("#inside-run").select_option(runs["exploding"])
    expect(page.locator("#health-about")).to_contain_text("update 1")
    for view in ("health", "memory"):
        page.locator(f"#inside-tab-{view}").click()
        expect(page.locator(f"#{view}-view[data-ready=true]")).to_be_visible()
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            faint = [text for text in page.evaluate(CONTRASTS) if text["contrast"] < 4.5]
            assert faint == [], scheme
        for width in (1024, 390):
            page.set_viewport_size({"width": width, "height": 844})
            eventually(lambda: page.evaluate(overflow), lambda pixels: pixels <= 0, "no overflow")
        page.set_viewport_size({"width": 1440, "height": 900})
