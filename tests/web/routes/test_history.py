"""A run's history over HTTP: losses at any resolution, samples, milestones."""

import csv
import io
import json
import socket

import httpx
import pytest

from benchmarks.server.synthetic_history import create_run
from tests.serving import LIMIT_S, NO_CERTIFICATES, NOVEL, PAGES

# An epoch of this text has 159 sequences of 25 characters.
PER_EPOCH = (len(PAGES) - 1) // 25
QUALITY = {
    *("real_words", "words", "longest_real_run", "longest_copy", "spelling", "word_bigrams"),
}
SMALL = {"hidden_size": 10, "sample_length": 40}


class Row:
    def __init__(self, fields):
        self.update = int(fields["update"])
        self.epoch, self.position = int(fields["epoch"]), int(fields["position"])
        self.loss, self.smooth = float(fields["loss"]), float(fields["smooth_loss"])


def rows_of(server, run):
    return [Row(row) for row in csv.DictReader(io.StringIO(server.losses_csv(run).decode()))]


def check_honest(loss, rows, first, last, points):
    """Compare a reduced curve with the loss of every update."""
    assert (loss["from"], loss["to"]) == (first, last)
    bucket = loss["bucket"]
    starts = range(first, last + 1, bucket)
    assert len(starts) == len(loss["update"]) <= points
    assert len(loss["smooth"]) == len(loss["low"]) == len(loss["high"]) == len(starts)
    for index, start in enumerate(starts):
        inside = rows[start - 1 : min(start - 1 + bucket, last)]
        assert loss["update"][index] == inside[-1].update
        assert loss["smooth"][index] == inside[-1].smooth
        assert loss["low"][index] == min(row.loss for row in inside)
        assert loss["high"][index] == max(row.loss for row in inside)
    assert loss["validation"] == {"update": [], "loss": []}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(scope="module")
def run(server, corpus):
    """A run of more than three epochs, with watched words and a checkpoint."""
    words = ["e", "no-such-word", "t"]
    run = server.create(
        **SMALL, corpus=corpus, max_updates=500, sample_every=50, watch_words=words, paused=True
    )
    server.post(run, "step", {"updates": 200})
    server.post(run, "checkpoints", {"note": "halfway"})
    server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 0.05})
    server.post(run, "resume")
    return server.until_ended(run)


@pytest.fixture(scope="module")
def rows(server, run):
    return rows_of(server, run)


