"""The replay of each sample, written with the same random numbers at every update."""

from dataclasses import asdict

import pytest

from server.checkpoints.checkpoint_format import new_trainer
from server.corpora.quality import QualityMeasure
from server.inference.replay import opening, replay
from server.rnn.vocabulary import Vocabulary
from tests.serving import PAGES

SMALL = {"hidden_size": 10, "sample_length": 60}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(scope="module")
def run(server, corpus):
    run = server.create(**SMALL, corpus=corpus, max_updates=400, sample_every=50, seed=3)
    return server.until_ended(run)


def test_a_replay_uses_the_network_of_its_update_and_a_fixed_seed(server, run, tmp_path):
    book = tmp_path / "book.txt"
    book.write_text(PAGES)
    vocabulary, measure = Vocabulary.from_text(PAGES), QualityMeasure(PAGES)
    trainer = new_trainer(vocabulary.encode(PAGES), vocabulary, run["spec"])
    samples = server.get(run, "samples")
    assert len(samples) > 10
    for sample in samples:
        while trainer.updates < sample["update"]:
            trainer.update()
        text = replay(trainer.current_model(), vocabulary, opening(book, 10**6), 60)
        assert sample["replay"] == {
            "text": text,
            "quality": asdict(measure.measure(text)),
            "invented_words": [list(span) for span in measure.invented_words(text)],
        }, sample["update"]


def test_replays_differ_only_by_what_was_learned(server, corpus):
    # It learns too little to change a single character of the replay; the samples differ anyhow.
    run = server.create(
        **SMALL, corpus=corpus, max_updates=100, sample_every=50, learning_rate=1e-12
    )
    server.until_ended(run)
    samples = server.get(run, "samples")
    assert len({sample["replay"]["text"] for sample in samples}) == 1
    assert len({sample["text"] for sample in samples}) == len(samples)


def test_there_is_no_replay_without_a_snapshot(server, corpus):
    run = server.create(
        hidden_size=2, sample_length=4, corpus=corpus, max_updates=330, sample_every=1
    )
    server.until_ended(run)
    samples = {sample["update"]: sample for sample in server.get(run, "samples")}
    assert list(samples) == list(range(331))
    assert all(samples[update]["replay"] is None for update in range(303, 331, 2))


def test_samples_can_be_requested_by_range_and_limit(server, run):
    samples = server.get(run, "samples")
    between = [sample for sample in samples if 20 <= sample["update"] <= 200]
    assert server.get(run, "samples", **{"from": 20, "to": 200}) == between
    few = server.get(run, "samples", limit=6)
    assert len(few) <= 6
    assert (few[0], few[-1]) == (samples[0], samples[-1])
    assert all(sample in samples for sample in few)
    assert server.get(run, "samples", **{"from": 10**9}) == []
    assert server.get(run, "samples", limit=1, to=199) == [
        sample for sample in samples if sample["update"] == 150
    ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": 5, "to": 4}, "to"),
        ({"from": -1}, "from"),
        ({"limit": 0}, "limit"),
        ({"limit": 1_001}, "limit"),
    ],
)
def test_invalid_ranges_of_samples_are_refused(server, run, query, field):
    answer = server.client.get(f"/api/runs/{run['id']}/samples", params=query)
    assert [error["field"] for error in server.problem(answer, 422)["errors"]] == [field]


def test_watch_words_null_restores_the_names_of_the_text(server):
    run = server.create(paused=True, watch_words=["zebra"], **SMALL)
    answer = server.client.patch(f"/api/runs/{run['id']}", json={"watch_words": None})
    assert answer.status_code == 200
    words = answer.json()["spec"]["watch_words"]
    names = next(corpus for corpus in server.client.get("/api/corpora").json() if corpus["shipped"])
    assert words == names["names"]
    assert "Orla" in words
