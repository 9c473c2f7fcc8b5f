"""Passages over HTTP: every option and state, without changing the training."""

import json

import pytest

from tests.serving import PAGES, RunningServer

SMALL = {"hidden_size": 20, "sample_length": 20}
QUALITY = {
    *("real_words", "words", "longest_real_run", "longest_copy", "spelling", "word_bigrams"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # One training run at a time, so that a second run is queued.
    data_dir = tmp_path_factory.mktemp("data")
    with RunningServer(data_dir, "--no-demo", HURRAH_MAX_TRAINING_RUNS="1") as running:
        yield running


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(scope="module")
def run(server, corpus):
    """A run paused at 300, with checkpoints at 100 and 200, and its best model before 300."""
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    checkpoints = []
    for _ in range(2):
        server.post(run, "step", {"updates": 100})
        checkpoints.append(server.post(run, "checkpoints")["id"])
    server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 5})
    server.post(run, "step", {"updates": 99})
    return server.run(run) | {"checkpoints": checkpoints}


def ask(server, run, **request):
    answer = server.client.post(f"/api/runs/{run['id']}/passages", json=request)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_by_default_the_best_model_writes_a_thousand_characters(server, run):
    for body in [None, {}]:
        answer = server.client.post(f"/api/runs/{run['id']}/passages", json=body)
        passage = answer.json()
        assert len(passage["text"]) == 1_000
        assert set(passage["text"]) <= set(PAGES)
        assert (passage["prime"], passage["temperature"]) == ("", 1.0)
        assert isinstance(passage["seed"], int)
        assert passage["unknown_characters"] == []
        best = run["best"]
        assert passage["source"] == {
            "kind": "best",
            "update": best["update"],
            "smooth_loss": best["smooth_loss"],
        }
        assert best["update"] < 299


def test_every_source_is_the_requested_model(server, run):
    latest = ask(server, run, source="latest", length=50)["source"]
    assert latest == {"kind": "latest", "update": 299, "smooth_loss": run["smooth_loss"]}
    listed = {made["id"]: made for made in server.get(run, "checkpoints")}
    for identity, update in zip(run["checkpoints"], (100, 200), strict=True):
        source = ask(server, run, source=identity, length=50)["source"]
        assert source["update"] == update
        assert source["smooth_loss"] == listed[identity]["smooth_loss"]
    for near, update in [(0, 0), (101, 100), (190, 200), (280, 299), (10**9, 299)]:
        assert ask(server, run, source={"update": near}, length=5)["source"]["update"] == update


def test_the_same_seed_gives_the_same_text(server, run):
    first = ask(server, run, seed=7)
    assert ask(server, run, seed=7) == first
    assert ask(server, run, seed=first["seed"])["text"] == first["text"]
    assert ask(server, run, seed=8)["text"] != first["text"]
    unasked = ask(server, run)
    assert ask(server, run, seed=unasked["seed"]) == unasked
    assert ask(server, run, seed=7, length=10)["text"] == first["text"][:10]
    assert ask(server, run, seed=2**63 - 1, length=10)["seed"] == 2**63 - 1


def test_temperature_zero_is_argmax(server, run):
    cold = [ask(server, run, temperature=0, seed=seed, length=200) for seed in (1, 2)]
    assert cold[0]["text"] == cold[1]["text"]
    assert cold[0]["temperature"] == 0
    assert ask(server, run, temperature=0.01, seed=1, length=200)["text"] == cold[0]["text"]
    assert len(set(ask(server, run, temperature=100, seed=1)["text"])) > 30


@pytest.mark.parametrize("length", [1, 2, 20_000])
def test_the_length_is_exact(server, run, length):
    assert len(ask(server, run, length=length, seed=1)["text"]) == length


