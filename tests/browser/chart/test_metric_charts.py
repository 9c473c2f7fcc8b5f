"""The metrics under the curve."""

from __future__ import annotations

from collections.abc import Callable
from operator import mul
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from server.rnn.metrics import MEASURED_EVERY, METRICS
from tests.browser.conftest import Module, Window, eventually
from tests.browser.server_process import Server

# Each has a value at every measured update of an ordinary run.
NAMES = ("gradient_norm", "clipped_share", "update_ratio", "learning_rate")


def rows(page: Page) -> Any:
    return page.evaluate(
        "[...document.querySelectorAll('.metric:not([hidden])')].map(row => row.id)"
    )


def drawn_pixels(page: Page, name: str) -> int:
    """The number of pixels of a metric's chart that are not empty."""
    return int(
        page.evaluate(
            """name => {
              const canvas = document.querySelector(`#metric-${name} canvas`);
              const { width, height } = canvas;
              const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
              return data.filter((value, i) => i % 4 === 3 && value > 0).length;
            }""",
            name,
        )
    )


def left(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"]


def middle(page: Page, selector: str, share: float) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] * share, box["y"] + box["height"] / 2


def test_the_metrics_are_drawn_on_the_axis_of_the_curve_with_one_cursor(
    server: Server, lasting_window: Window, keep_run: Callable[..., str]
) -> None:
    run = keep_run(updates=12 * MEASURED_EVERY + 5, hidden_size=8)
    page = lasting_window.open(server, run)
    section, button = page.locator("#metric-charts"), page.locator("#metrics-open")
    expect(section).to_be_hidden()
    button.click()
    expect(section).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    wanted = [f"metric-{name}" for name in METRICS if name in NAMES]
    eventually(lambda: rows(page), wanted.__eq__, "all metrics to be drawn")
    eventually(lambda: drawn_pixels(page, NAMES[0]), lambda n: n > 100, "a line")
    values: Any = server.call("GET", f"runs/{run}/metrics")
    newest = values["metrics"]["learning_rate"]["mean"][-1]
    assert newest == 0.1
    expect(page.locator("#metric-learning_rate .metric-value")).to_have_text("0.1")
    page.wait_for_url("**metrics=shown**")

    # The pointer in a metric's chart shows the same update of the curve, and the other way round.
    page.mouse.move(*middle(page, "#metric-gradient_norm", 0.5))
    expect(page.locator("#crosshair")).to_be_visible()
    expect(page.locator("#chart-readout")).to_contain_text("smooth loss")
    eventually(
        lambda: left(page, "#crosshair") - left(page, "#metric-crosshair"),
        lambda pixels: abs(pixels) < 1,
        "one line at the pointer in all charts",
    )
    hovered = page.locator("#metric-gradient_norm .metric-value").inner_text()
    page.mouse.move(0, 0)
    expect(page.locator("#metric-crosshair")).to_be_hidden()
    expect(page.locator("#crosshair")).to_be_hidden()
    page.mouse.move(*middle(page, "#chart", 0.3))
    expect(page.locator("#metric-crosshair")).to_be_visible()
    expect(page.locator("#metric-gradient_norm .metric-value")).not_to_have_text(hovered)

    # The meaning of a metric is in the glossary.
    page.locator("#metric-gradient_norm .term").click()
    expect(page.locator("#term-tip")).to_contain_text("before clipping")
    button.click()
    expect(section).to_be_hidden()


def test_new_metrics_of_a_zoom_are_fetched_and_a_phone_shows_them_all(
    server: Server, lasting_window: Window, keep_run: Callable[..., str]
) -> None:
    run = keep_run(updates=3 * MEASURED_EVERY + 1, hidden_size=8)
    lasting_window.page.set_viewport_size({"width": 390, "height": 844})
    page = lasting_window.open(server, run, "&metrics=shown&scale=linear&range=1-20")
    none = page.locator("#metrics-none")
    expect(none).to_contain_text(f"every {MEASURED_EVERY}th update")
    page.locator("#follow").click()
    eventually(lambda: len(rows(page)), lambda n: n >= len(NAMES), "all metrics to be drawn")
    expect(none).to_be_hidden()
    # Without a pointer the values are the newest, also of a zoom into the past.
    value = page.locator("#metric-gradient_norm .metric-value")
    newest = value.inner_text()
    lasting_window.open(server, run, "&metrics=shown&scale=linear&range=20-40")
    expect(value).to_have_text(newest)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    eventually(lambda: page.evaluate(fits), bool, "the page to fit the screen")


def test_a_metric_can_be_compared(
    server: Server, open_window: Callable[..., Window], keep_run: Callable[..., str]
) -> None:
    runs = [
        keep_run(updates=2 * MEASURED_EVERY, hidden_size=8, learning_rate=rate)
        for rate in (0.1, 0.05)
    ]
    page = open_window().page
    page.goto(f"{server.url}compare?runs={','.join(runs)}&below=4")
    table = page.locator("#compare-table")
    page.locator("#compare-metric").select_option("learning_rate")
    expect(page.locator("#compare-readout")).to_have_text("learning rate")
    expect(table.get_by_role("columnheader", name="learning rate")).to_be_visible()
    expect(table).to_contain_text("0.05")
    lines = "document.querySelector('#compare-plot').data.filter(t => t.mode === 'lines')"
    eventually(
        lambda: page.evaluate(f"{lines}.map(({{ y }}) => y.at(-1)).sort()"),
        [0.05, 0.1].__eq__,
        "a line for each run",
    )
    page.wait_for_url("**metric=learning_rate**")
    page.locator("#compare-metric").select_option("gradient_norm")
    expect(table.get_by_role("columnheader", name="gradient norm")).to_be_visible()
    page.locator("#compare-metric").select_option("")
    expect(table.get_by_role("columnheader", name="gradient norm")).to_be_hidden()
    expect(page.locator("#compare-readout")).to_contain_text("smooth loss")


def test_metrics_stay_bounded_and_keep_their_extremes(module: Module) -> None:
    kept = module(
        "curve/metric-curves.js",
        """(() => {
          let kept = m.NO_METRICS;
          for (let update = 32; update <= 32 * 5000; update += 32) {
            const value = update === 32 * x ? 100 : 1;
            const buckets = { mean: [value], low: [value], high: [value] };
            kept = m.appendMetrics(kept, { update: [update], count: [1], metrics: { a: buckets } });
          }
          const [from, to] = [32 * 2000, 32 * 2001];
          const detail = { mean: [7, 8], low: [7, 8], high: [7, 8] };
          const drawn = m.drawnMetrics({
            metrics: kept,
            metricDetail: { update: [from, to], metrics: { a: detail } },
          });
          const between = (range) => m.metricsBetween(drawn, range);
          return { kept, drawn: between([from, to]), none: between([1, 2]) };
        })()""",
        1_234,
    )
    update, buckets = kept["kept"]["update"], kept["kept"]["metrics"]["a"]
    assert len(update) <= 1_200
    assert update[-1] == 32 * 5_000
    at = next(i for i, end in enumerate(update) if end >= 32 * 1_234)
    assert buckets["high"][at] == max(buckets["high"]) == 100
    assert set(buckets["low"]) == {1}
    weights = [end - before for before, end in zip([0, *update], update, strict=False)]
    mean = sum(map(mul, buckets["mean"], weights)) / sum(weights)
    assert mean == pytest.approx((4_999 + 100) / 5_000)
    # The finer points of a zoom, with one more on each side.
    assert kept["drawn"]["metrics"]["a"]["mean"] == [1, 7, 8, 1]
    assert kept["none"]["update"] == []
