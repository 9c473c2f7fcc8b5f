"""Surprisals over HTTP: the exact text, in every state, with the source named."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serving import PAGES
from tests.web.routes.test_history import rows_of

T, HIDDEN = 25, 12
SMALL = {"hidden_size": HIDDEN, "sequence_length": T, "sample_length": 20, "sample_every": 50}
FIELDS = {"stream", "position", "before", "text", "after", "top", "most_surprising"} | {
    *("surprisal_before", "surprisal", "surprisal_after")
}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(scope="module")
def run(server, corpus):
    """A run of 400 updates (2.5 epochs) with a checkpoint at 130."""
    run = server.create(corpus=corpus, paused=True, max_updates=400, **SMALL)
    server.post(run, "step", {"updates": 130})
    server.post(run, "checkpoints")
    server.post(run, "resume")
    return server.until_ended(run)


def read(server, run, **query):
    return server.get(run, "surprisal", **query)


def check_text(passage, text, part_begins, place):
    """Compare a passage with the corpus; `place` is its sequence's offset in the stream."""
    start = part_begins + place + 1
    assert set(passage) == FIELDS
    assert passage["position"] == start
    assert passage["text"] == text[start : start + T]
    assert passage["before"]
    assert text[:start].endswith(passage["before"])
    assert text[start + T :].startswith(passage["after"])
    for part in ("before", "after"):
        assert len(passage[f"surprisal_{part}"]) == len(passage[part])
    assert len(passage["surprisal"]) == len(passage["top"]) == T


@pytest.mark.parametrize("update", [1, 2, 51, 159, 160, 161, 399, 400])
def test_the_text_of_an_update_is_that_of_its_batch(server, run, update):
    surprisal = read(server, run, update=update)
    row = rows_of(server, run)[update - 1]
    assert (surprisal["update"], surprisal["epoch"]) == (row.update, row.epoch)
    assert (surprisal["loss"], surprisal["smooth_loss"]) == (row.loss, row.smooth)
    assert (surprisal["position"], surprisal["streams"]) == (row.position, 1)
    (passage,) = surprisal["passages"]
    assert passage["stream"] == 1
    check_text(passage, PAGES, 0, row.position)
    if row.position == 0:
        assert passage["surprisal_before"] == [None]


@pytest.mark.parametrize(
    ("update", "kind", "known"),
    [(1, "snapshot", 0), (6, "snapshot", 5), (130, "snapshot", 100), (131, "checkpoint", 130)],
)
def test_the_network_is_the_nearest_earlier_one(server, run, update, kind, known):
    assert read(server, run, update=update)["source"] == {"kind": kind, "update": known}


def test_surprisals_after_a_snapshot_sum_to_the_loss(server, run):
    # The state is zero at the start of an epoch, and at update 1 the network is the same.
    surprisal = read(server, run, update=1)
    nats = sum(surprisal["passages"][0]["surprisal"]) * math.log(2)
    assert nats == pytest.approx(surprisal["loss"], rel=1e-3)
    # Later the state was carried from further back; the preceding text brings it close to that.
    for update in (51, 101, 131, 351):
        surprisal = read(server, run, update=update)
        nats = sum(surprisal["passages"][0]["surprisal"]) * math.log(2)
        assert surprisal["source"]["update"] == update - 1
        assert nats == pytest.approx(surprisal["loss"], rel=0.02)


def test_the_most_surprising_characters_are_named(server, run):
    (passage,) = read(server, run, update=300)["passages"]
    named = passage["most_surprising"]
    assert len(named) == 3
    ranked = sorted(passage["surprisal"], reverse=True)
    assert [one["surprisal"] for one in named] == ranked[:3]
    for one in named:
        index = one["index"]
        assert one["character"] == passage["text"][index]
        assert one["expected"] == passage["top"][index]
        assert one["word"] is None or one["character"] in one["word"]
        if one["character"].isalpha():
            assert one["word"] in PAGES
    for guesses in passage["top"]:
        shares = [share for _, share in guesses]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1.001


def test_surprisals_with_streams_and_a_validation_set(server, corpus):
    run = server.create(
        **SMALL, corpus=corpus, batch_size=5, validation_fraction=0.2, max_updates=60, layers=2,
        cell="gru", dropout=0.3,
    )  # fmt: skip
    assert server.until_ended(run)["state"] == "finished"
    learnt = PAGES[: len(PAGES) - int(0.2 * len(PAGES))]
    part = len(learnt) // 5
    assert server.run(run)["updates_per_epoch"] == (part - 1) // T
    rows = rows_of(server, run)
    for update in (1, 25, 26, 60):
        surprisal = read(server, run, update=update)
        place = rows[update - 1].position
        assert (surprisal["position"], surprisal["streams"]) == (place, 5)
        assert len(surprisal["passages"]) == 3
        for passage in surprisal["passages"]:
            check_text(passage, learnt, (passage["stream"] - 1) * part, place)
        sums = [sum(passage["surprisal"]) for passage in surprisal["passages"]]
        assert sums == sorted(sums, reverse=True)
    assert len({passage["stream"] for passage in surprisal["passages"]}) == 3