def test_a_prime_is_continued_and_its_unknown_characters_are_named(server, run):
    primed = ask(server, run, prime="The ", seed=1, temperature=0, length=100)
    assert primed["prime"] == "The "
    assert primed["unknown_characters"] == []
    other = ask(server, run, prime="Th😀e ñ", seed=1, temperature=0, length=100)
    assert other["unknown_characters"] == ["😀", "ñ"]
    assert other["prime"] == "Th😀e ñ"
    # Unknown characters are skipped: it reads "The ".
    assert other["text"] == primed["text"]
    assert ask(server, run, prime="日本語", length=10)["unknown_characters"] == ["日", "本", "語"]


def test_several_temperatures_at_once(server, run):
    answer = ask(server, run, temperatures=[0, 0.5, 1.0], seed=3, length=60)
    assert set(answer) == {"passages"}
    assert [passage["temperature"] for passage in answer["passages"]] == [0, 0.5, 1.0]
    assert {len(passage["text"]) for passage in answer["passages"]} == {60}
    assert answer == ask(server, run, temperatures=[0, 0.5, 1.0], seed=3, length=60)


def test_top_k_and_top_p(server, run):
    likeliest = ask(server, run, temperature=0, seed=1, length=60)["text"]
    assert ask(server, run, top_k=1, seed=1, length=60)["text"] == likeliest
    assert ask(server, run, top_p=1e-9, seed=1, length=60)["text"] == likeliest
    free = ask(server, run, seed=1, length=60)["text"]
    assert ask(server, run, top_k=1_000, top_p=1.0, seed=1, length=60)["text"] == free != likeliest


def stream(server, run, **request):
    with server.client.stream(
        "POST", f"/api/runs/{run['id']}/passages", params={"stream": True}, json=request
    ) as answer:
        assert answer.status_code == 200
        return [json.loads(line) for line in answer.iter_lines()]


@pytest.mark.parametrize("more", [{}, {"temperatures": [0.5, 1.0]}])
def test_a_passage_is_streamed_as_it_is_written(server, run, more):
    request = {"seed": 5, "length": 3_000, **more}
    *pieces, answer = stream(server, run, **request)
    assert len(pieces) > 5
    assert answer == ask(server, run, **request)
    passages = answer.get("passages", [answer])
    for place, passage in enumerate(passages):
        assert "".join(piece["pieces"][place] for piece in pieces) == passage["text"]


def test_an_error_before_streaming_has_a_status(server, run):
    where = f"/api/runs/{run['id']}/passages?stream=true"
    server.problem(server.client.post(where, json={"source": "0123456789ab"}), 404)
    server.problem(server.client.post(where, json={"length": 0}), 422)


def test_the_quality_of_a_passage(server, run):
    quality = ask(server, run, seed=1)["quality"]
    assert set(quality) == QUALITY
    assert 0 <= quality["spelling"] < 1
    assert 0 <= quality["word_bigrams"] < 1
    assert 0 < quality["real_words"] < 1
    assert quality["longest_real_run"] >= 1
    assert 1 <= quality["longest_copy"] < 1_000


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"length": 0}, "length"),
        ({"length": 20_001}, "length"),
        ({"length": 1.5}, "length"),
        ({"length": "9"}, "length"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperatures": []}, "temperatures"),
        ({"temperatures": [1, -1]}, "temperatures"),
        ({"temperatures": 1}, "temperatures"),
        ({"prime": 5}, "prime"),
        ({"prime": None}, "prime"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"source": 5}, "source"),
        ({"source": ""}, "source"),
        ({"source": {"update": -1}}, "source"),
        ({"source": {"updates": 1}}, "source"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"lenght": 10}, "lenght"),
    ],
)
def test_wrong_fields_are_named(server, run, request_, field):
    answer = server.client.post(f"/api/runs/{run['id']}/passages", json=request_)
    assert [error["field"] for error in server.problem(answer, 422)["errors"]] == [field]


def test_an_unknown_source_is_not_found(server, run):
    for source in ["0123456789ab", "../../hurrah", "worst"]:
        answer = server.client.post(f"/api/runs/{run['id']}/passages", json={"source": source})
        server.problem(answer, 404)


