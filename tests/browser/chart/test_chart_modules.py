"""The pure modules of the chart, tested in a browser."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest

from server.spec.run_spec import RunSpec
from tests.browser.conftest import Module

SIZE = {"width": 706, "height": 400}


def curve(updates: list[int], seconds: list[float | None]) -> dict[str, Any]:
    return {
        "update": updates,
        "seconds": seconds,
        "smooth": [100.0 - update / 100 for update in updates],
        "low": [40.0 + update % 5 for update in updates],
        "high": [40.0 + update % 5 for update in updates],
    }


def state(**fields: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "curve": curve(list(range(1, 25)), [update / 10 for update in range(1, 25)]),
        "run": {
            "updates_per_epoch": 8,
            "spec": {"sequence_length": 25, "batch_size": 1, "loss_smoothing": None},
        },
        "validation": {"update": [], "loss": []},
        "detail": None,
        "smoothed": None,
        "range": None,
        "scale": "linear",
        "xAxis": "updates",
        "unit": "sequence",
        "lossScale": "linear",
        "smoothing": "own",
        "pinned": None,
    }
    return known | fields


@pytest.mark.parametrize(
    ("name", "value"),
    [("sequence", 50.0), ("character", 2.0), ("bits", 2 / math.log(2)), ("perplexity", math.e**2)],
)
def test_losses_in_other_units_and_back(module: Module, name: str, value: float) -> None:
    expression = "(() => { const u = m.unitOf(x, 25); return [u.of(50), u.toNats(u.of(50))]; })()"
    found = module("curve/axes.js", expression, name)
    assert found == pytest.approx([value, 50])
    assert module("curve/axes.js", "m.unitOf(x, 25).of(null)", name) is None
    assert math.isfinite(module("curve/axes.js", "m.unitOf(x, 25).of(1e9)", name))


@pytest.mark.parametrize("name", ["updates", "epochs", "seconds"])
def test_updates_along_other_axes_and_back(module: Module, name: str) -> None:
    known = curve([10, 20, 40], [1.0, 1.5, 5.5])
    updates = [0, 5, 10, 13, 20, 33, 40, 55]
    values, back = module(
        "curve/axes.js",
        "(() => { const a = m.xAxisOf(x[0], x[1], 8);"
        " const values = x[2].map(a.of); return [values, values.map(a.toUpdate)]; })()",
        [name, known, updates],
    )
    assert values == sorted(values)
    assert back == pytest.approx(updates)
    middle = {"updates": 33, "epochs": 33 / 8, "seconds": 1.5 + 4 * 13 / 20}[name]
    assert values[5] == pytest.approx(middle)


def test_without_times_there_is_no_axis_of_seconds(module: Module) -> None:
    expression = "m.xAxisOf('seconds', x, 8).name"
    assert module("curve/axes.js", expression, curve([1, 2, 3], [None, None, None])) == "updates"
    assert module("curve/axes.js", expression, curve([1, 2, 3], [None, 1.0, 2.0])) == "seconds"


@pytest.mark.parametrize(
    ("span", "log", "words"),
    [
        ([0, 95], False, ["0 s", "20 s", "40 s", "1 min", "1:20"]),
        ([0, 7000], False, ["0 s", "30 min", "1 h", "1:30 h"]),
        ([0.1, 1000], True, ["0.1 s", "1 s", "10 s", "1 min", "10 min"]),
    ],
)
def test_time_ticks_are_readable(
    module: Module, span: list[float], log: bool, words: list[str]
) -> None:
    found = module("curve/axes.js", "m.timeTicks(...x[0], 5, x[1])", [span, log])
    assert found["labels"] == words
    assert found["values"] == sorted(found["values"])


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("x_axis", ["updates", "epochs", "seconds"])
@pytest.mark.parametrize("zoom", [None, [6, 18]])
def test_pixels_are_updates_and_back(
    module: Module, scale: str, x_axis: str, zoom: list[int] | None
) -> None:
    shown = state(scale=scale, xAxis=x_axis, range=zoom)
    pixels = [0, 100, 333, 600]
    back = module(
        "curve/scales.js",
        "(() => { const p = m.scalesOf(x[0], x[1]);"
        " return x[2].map((pixel) => p.updateToPixel(p.pixelToUpdate(pixel))); })()",
        [shown, SIZE, pixels],
    )
    # There is no time before the first update, so an axis of seconds starts there.
    assert back[1:] == pytest.approx(pixels[1:], abs=0.5)


def test_losses_are_drawn_one_by_one_where_they_are_apart(module: Module) -> None:
    scales = module(
        "curve/scales.js",
        "m.scalesOf(x[0], x[1])",
        [state(scale="log"), {"width": 706, "height": 400}],
    )
    assert scales["losses"]["update"] == list(range(1, 25))
    assert scales["losses"]["loss"] == [40 + update % 5 for update in range(1, 25)]
    assert scales["band"] == []


def test_the_band_begins_where_a_point_is_several_updates(module: Module) -> None:
    """On a logarithmic axis the first losses are drawn, and a band around the others."""
    updates = list(range(1, 2_001))
    known = curve(updates, [50.0] * 2_000)
    expression = "(({ losses, band }) => ({ losses, band }))(m.scalesOf(x[0], x[1]))"
    drawn = module(
        "curve/scales.js",
        expression,
        [state(scale="log", curve=known), {"width": 706, "height": 400}],
    )
    last = drawn["losses"]["update"][-1]
    assert drawn["losses"]["update"] == list(range(1, last + 1))
    assert 50 < last < 200
    [outline] = drawn["band"]
    assert (outline["update"][0], outline["update"][-1]) == (last, 2_000)
    pairs = list(zip(outline["low"], outline["high"], strict=True))
    # The first and the last bucket may be cut off to a single update.
    assert sum(low == high for low, high in pairs) <= 3
    assert all(low <= high for low, high in pairs)
    assert (min(outline["low"]), max(outline["high"])) == (40, 44)


def test_a_wide_screen_draws_no_more_points(module: Module) -> None:
    many = list(range(1, 3_001))
    shown = state(curve=curve(many, [update / 100 for update in many]))
    points = module(
        "curve/scales.js",
        "m.scalesOf(x[0], x[1]).curve.update.length",
        [shown, {"width": 3_800, "height": 900}],
    )
    assert points <= 1_500


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_new_updates_of_a_long_run_move_nothing_visible(module: Module, scale: str) -> None:
    def moved(before: list[int], more: list[int]) -> float:
        falling: list[float | None] = [60 - 10 * update / 10_000_000 for update in [*before, *more]]
        whole = curve([*before, *more], falling)
        part = {name: values[: len(before)] for name, values in whole.items()}
        pictures = [state(scale=scale, curve=each) for each in (part, whole)]
        expression = "m.maxShift(...x[0].map((shown) => m.scalesOf(shown, x[1])))"
        return float(module("curve/scales.js", expression, [pictures, SIZE]))

    history = list(range(10_000, 10_000_001, 10_000))
    assert 0 < moved(history, [10_001_000]) < 0.5
    assert moved(history, [10_300_000]) > 0.5
    assert moved([10, 20, 30], [33]) > 0.5


def test_losses_that_replace_a_band_are_drawn_although_nothing_moves(module: Module) -> None:
    every = curve(list(range(1, 11)), [50.0] * 10)
    combined = {name: [values[0], values[4], values[9]] for name, values in every.items()}
    combined["low"][2], combined["high"][2] = 40.0, 44.0
    expression = "m.maxShift(...x[0].map((shown) => m.scalesOf(shown, x[1]))) > 0.5"
    for pictures, moved in (([combined, every], True), ([every, every], False)):
        shown = [state(curve=each) for each in pictures]
        assert module("curve/scales.js", expression, [shown, SIZE]) is moved


def test_a_logarithmic_axis_is_refined_in_ranges_of_equal_width(module: Module) -> None:
    expression = "m.splitRange(x, 1, 10000, 4)"
    assert module("curve/scales.js", expression, state(scale="log")) == [
        [1, 10],
        [11, 100],
        [101, 1_000],
        [1_001, 10_000],
    ]
    assert module("curve/scales.js", "m.splitRange(x, 5, 8, 1)", state()) == [[5, 8]]


def windows(module: Module, expression: str, **fields: Any) -> Any:
    return module(
        "curve/zoom.js",
        "(async () => { const g = await import('/static/js/curve/scales.js');"
        f" const p = g.scalesOf(x[0], x[1]); const w = p.width; return {expression}; }})()",
        [state(**fields), SIZE],
    )


def test_zooming_in_keeps_the_update_under_the_pointer(module: Module) -> None:
    before, after = windows(
        module,
        "[p.pixelToUpdate(200), (() => { const window = m.zoomedWindow(200, 0.5, w);"
        " const range = m.windowToRange(x[0], p, window);"
        " return g.scalesOf({ ...x[0], range }, x[1]).pixelToUpdate(200); })()]",
        scale="log",
    )
    assert after == pytest.approx(before, rel=0.02)


def test_zooming_out_completely_follows_again(module: Module) -> None:
    assert (
        windows(module, "m.windowToRange(x[0], p, m.zoomedWindow(200, 8, w))", range=[6, 18])
        is None
    )


def test_a_pinch_keeps_the_updates_under_the_fingers(module: Module) -> None:
    held, moved = windows(
        module,
        "(() => { const window = m.pinchedWindow([200, 300], [100, 450], w);"
        " const range = m.windowToRange(x[0], p, window);"
        " const q = g.scalesOf({ ...x[0], range }, x[1]);"
        " return [[200, 300].map(p.pixelToUpdate), [100, 450].map(q.pixelToUpdate)]; })()",
    )
    assert moved == pytest.approx(held, rel=0.02)


def test_a_zoom_ends_at_single_updates_and_stays_on_the_curve(module: Module) -> None:
    low, high = windows(module, "m.windowToRange(x[0], p, [300, 300.01])")
    assert round(high - low, 9) >= 4
    low, high = windows(module, "m.windowToRange(x[0], p, [-900, -300])")
    assert low >= 0
    low, high = windows(module, "m.windowToRange(x[0], p, [900, 1500])")
    assert low < 24


def test_overlapping_marks_are_dropped_by_priority(module: Module) -> None:
    run = {
        "milestones": [
            {"id": "1", "update": 50, "kind": "hurrah", "text": "hurrah - Orla"},
            {"id": "2", "update": 50, "kind": "hurrah", "text": "hurrah - Vane"},
            {"id": "3", "update": 51, "kind": "note", "text": "a\nnote"},
            {"id": "4", "update": 80, "kind": "note", "text": "another"},
            {"id": "5", "update": 60, "kind": "epoch", "text": "epoch 2 begins"},
        ],
        "checkpoints": [
            {"id": "c", "update": 80, "automatic": False, "note": None},
            {"id": "d", "update": 90, "automatic": True, "note": None},
        ],
        "samples": [{"update": update} for update in (0, 50, 99, 100)],
    }
    drawn, words = module(
        "chart/marks.js",
        "(() => { const marks = m.marksOf(x); const to = (update) => update * 5;"
        " const drawn = m.visibleMarks(marks, to, 500);"
        " return [Object.entries(drawn).map(([kind, all]) => [kind, all.map((a) => a.update)]),"
        " m.describeMarks(m.marksNear(marks, to, 252))]; })()",
        run,
    )
    found = {kind: updates for kind, updates in drawn if updates}
    assert found == {"hurrah": [50], "note": [80], "sample": [0, 100]}
    assert words == [
        "hurrah - Orla and Vane, update 50",
        "note, update 51: a note",
        "sample, update 50",
    ]


@pytest.mark.parametrize("per_epoch", [1, 7, 160, 44_000])
@pytest.mark.parametrize("log", [False, True])
def test_epochs_are_marked_where_they_fit(module: Module, per_epoch: int, log: bool) -> None:
    end = 1_000_000
    found = module(
        "chart/marks.js",
        "m.epochsIn(x[0], [1, x[1]], x[2] ? (u) => Math.log10(Math.max(u, 0.5)) * 100"
        " : (u) => u / x[1] * 600)",
        [per_epoch, end, log],
    )
    pixels = [each["pixel"] for each in found]
    assert 1 <= len(found) <= 40
    assert all(b - a >= 30 for a, b in pairwise(pixels))
    assert all(each["update"] == (each["epoch"] - 1) * per_epoch for each in found)


@pytest.mark.parametrize("sequence_length", [1, 25, 50, 1_000])
@pytest.mark.parametrize("batch_size", [1, 7, 50])
@pytest.mark.parametrize("chosen", [None, 0.0, 0.5])
def test_the_factor_is_that_of_the_server(
    module: Module, sequence_length: int, batch_size: int, chosen: float | None
) -> None:
    spec = RunSpec(sequence_length=sequence_length, batch_size=batch_size, loss_smoothing=chosen)
    own = module("curve/smoothing.js", "m.ownFactor(x)", spec.model_dump())
    assert own == pytest.approx(spec.smoothing, rel=1e-12)


@pytest.mark.parametrize("own_factor", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("factor", [0.0, 0.9, 0.99, 0.9999])
def test_live_points_are_smoothed_like_on_the_server(
    module: Module, factor: float, own_factor: float
) -> None:
    losses = [100 - (37 * i) % 60 for i in range(400)]
    own: list[float] = []
    other: list[float] = []
    ends: list[int] = []
    for update, loss in enumerate(losses, 1):
        own.append(loss if update == 1 else own_factor * own[-1] + (1 - own_factor) * loss)
        other.append(loss if update == 1 else factor * other[-1] + (1 - factor) * loss)
        ends.append(update)
    part = {
        "update": ends[100:],
        "seconds": ends[100:],
        "smooth": own[100:],
        "low": losses[100:],
        "high": losses[100:],
    }
    found = module(
        "curve/smoothing.js",
        "m.resmooth(x[0], x[1], x[2], { update: [100], smooth: [x[3]] },"
        " { update: [100], smooth: [x[4]] }).smooth",
        [part, factor, own_factor, own[99], other[99]],
    )
    assert found == pytest.approx(other[100:], abs=1e-6)


def test_an_edited_note_replaces_itself(module: Module) -> None:
    kept = module(
        "state/reducers.js",
        """(() => {
          let state = { ...m.initialState({ operator: true }), runId: 'a' };
          const say = (message) => {
            state = m.reduce(state, { type: 'message', message: { run: 'a', ...message } });
          };
          const note = (id, text) =>
            say({ type: 'milestone', milestone: { id, update: 3, kind: 'note', text } });
          note('1', 'one'); note('2', 'two'); note('1', 'first');
          say({ type: 'milestone_removed', milestone_id: '2' });
          return state.milestones;
        })()""",
    )
    assert kept == [{"id": "1", "update": 3, "kind": "note", "text": "first"}]


def test_the_csv_has_the_shown_points_in_the_shown_unit(module: Module) -> None:
    text = module(
        "chart/export.js",
        "(async () => { const g = await import('/static/js/curve/scales.js');"
        " return m.csvOf(x[0], g.scalesOf(x[0], x[1])); })()",
        [state(unit="character"), SIZE],
    )
    head, first, *_ = lines = text.splitlines()
    named = "nats_per_character"
    assert head == f"update,epochs,seconds,smooth_{named},low_{named},high_{named}"
    assert len(lines) == 25
    assert [float(value) for value in first.split(",")] == pytest.approx(
        [1, 1 / 8, 0.1, 99.99 / 25, 41 / 25, 41 / 25]
    )


@pytest.mark.parametrize(
    ("smooth", "side", "below"),
    [
        # A falling curve leaves the space below left free.
        (lambda update: 100 - update / 2, "right", True),
        # A rising curve leaves the space above left or right free.
        (lambda update: 20 + min(update, 60) / 2, "left", False),
    ],
)
def test_a_label_does_not_cover_the_curve(
    module: Module, smooth: Any, side: str, below: bool
) -> None:
    known = curve(list(range(1, 101)), [None] * 100)
    known["smooth"] = [float(smooth(update)) for update in range(1, 101)]
    known |= {"low": [0.0] * 100, "high": [100.0] * 100}
    [label] = module(
        "chart/annotations.js",
        """import('/static/js/curve/scales.js').then(({ scalesOf }) => {
          const font = { size: 11.5 };
          const marks = { hurrah: [{ update: 60, words: ["Orla"] }], note: [] };
          const scales = scalesOf(x[0], x[1]);
          const fonts = { hurrah: font, note: font, labelBackground: "" };
          return m.markLabels(x[0], marks, scales, fonts);
        })""",
        [state(curve=known), SIZE],
    )
    assert label["text"] == "hurrah - Orla, update 60"
    assert label["xanchor"] == side
    assert (label["yshift"] < 0) is below