def test_positions_and_surprisals_in_shuffled_order(server, corpus):
    run = server.create(**SMALL, corpus=corpus, batch_size=2, order="shuffled", max_updates=120)
    assert server.until_ended(run)["state"] == "finished"
    rows, part = rows_of(server, run), len(PAGES) // 2
    per_epoch = server.run(run)["updates_per_epoch"]
    assert 60 < per_epoch < 120
    first = [row.position for row in rows[:per_epoch]]
    assert sorted(first) == [T * k for k in range(per_epoch)] != first
    for update in (1, 2, 51, per_epoch + 1):
        surprisal = read(server, run, update=update)
        place = rows[update - 1].position
        assert surprisal["position"] == place
        for passage in surprisal["passages"]:
            check_text(passage, PAGES, (passage["stream"] - 1) * part, place)
        if surprisal["source"]["update"] == update - 1:
            # The state is zero where the text jumps, so nothing before the text matters.
            bits = [sum(passage["surprisal"]) for passage in surprisal["passages"]]
            assert sum(bits) / 2 * math.log(2) == pytest.approx(surprisal["loss"], rel=1e-4)
        there = read(server, run, epoch=rows[update - 1].epoch, position=place + T - 1)
        assert there["update"] == update
    by_position = server.get(run, "loss/positions", epochs="1")
    mean = [row.loss for row in sorted(rows[:per_epoch], key=lambda row: row.position)]
    assert by_position["epochs"][0]["loss"] == pytest.approx(mean)
    assert "read in its own order" in server.get(run, "loss/explained")["unavailable"]
    last = rows[-1].position
    assert server.run(run)["position"] in {T * k for k in range(per_epoch)} - {last}
    unread = ({T * k for k in range(per_epoch)} - {row.position for row in rows[per_epoch:]}).pop()
    for query, status in [
        ({"epoch": 2, "position": unread}, 422),
        ({"epoch": 9, "position": 0}, 422),
        ({"epoch": 1}, 422),
        ({"position": 1}, 422),
        ({"epoch": 1, "position": 1, "update": 1}, 422),
    ]:
        answer = server.client.get(f"/api/runs/{run['id']}/surprisal", params=query)
        assert answer.status_code == status, query


def test_the_greatest_loss_of_a_range_is_used(server, run):
    rows = rows_of(server, run)
    for first, last in [(1, 400), (100, 120), (7, 7), (390, 10_000)]:
        highest = max(rows[first - 1 : last], key=lambda row: row.loss)
        surprisal = read(server, run, **{"from": first, "to": last})
        assert (surprisal["update"], surprisal["loss"]) == (highest.update, highest.loss)


def test_concurrent_requests_get_the_same_surprisal(server, run):
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: read(server, run, update=333), range(24)))
    assert all(answer == answers[0] for answer in answers)


def test_a_damaged_snapshot_is_replaced_by_the_previous_one(server, corpus):
    run = server.create(corpus=corpus, max_updates=120, **SMALL)
    server.until_ended(run)
    assert read(server, run, update=115)["source"]["update"] == 100
    snapshots = server.data_dir / "runs" / run["id"] / "snapshots"
    (snapshots / "100.npz").write_bytes(b"half a fi")
    assert read(server, run, update=116)["source"] == {"kind": "snapshot", "update": 50}
    for path in snapshots.iterdir():
        path.write_bytes(b"")
    answer = server.client.get(f"/api/runs/{run['id']}/surprisal", params={"update": 117})
    assert "could not be computed" in server.problem(answer, 409)["detail"]


def test_surprisals_in_every_state(server, corpus):
    run = server.create(corpus=corpus, paused=True, max_updates=None, **SMALL)
    answer = server.client.get(f"/api/runs/{run['id']}/surprisal")
    assert "no update" in server.problem(answer, 409)["detail"]
    server.post(run, "step", {"updates": 3})
    assert read(server, run)["update"] == 3
    server.post(run, "resume")
    server.until(run, lambda now: now["update"] > 500)
    now = read(server, run)
    assert 3 < now["update"] <= server.run(run)["update"]
    assert now["source"]["update"] < now["update"]
    server.post(run, "stop")
    stopped = server.run(run)
    surprisal = read(server, run, update=stopped["update"])
    assert (surprisal["update"], surprisal["loss"]) == (stopped["update"], stopped["loss"])
    server.client.delete(f"/api/runs/{run['id']}")


def test_a_fork_uses_the_networks_of_its_parent(server, run):
    (made,) = [one for one in server.get(run, "checkpoints") if not one["automatic"]][:1]
    body = {"checkpoint": made["id"], "spec": {"max_updates": 200, "learning_rate": 0.05}}
    branch = server.post(run, "fork", body)
    server.until_ended(branch)
    mine, trunks = read(server, branch, update=120), read(server, run, update=120)
    assert mine == trunks
    assert read(server, branch, update=140)["source"] == {"kind": "checkpoint", "update": 130}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"update": 0}, "update"),
        ({"update": "x"}, "update"),
        ({"update": 401}, "update"),
        ({"update": 5, "to": 7}, "update"),
        ({"from": 5}, "to"),
        ({"to": 5}, "from"),
        ({"from": 5, "to": 4}, "to"),
        ({"from": 401, "to": 500}, "from"),
    ],
)
def test_an_update_that_was_never_made_is_refused(server, run, query, field):
    answer = server.client.get(f"/api/runs/{run['id']}/surprisal", params=query)
    assert [error["field"] for error in server.problem(answer, 422)["errors"]] == [field]
    assert server.client.get("/api/runs/nobody/surprisal").status_code == 404