def test_the_csv_contains_every_update(run, rows):
    assert [row.update for row in rows] == list(range(1, 501))
    smooth = None
    for row in rows:
        made = row.update - 1
        assert (row.epoch, row.position) == (1 + made // PER_EPOCH, made % PER_EPOCH * 25)
        smooth = row.loss if smooth is None else 0.999 * smooth + 0.001 * row.loss
        assert row.smooth == pytest.approx(smooth, rel=1e-12)
    last = rows[-1]
    assert (run["loss"], run["smooth_loss"]) == (last.loss, last.smooth)
    assert run["epoch"] == 1 + 500 // PER_EPOCH
    assert run["position"] == 500 % PER_EPOCH * 25
    best = min(rows, key=lambda row: row.smooth)
    assert run["best"] == {"update": best.update, "smooth_loss": best.smooth}


@pytest.mark.parametrize("points", [1, 3, 77, 499, 500, 5_000])
@pytest.mark.parametrize(("first", "last"), [(1, 500), (1, 1), (64, 129), (137, 400), (500, 500)])
def test_every_range_and_resolution_keeps_the_extremes(server, run, rows, first, last, points):
    loss = server.get(run, "loss", **{"from": first, "to": last, "points": points})
    check_honest(loss, rows, first, last, points)


def test_the_default_range_is_the_whole_run(server, run, rows):
    check_honest(server.get(run, "loss"), rows, 1, 500, 1_500)
    check_honest(server.get(run, "loss", points=100), rows, 1, 500, 100)


def test_ranges_are_cut_to_the_existing_updates(server, run, rows):
    check_honest(server.get(run, "loss", **{"from": 0, "to": 9_999}), rows, 1, 500, 1_500)
    check_honest(server.get(run, "loss", **{"from": 490, "to": 510}), rows, 490, 500, 1_500)
    assert server.get(run, "loss", **{"from": 501, "to": 600})["update"] == []


def test_invalid_ranges_are_refused(server, run):
    for query, field in [
        ({"from": 5, "to": 4}, "to"),
        ({"from": -1}, "from"),
        ({"from": "x"}, "from"),
        ({"to": 1.5}, "to"),
        ({"points": 0}, "points"),
        ({"points": 5_001}, "points"),
        ({"points": "many"}, "points"),
    ]:
        answer = server.client.get(f"/api/runs/{run['id']}/loss", params=query)
        assert [error["field"] for error in server.problem(answer, 422)["errors"]] == [field]


def test_a_long_history_keeps_the_extremes_while_it_grows(server):
    run = server.create(**SMALL | {"hidden_size": 4, "sequence_length": 4, "max_updates": None})
    server.until(run, lambda now: now["update"] > 6_000)
    curves = [server.get(run, "loss", points=points) for points in (1, 20, 1_500)]
    server.post(run, "pause")
    rows = rows_of(server, run)
    assert server.run(run)["update"] == len(rows) > 6_000
    for curve, points in zip(curves, (1, 20, 1_500), strict=True):
        assert 6_000 < curve["to"] <= len(rows)
        check_honest(curve, rows, 1, curve["to"], points)
    for first, last, points in [(1, len(rows), 7), (4_000, 5_000, 10), (4_097, len(rows), 3)]:
        loss = server.get(run, "loss", **{"from": first, "to": last, "points": points})
        check_honest(loss, rows, first, last, points)
    server.client.delete(f"/api/runs/{run['id']}")


def test_the_first_update_below_a_loss_is_exact(server, run, rows):
    least = min(row.smooth for row in rows)
    for figure in (rows[0].smooth + 1, (rows[0].smooth + least) / 2, least + 1e-9, least):
        reached = server.get(run, "loss/first-below", smooth_loss=figure)
        first = next((row.update for row in rows if row.smooth < figure), None)
        assert (reached["smooth_loss"], reached["update"]) == (figure, first)
        assert (reached["seconds"] is None) >= (first is None)


@pytest.mark.parametrize("figure", ["", "0", "-1", "nan", "inf", "1e999", "low", "1e10"])
def test_an_invalid_threshold_is_refused(server, run, figure):
    answer = server.client.get(
        f"/api/runs/{run['id']}/loss/first-below", params={"smooth_loss": figure}
    )
    assert server.problem(answer, 422)["errors"][0]["field"] == "smooth_loss"


def test_samples_are_dense_at_first_and_regular_later(server, run, rows):
    samples = server.get(run, "samples")
    dense, regular = [0, 1, 2, 5, 10, 20], range(50, 501, 50)
    assert [sample["update"] for sample in samples] == [*dense, *regular]
    for sample in samples:
        update = sample["update"]
        assert len(sample["text"]) == 40
        assert set(sample["text"]) <= set(PAGES)
        assert sample["epoch"] == 1 + update // PER_EPOCH
        assert sample["smooth_loss"] == (rows[update - 1].smooth if update else None)
        quality = sample["quality"]
        assert set(quality) == QUALITY
        assert 0 <= quality["real_words"] <= 1
        assert quality["longest_real_run"] >= 0
        assert 1 <= quality["longest_copy"] <= 40
        for start, end in sample["invented_words"]:
            assert 0 <= start < end <= 40
            assert sample["text"][start:end].casefold() not in PAGES.casefold().split()


def test_samples_follow_one_two_five_and_end_with_the_run(server):
    run = server.create(**SMALL | {"max_updates": 1_500, "sample_every": 1_000, "hidden_size": 4})
    server.until_ended(run)
    updates = [sample["update"] for sample in server.get(run, "samples")]
    assert updates == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 1_500]


def test_milestones_of_every_kind(server, run):
    milestones = server.get(run, "milestones")
    assert [each["update"] for each in milestones] == sorted(each["update"] for each in milestones)
    assert all(set(milestone) == {"id", "update", "kind", "text"} for milestone in milestones)
    assert len({milestone["id"] for milestone in milestones}) == len(milestones)

    def of(kind):
        return [(each["update"], each["text"]) for each in milestones if each["kind"] == kind]

    assert [update for update, _ in of("epoch")] == [PER_EPOCH, 2 * PER_EPOCH, 3 * PER_EPOCH]
    assert "2" in of("epoch")[0][1]
    assert of("checkpoint") == [(200, "halfway")]
    ((update, text),) = of("change")
    assert update == 200
    assert "0.05" in text


def test_only_the_first_occurrence_of_a_word_is_a_hurrah(server, run):
    samples = server.get(run, "samples")
    milestones = [each for each in server.get(run, "milestones") if each["kind"] == "hurrah"]
    assert "no-such-word" not in {word for sample in samples for word in sample["hurrahs"]}
    celebrated = [(word, sample["update"]) for sample in samples for word in sample["hurrahs"]]
    assert len({word for word, _ in celebrated}) == len(celebrated)
    assert [(f"hurrah - {word}", update) for word, update in celebrated] == [
        (milestone["text"], milestone["update"]) for milestone in milestones
    ]


def test_a_frequent_word_is_celebrated_once(server):
    # The network can write only this word.
    corpus = server.upload("Orla " * 200)["id"]
    run = server.create(
        **SMALL | {"sample_length": 200}, corpus=corpus, watch_words=["Orla"], max_updates=600
    )
    server.until_ended(run)
    milestones = [each for each in server.get(run, "milestones") if each["kind"] == "hurrah"]
    assert [milestone["text"] for milestone in milestones] == ["hurrah - Orla"]
    first = next(sample for sample in server.get(run, "samples") if "Orla" in sample["text"])
    assert first["hurrahs"] == ["Orla"]
    assert milestones[0]["update"] == first["update"]


