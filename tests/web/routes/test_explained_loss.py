"""The explained variance of the loss over HTTP."""

import numpy as np
import pytest

from server.analysis.loss_analysis import BLOCKS, MAX_UPDATES, _blocks
from server.analysis.variance_components import explain
from tests.serving import PAGES
from tests.web.routes.test_history import PER_EPOCH, rows_of

SMALL = {"hidden_size": 10, "sample_length": 20}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


def explained(server, run):
    return server.get(run, "loss/explained")


def test_only_complete_epochs_are_compared(server, corpus):
    run = server.create(**SMALL, corpus=corpus, paused=True, max_updates=None)
    nothing = {"epochs": [], "share": None, "share_error": None, "start": None}
    assert explained(server, run) == nothing | {
        "unavailable": "This can be computed after two epochs."
    }
    server.post(run, "step", {"updates": 2 * PER_EPOCH - 1})
    assert explained(server, run) == nothing | {
        "unavailable": "This can be computed after the second epoch."
    }
    server.post(run, "step", {"updates": 1})
    assert explained(server, run)["epochs"] == [1, 2]
    server.post(run, "step", {"updates": 5 * PER_EPOCH + 7})
    found = explained(server, run)
    assert found["epochs"] == [2, 3, 4, 5, 6, 7]

    losses = np.array([row.loss for row in rows_of(server, run)])
    rows = losses[PER_EPOCH : 7 * PER_EPOCH].reshape(6, PER_EPOCH)
    expected = explain(rows, np.arange(2, 8), np.arange(PER_EPOCH), PER_EPOCH)
    assert found["share"] == pytest.approx(expected.share)
    assert found["share_error"] == pytest.approx(expected.error)
    start = expected.start
    assert found["start"] == pytest.approx(
        {"updates": start.updates, "loss": start.loss, "error": start.error}
    )
    # The same positions are equally difficult in every epoch.
    assert found["share"] > 0.3
    assert found["unavailable"] is None


def test_short_epochs_give_no_result(server):
    corpus = server.upload(PAGES[:500])["id"]
    run = server.create(**SMALL, corpus=corpus, max_updates=60)
    server.until_ended(run)
    assert "too short" in explained(server, run)["unavailable"]


@pytest.mark.parametrize("per_epoch", [40, MAX_UPDATES, MAX_UPDATES + 1, 5_000_000])
def test_long_epochs_are_read_in_blocks(per_epoch):
    blocks = _blocks(per_epoch)
    assert blocks[0][0] == 0
    assert blocks[-1][1] == per_epoch
    assert sum(end - begin for begin, end in blocks) <= MAX_UPDATES
    if per_epoch > 2 * MAX_UPDATES:
        assert len(blocks) == BLOCKS
        ends = [end for _, end in blocks]
        assert all(end <= begin for end, (begin, _) in zip(ends, blocks[1:], strict=False))
