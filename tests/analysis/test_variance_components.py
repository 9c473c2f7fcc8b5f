"""Variance components of simulated losses whose components are known."""

import numpy as np
import pytest

from server.analysis.variance_components import explain, updates_at_start

PER_EPOCH, EPOCHS = 3_000, 4


def synthetic(
    seed, *, page=0.0, smooth_page=0.0, start=0.0, noise=1.0, epochs=range(2, 6), P=3_000
):
    """Simulate falling losses with an effect of the position, an effect of the start, and noise."""
    rng = np.random.default_rng(seed)
    chapters = np.repeat(rng.normal(size=P // 50 + 1), 50)[:P]
    pages = page * rng.normal(size=P) + smooth_page * chapters
    rows = []
    for epoch in epochs:
        u = (epoch - 1) * P + np.arange(1, P + 1)
        row = 120.0 - 6.0 * np.log(u) + pages + noise * rng.normal(size=P)
        row[: updates_at_start(P)] += start
        rows.append(row)
    return np.array(rows), np.array(epochs)


def explained(losses, epochs, places=None):
    P = losses.shape[1]
    places = np.arange(P) if places is None else places
    return explain(losses[:, places], epochs, places, P)


@pytest.mark.parametrize("seed", range(3))
def test_only_positions(seed):
    found = explained(*synthetic(seed, page=3.0, noise=0.0))
    assert found.share == pytest.approx(1.0, abs=1e-3)
    assert abs(found.start.loss) < 3 * found.start.error


@pytest.mark.parametrize("seed", range(3))
def test_only_starts(seed):
    found = explained(*synthetic(seed, start=5.0))
    assert found.share < 0.03
    assert found.start.updates == 100
    assert found.start.loss == pytest.approx(5.0, abs=max(3 * found.start.error, 0.3))
    assert found.start.loss > 10 * found.start.error


@pytest.mark.parametrize("seed", range(3))
def test_only_noise(seed):
    found = explained(*synthetic(seed))
    assert found.share <= 3.5 * found.error + 1e-9
    assert found.share < 0.03
    assert abs(found.start.loss) < 4 * found.start.error


@pytest.mark.parametrize(("page", "noise"), [(1.0, 1.0), (1.5, 1.0), (0.5, 2.0)])
@pytest.mark.parametrize("epochs", [(1, 2), (2, 3, 4, 5, 6)])
def test_a_mixture_of_position_and_noise(page, noise, epochs):
    losses, which = synthetic(7, page=page, noise=noise, start=2.0, epochs=epochs)
    found = explained(losses, which)
    share = page**2 / (page**2 + noise**2)
    assert found.error < 0.04
    assert found.share == pytest.approx(share, abs=4 * found.error)
    assert found.start.loss == pytest.approx(2.0, abs=4 * found.start.error)


def test_chance_is_corrected_for_any_number_of_epochs():
    # The share of the sum of squares would be 1/E.
    for epochs in (2, 3, 6):
        shares = [
            explained(*synthetic(seed, epochs=range(2, 2 + epochs), P=400)).share
            for seed in range(30)
        ]
        # Negative shares are clipped to 0, so the mean is slightly above 0.
        assert np.mean(shares) < 0.05


def test_a_difficult_first_chapter_is_not_the_cost_of_the_start():
    misled = 0
    for seed in range(40):
        start = explained(*synthetic(seed, smooth_page=4.0)).start
        misled += abs(start.loss) > 2 * start.error
    assert misled <= 6


def test_blocks_give_the_same_result_as_complete_epochs():
    losses, epochs = synthetic(3, page=2.0, start=3.0, P=60_000)
    places = np.concatenate([np.arange(a, a + 2_000) for a in range(0, 60_000, 10_000)])
    part, whole = explained(losses, epochs, places), explained(losses, epochs)
    assert part.share == pytest.approx(whole.share, abs=0.02)
    assert part.start.loss == pytest.approx(whole.start.loss, abs=0.2)
    assert part.start.updates == whole.start.updates == 100


def test_constant_losses():
    found = explain(np.full((2, 100), 3.0), np.array([1, 2]), np.arange(100), 100)
    assert (found.start.updates, found.share) == (5, pytest.approx(0.0))


def test_the_share_is_the_intraclass_correlation():
    losses, epochs = synthetic(5, page=1.0, P=500)
    found = explained(losses, epochs)
    # From mean squares, of losses whose trend is known.
    k = np.arange(500)
    r = np.array(
        [row + 6 * np.log((e - 1) * 500 + k + 1) for row, e in zip(losses, epochs, strict=True)]
    )
    r = r[:, found.start.updates :]
    E, n = r.shape
    r = r - r.mean(axis=1, keepdims=True)
    places = r.mean(axis=0)
    ms_places = E * (places**2).sum() / (n - 1)
    ms_rest = ((r - places) ** 2).sum() / ((n - 1) * (E - 1))
    icc = (ms_places - ms_rest) / (ms_places + (E - 1) * ms_rest)
    assert found.share == pytest.approx(icc, abs=0.01)