def test_passages_do_not_change_the_training(server, corpus):
    spec = SMALL | {"corpus": corpus, "max_updates": 3_000, "sample_every": 500}
    asked = server.create(pace=50, **spec)
    answers = 0
    while server.run(asked)["state"] == "running":
        for source in ("latest", "best", {"update": 100}):
            ask(server, asked, source=source, length=20)
            answers += 1
        server.checkpoint_file(asked, "latest")
        if answers > 3:
            server.client.patch(f"/api/runs/{asked['id']}", json={"pace": "max"})
    assert answers > 3
    left_alone = server.create(**spec)
    for run in (asked, left_alone):
        assert server.until_ended(run)["update"] == 3_000
    assert server.losses_csv(asked) == server.losses_csv(left_alone)
    assert server.get(asked, "samples") == server.get(left_alone, "samples")
    seeded = {"seed": 5, "length": 300}
    assert ask(server, asked, **seeded) == ask(server, left_alone, **seeded)


def test_a_passage_is_written_in_every_state(serve):
    server = serve("--no-demo", HURRAH_MAX_TRAINING_RUNS="1")
    corpus = server.upload(PAGES)["id"]
    spec = SMALL | {"corpus": corpus}
    finished = server.create(**spec | {"max_updates": 100})
    server.until_ended(finished)
    # Requested repeatedly while its process exits.
    for _ in range(20):
        assert ask(server, finished, source="latest", length=5)["source"]["update"] == 100
    assert server.run(finished)["state"] == "finished"
    running = server.create(**spec | {"max_updates": None, "pace": 200})
    queued = server.create(**spec)
    paused = server.create(paused=True, **spec)
    stopped = server.create(paused=True, **spec)
    server.post(stopped, "step", {"updates": 10})
    server.post(stopped, "stop")
    updates = {finished["id"]: 100, queued["id"]: 0, paused["id"]: 0, stopped["id"]: 10}
    states = {finished["id"]: "finished", queued["id"]: "queued"}
    states |= {paused["id"]: "paused", stopped["id"]: "stopped", running["id"]: "running"}
    for run in (finished, running, queued, paused, stopped):
        for source in ("best", "latest"):
            passage = ask(server, run, source=source, length=30, seed=1)
            assert len(passage["text"]) == 30
            if run["id"] in updates:
                assert passage["source"]["update"] == updates[run["id"]] or source == "best"
        assert server.run(run)["state"] == states[run["id"]]
    # The same model of the same spec, whether or not its process has been started.
    seeded = {"length": 30, "seed": 1}
    assert ask(server, queued, **seeded) == ask(server, paused, **seeded)
    before = {run: ask(server, {"id": run}, **seeded) for run in updates}
    assert server.terminate() == 0
    again = serve("--no-demo", HURRAH_MAX_TRAINING_RUNS="1")
    del before[queued["id"]]  # It trains now.
    for run, passage in before.items():
        assert ask(again, {"id": run}, **seeded) == passage
    assert again.run(running)["state"] == "interrupted"
    assert len(ask(again, running, source="latest", length=30)["text"]) == 30


def test_passages_from_snapshots(server, corpus):
    run = server.create(
        corpus=corpus,
        paused=True,
        max_updates=1_000,
        sample_every=50,
        checkpoint_every_s=80_000,
        **SMALL,
    )
    server.post(run, "step", {"updates": 100})
    then = ask(server, run, source="latest", seed=4, length=80)
    server.post(run, "resume")
    server.until_ended(run)
    back = ask(server, run, source={"update": 100}, seed=4, length=80)
    assert back["source"] == then["source"] | {"kind": "snapshot"}
    assert back["text"] == then["text"]
    assert ask(server, run, source={"update": 262}, length=1)["source"]["update"] == 250
    assert ask(server, run, source={"update": 0}, length=1)["source"]["update"] == 0
