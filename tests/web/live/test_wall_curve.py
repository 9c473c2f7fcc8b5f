"""The short curve of the wall loses no extreme, however long a run trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from server.history.loss_history import ReducedLoss
from server.spec.live_messages import Curve
from server.web.live.wall_curve import MAX_POINTS, ShortCurve


def reduced(losses: list[float], bucket: int) -> ReducedLoss:
    groups = [losses[start : start + bucket] for start in range(0, len(losses), bucket)]
    ends = np.minimum(np.arange(1, len(groups) + 1) * bucket, len(losses))
    low, high, smooth = (
        np.array([take(group) for group in groups]) for take in (min, max, lambda group: group[-1])
    )
    return ReducedLoss(1, len(losses), bucket, ends, smooth, low, high)


def piece(first: int, losses: list[float | None]) -> Curve:
    updates = list(range(first, first + len(losses)))
    return Curve(update=updates, seconds=[], smooth=losses, low=losses, high=losses)


@pytest.mark.parametrize("known", [0, 1, 47, 48, 300])
def test_a_curve_that_grows_is_that_of_all_updates(known: int) -> None:
    losses = np.random.default_rng(known).uniform(1, 9, 5_000).round(3).tolist()
    curve = ShortCurve(reduced(losses[:known], max(1, -(-known // MAX_POINTS))))
    for first in range(known, len(losses), 7):
        curve.add(piece(first + 1, losses[first : first + 7]))
    whole = curve.whole()
    assert len(whole["smooth"]) <= MAX_POINTS
    wanted = reduced(losses, whole["bucket"])
    assert whole["low"] == wanted.low.tolist()
    assert whole["high"] == wanted.high.tolist()
    assert whole["smooth"] == wanted.smooth.tolist()
    assert curve.last == len(losses)


def test_the_changes_add_up_to_the_curve() -> None:
    curve = ShortCurve(reduced([], 1))
    seen: dict[str, list[float | None]] = {"smooth": [], "low": [], "high": []}
    for first in range(1, 1_000, 3):
        curve.add(piece(first, [float(first), first + 0.5, first + 1.0]))
        if first % 5 == 0:
            continue  # Several pieces in one message.
        change: Any = curve.take_changes()
        whole: Any = curve.whole()
        for name in ("smooth", "low", "high"):
            seen[name][change["start"] :] = change[name]
        assert seen == {name: whole[name] for name in seen}
    assert curve.take_changes()["smooth"] == []


def test_a_piece_that_is_known_already_changes_nothing_and_a_long_one_fills_its_buckets() -> None:
    curve = ShortCurve(reduced([5.0, 4.0, 3.0], 1))
    curve.add(piece(2, [9.0, 9.0]))
    assert curve.whole()["high"] == [5.0, 4.0, 3.0]
    # One point for the updates 4 to 6.
    curve.add(Curve(update=[6], seconds=[], smooth=[2.5], low=[1.0], high=[float("nan")]))
    whole = curve.whole()
    assert whole["low"] == [5.0, 4.0, 3.0, 1.0, 1.0, 1.0]
    assert whole["high"] == [5.0, 4.0, 3.0, None, None, None]