def test_positions_and_epochs_on_the_shipped_text(server):
    run = server.create(**SMALL, sequence_length=1_000, max_updates=3, sample_every=1)
    ended = server.until_ended(run)
    assert (ended["epoch"], ended["position"]) == (1, 3_000)
    assert [row.position for row in rows_of(server, run)] == [0, 1_000, 2_000]
    assert ended["corpus_characters"] == len(NOVEL)


@pytest.mark.parametrize("smoothing", [0, 0.9, 0.99, 0.999, 0.9999])
def test_the_loss_with_another_smoothing_factor(server, run, smoothing):
    rows = rows_of(server, run)
    loss = server.get(run, "loss", points=90, smoothing=smoothing)
    smooth, expected = rows[0].loss, {}
    for row in rows:
        smooth = smoothing * smooth + (1 - smoothing) * row.loss
        expected[row.update] = smooth
    assert loss["smooth"] == pytest.approx([expected[update] for update in loss["update"]])
    check_honest(loss | {"smooth": server.get(run, "loss", points=90)["smooth"]}, rows, 1, 500, 90)


@pytest.mark.parametrize(
    ("chosen", "factor"), [({}, 0.94), ({"loss_smoothing": 0.37}, 0.37), ({"loss_smoothing": 0}, 0)]
)
def test_a_run_has_the_smoothing_of_its_spec_everywhere(server, corpus, chosen, factor):
    spec = SMALL | {"sequence_length": 50, "batch_size": 30, "corpus": corpus} | chosen
    run = server.create(**spec, max_updates=150)
    ended = server.until_ended(run)
    rows, smooth = rows_of(server, run), None
    for row in rows:
        smooth = row.loss if smooth is None else factor * smooth + (1 - factor) * row.loss
        assert row.smooth == pytest.approx(smooth, rel=1e-12)
    assert ended["smooth_loss"] == rows[-1].smooth
    best = min(rows, key=lambda row: row.smooth)
    assert ended["best"] == {"update": best.update, "smooth_loss": best.smooth}
    for points in (90, 1_500):
        check_honest(server.get(run, "loss", points=points), rows, 1, 150, points)
        asked = server.get(run, "loss", points=points, smoothing=factor)
        assert asked["smooth"] == pytest.approx(server.get(run, "loss", points=points)["smooth"])
    goal = (rows[0].smooth + best.smooth) / 2
    first = next(row.update for row in rows if row.smooth < goal)
    assert server.get(run, "loss/first-below", smooth_loss=goal)["update"] == first
    meta = server.checkpoint_file(run, "latest")[1]
    assert meta["trainer"]["smooth_loss"] == rows[-1].smooth


@pytest.mark.parametrize("smoothing", ["1", "-0.1", "0.5", "much", "nan"])
def test_an_unsupported_smoothing_is_refused(server, run, smoothing):
    answer = server.client.get(f"/api/runs/{run['id']}/loss", params={"smoothing": smoothing})
    server.problem(answer, 422)


def test_losses_of_a_run_deleted_midway_are_recognised_as_incomplete(serve, tmp_path):
    # The file has 7 MB. The server's send buffer grows to 4 MB at most, the client's does not grow.
    run = create_run(tmp_path / "data", 150_000, {"hidden_size": 1, "sample_length": 1}).run
    server = serve("--no-demo")
    small = httpx.HTTPTransport(
        verify=NO_CERTIFICATES, socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)]
    )
    with (
        httpx.Client(base_url=server.url, transport=small, timeout=LIMIT_S) as client,
        client.stream("GET", f"/api/runs/{run}/losses.csv") as answer,
    ):
        pieces = answer.iter_raw(1_000)
        assert next(pieces).startswith(b"update,epoch")
        assert server.client.delete(f"/api/runs/{run}").status_code == 204
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in pieces:
                pass


def test_samples_as_json_lines(server, run):
    path = f"/api/runs/{run['id']}/samples.jsonl"
    answer = server.client.get(path)
    assert answer.headers["content-type"] == "application/x-ndjson"
    name = f"hurrah-{run['id']}-samples.jsonl"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    lines = answer.text.split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == server.get(run, "samples")
    assert len(lines) > 10
    assert server.client.head(path).headers["content-type"] == "application/x-ndjson"
    for parameter in ("losses.csv", "samples.jsonl"):
        server.problem(server.client.get(f"/api/runs/nobody/{parameter}"), 404)


def test_the_spec_of_a_run_as_a_file(server, run):
    answer = server.client.get(f"/api/runs/{run['id']}/spec.json")
    assert answer.json() == server.run(run)["spec"]
    disposition = answer.headers["content-disposition"]
    assert disposition == f'attachment; filename="hurrah-{run["id"]}-spec.json"'
    # A spec that was taken from a run is one for another run.
    again = server.create(**answer.json() | {"paused": True, "name": None})
    assert again["spec"] == answer.json() | {"paused": True, "name": again["name"]}


def test_the_headers_of_a_file_do_not_cost_its_content(server, run):
    path = f"/api/runs/{run['id']}/losses.csv"
    answer = server.client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    # The connection can be used again.
    assert server.client.get(path).status_code == 200
