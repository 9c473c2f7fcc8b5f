"""Runs over HTTP: create, pause, step, resume, change, stop, delete."""

import csv
import io
import math

import pytest

from tests.processes import is_alive
from tests.serving import NOVEL, PAGES, RunningServer, until

DEFAULTS = {
    "corpus": "the-lamps-of-saltmere",
    "cell": "rnn",
    "hidden_size": 100,
    "layers": 1,
    "dropout": 0.0,
    "sequence_length": 25,
    "batch_size": 1,
    "optimizer": "adagrad",
    "learning_rate": 0.1,
    "learning_rate_decay": 1.0,
    "clip": 5.0,
    "clip_mode": "value",
    "init_scale": 0.01,
    "validation_fraction": 0.0,
    "seed": 0,
    "dtype": "float32",
    "max_updates": 100_000,
    "sample_every": 10_000,
    "sample_length": 200,
    "checkpoint_every_s": 30,
    "pace": "max",
    "paused": False,
}
SMALL = {"hidden_size": 10, "sample_length": 20}
ENDLESS = SMALL | {"max_updates": None}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # These tests leave many runs training.
    data_dir = tmp_path_factory.mktemp("data")
    with RunningServer(data_dir, "--no-demo", HURRAH_MAX_TRAINING_RUNS="50") as running:
        yield running


@pytest.fixture
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(autouse=True)
def _no_runs_left(server):
    yield
    server.delete_runs()


def act(server, run, action, body=None):
    return server.client.post(f"/api/runs/{run['id']}/{action}", json=body)


def change(server, run, **fields):
    answer = server.client.patch(f"/api/runs/{run['id']}", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def losses(server, run):
    rows = csv.DictReader(io.StringIO(server.losses_csv(run).decode()))
    return [float(row["loss"]) for row in rows]


# -- create -------------------------------------------------------------------------------------


def test_an_empty_spec_gets_the_defaults_and_trains_at_once(server):
    run = server.create()
    assert run["state"] == "running"
    spec = run["spec"]
    assert {name: spec[name] for name in DEFAULTS} == DEFAULTS
    assert "Orla" in spec["watch_words"]
    assert run["name"] == spec["name"] != ""
    assert run["corpus"] == spec["corpus"]
    m, K = 100, len(set(NOVEL))
    assert run["parameters"] == m * m + 2 * m * K + m + K
    assert run["error"] is None
    server.until(run, lambda now: now["update"] > 0)


def test_the_spec_is_returned(server, corpus):
    asked = {
        "corpus": corpus,
        "name": "Mine — 我的",
        "hidden_size": 12,
        "sequence_length": 7,
        "learning_rate": 0.05,
        "learning_rate_decay": 0.9,
        "clip": None,
        "clip_mode": "norm",
        "init_scale": None,
        "seed": 2**53,
        "dtype": "float64",
        "max_updates": 20,
        "sample_every": 5,
        "sample_length": 30,
        "checkpoint_every_s": 5,
        "pace": 1000,
        "watch_words": ["the", "and"],
        "paused": True,
    }
    run = server.create(**asked)
    assert {name: run["spec"][name] for name in asked} == asked
    assert run["name"] == "Mine — 我的"
    assert server.run(run) == run


def test_a_run_created_paused_has_a_first_sample(server):
    run = server.create(paused=True, **SMALL)
    assert (run["state"], run["update"], run["epoch"], run["position"]) == ("paused", 0, 1, 0)
    assert run["loss"] is run["smooth_loss"] is run["best"] is None
    assert run["updates_per_second"] == 0
    (sample,) = server.get(run, "samples")
    assert (sample["update"], sample["smooth_loss"], len(sample["text"])) == (0, None, 20)
    loss = server.get(run, "loss")
    assert (loss["update"], loss["smooth"], loss["low"], loss["high"]) == ([], [], [], [])
    assert server.losses_csv(run) == b"update,epoch,position,loss,smooth_loss\n"


def test_the_first_loss_is_that_of_guessing(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    first = server.post(run, "step", {"updates": 1})
    guess = 25 * math.log(len(set(PAGES)))
    assert first["loss"] == first["smooth_loss"] == pytest.approx(guess, rel=1e-3)
    assert first["best"] == {"update": 1, "smooth_loss": first["smooth_loss"]}


def test_two_runs_of_one_spec_are_byte_identical(server, corpus):
    spec = SMALL | {"corpus": corpus, "max_updates": 400, "seed": 3}
    runs = [server.create(**spec) for _ in range(2)]
    other = server.create(**spec | {"seed": 4})
    files = [server.losses_csv(server.until_ended(run)) for run in [*runs, other]]
    assert files[0] == files[1] != files[2]
    assert files[0].count(b"\n") == 401
    samples = [server.get(run, "samples") for run in runs]
    assert samples[0] == samples[1]


def test_the_list_is_newest_first(server):
    made = [server.create(paused=True, **SMALL)["id"] for _ in range(3)]
    assert [run["id"] for run in server.client.get("/api/runs").json()] == made[::-1]


# -- pause, step, resume, stop, delete ----------------------------------------------------------


def test_a_paused_run_stays_at_its_update(server):
    run = server.create(**ENDLESS, pace=200)
    server.until(run, lambda now: now["update"] > 100)
    paused = server.post(run, "pause")
    assert (paused["state"], paused["updates_per_second"]) == ("paused", 0)
    assert server.get(run, "loss")["to"] == paused["update"]
    assert server.losses_csv(run).count(b"\n") == paused["update"] + 1
    assert server.post(run, "pause") == paused
    # The worker writes the checkpoint, so its update shows whether the worker has continued.
    assert server.post(run, "checkpoints")["update"] == paused["update"]
    assert server.run(run) == paused
    resumed = server.post(run, "resume")
    assert resumed["state"] == "running"
    assert server.post(run, "resume")["state"] == "running"
    server.until(run, lambda now: now["update"] > paused["update"])
    assert server.post(run, "pause")["update"] > paused["update"]


def test_a_pause_right_after_the_start_is_effective(server):
    for _ in range(3):
        run = server.create(**ENDLESS, pace=200)
        paused = server.post(run, "pause")
        assert paused["state"] == "paused"
        assert server.post(run, "checkpoints")["update"] == paused["update"]


def test_a_step_is_exactly_the_requested_updates(server):
    run = server.create(paused=True, **ENDLESS)
    for updates, after in [(1, 1), (1, 2), (98, 100), (2_000, 2_100)]:
        stepped = server.post(run, "step", {"updates": updates})
        assert (stepped["update"], stepped["state"]) == (after, "paused")
        assert server.get(run, "loss")["to"] == after
    for body in [{}, {"updates": 0}, {"updates": -1}, {"updates": 1.5}, {"updates": "2"}]:
        wrong = server.problem(act(server, run, "step", body), 422)
        assert [error["field"] for error in wrong["errors"]] == ["updates"]
    server.problem(act(server, run, "step", {"updates": 1, "more": 2}), 422)
    assert server.run(run)["update"] == 2_100


def test_only_a_paused_run_is_stepped_and_never_past_its_end(server):
    run = server.create(**SMALL | {"pace": 50, "max_updates": 1_000})
    server.problem(act(server, run, "step", {"updates": 1}), 409)
    at = server.post(run, "pause")["update"]
    server.problem(act(server, run, "step", {"updates": 1_001 - at}), 409)
    assert server.run(run)["update"] == at
    ended = server.post(run, "step", {"updates": 1_000 - at})
    assert (ended["update"], ended["state"]) == (1_000, "finished")
    server.problem(act(server, run, "step", {"updates": 1}), 409)


def test_a_finished_run_continues_with_more_updates(server):
    run = server.create(**SMALL | {"max_updates": 50})
    ended = server.until_ended(run)
    assert (ended["state"], ended["update"], ended["error"]) == ("finished", 50, None)
    server.problem(act(server, run, "resume"), 409)
    server.problem(act(server, run, "pause"), 409)
    assert change(server, run, max_updates=120)["state"] == "finished"
    assert server.post(run, "resume")["state"] in {"running", "finished"}
    until(lambda: server.run(run)["update"] == 120)
    whole = server.create(**SMALL | {"max_updates": 120})
    server.until_ended(whole)
    assert server.losses_csv(run) == server.losses_csv(whole)


def test_a_stopped_run_can_be_resumed(server):
    run = server.create(**ENDLESS, pace=200)
    server.until(run, lambda now: now["update"] > 10)
    stopped = server.post(run, "stop")
    assert stopped["state"] == "stopped"
    assert server.post(run, "stop") == stopped
    server.problem(act(server, run, "step", {"updates": 1}), 409)
    server.problem(act(server, run, "pause"), 409)
    assert server.get(run, "loss")["to"] == stopped["update"]
    assert server.post(run, "resume")["state"] == "running"
    server.until(run, lambda now: now["update"] > stopped["update"])


def test_a_run_that_is_stopped_after_its_last_update_is_finished(server):
    # Its last sample takes a while.
    fields = ENDLESS | {"max_updates": 1, "hidden_size": 300, "sample_length": 20_000}
    run = server.create(**fields)
    server.until(run, lambda now: now["update"] == 1)
    assert server.post(run, "stop")["state"] == "finished"


def test_deleting_a_run_deletes_everything(server):
    before = set(server.worker_pids())
    run = server.create(**ENDLESS, pace=200)
    (worker,) = set(server.worker_pids()) - before
    server.post(run, "checkpoints")
    directory = server.data_dir / "runs" / run["id"]
    assert directory.exists()
    answer = server.client.delete(f"/api/runs/{run['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    server.problem(server.client.get(f"/api/runs/{run['id']}"), 404)
    server.problem(server.client.delete(f"/api/runs/{run['id']}"), 404)
    assert not directory.exists()
    until(lambda: not is_alive(worker))
    assert server.client.get("/api/runs").json() == []


# -- change -------------------------------------------------------------------------------------


def test_a_changed_learning_rate_takes_effect(server, corpus):
    spec = SMALL | {"corpus": corpus, "paused": True}
    changed, unchanged, slow = (server.create(**spec) for _ in range(3))
    for run in (changed, unchanged):
        server.post(run, "step", {"updates": 100})
    now = change(server, changed, learning_rate=0.01)
    assert now["spec"]["learning_rate"] == 0.01
    for run in (changed, unchanged):
        server.post(run, "step", {"updates": 100})
    one, other = losses(server, changed), losses(server, unchanged)
    # The first loss after the change is still that of the previous parameters.
    assert one[:101] == other[:101]
    assert one[101] != other[101]
    (milestone,) = (each for each in server.get(changed, "milestones") if each["kind"] == "change")
    assert milestone["update"] == 100
    assert "learning rate" in milestone["text"]
    assert "0.01" in milestone["text"]
    assert server.run(slow)["spec"]["learning_rate"] == 0.1


def test_a_changed_pace_takes_effect_at_once(server):
    run = server.create(pace=0.001, **ENDLESS)
    server.until(run, lambda now: now["update"] == 1)
    assert change(server, run, pace="max")["spec"]["pace"] == "max"
    server.until(run, lambda now: now["update"] > 200)
    change(server, run, pace=0.001)
    at = server.run(run)["update"]
    assert server.post(run, "checkpoints")["update"] <= at + 1
    assert change(server, run, pace="cinematic")["spec"]["pace"] == "cinematic"
    server.until(run, lambda now: now["update"] > at + 2)


def test_max_updates_can_be_lowered_or_raised(server):
    run = server.create(**SMALL | {"paused": True, "max_updates": 1_000})
    server.post(run, "step", {"updates": 100})
    wrong = server.client.patch(f"/api/runs/{run['id']}", json={"max_updates": 99})
    assert server.problem(wrong, 422)["errors"][0]["field"] == "max_updates"
    assert server.run(run)["spec"]["max_updates"] == 1_000
    change(server, run, max_updates=150)
    server.post(run, "resume")
    ended = server.until_ended(run)
    assert (ended["update"], ended["state"]) == (150, "finished")
    assert change(server, run, max_updates=None)["spec"]["max_updates"] is None
    server.post(run, "resume")
    server.until(run, lambda now: now["update"] > 200)
    # A value below the current update ends the run there.
    server.post(run, "pause")
    at = server.run(run)["update"]
    change(server, run, max_updates=at)
    assert server.until_ended(run)["update"] == at


def test_sample_interval_name_and_watch_words_can_be_changed(server, corpus):
    run = server.create(**SMALL | {"corpus": corpus, "paused": True, "sample_every": 1_000})
    server.post(run, "step", {"updates": 20})
    now = change(server, run, sample_every=7, name="  Renamed  ", watch_words=["e", "e", "a"])
    assert now["name"] == now["spec"]["name"] == "Renamed"
    assert now["spec"]["watch_words"] == ["e", "a"]
    server.post(run, "step", {"updates": 22})
    assert [sample["update"] for sample in server.get(run, "samples")] == [
        *(0, 1, 2, 5, 10, 20),
        *(21, 28, 35, 42),
    ]
    milestones = [each for each in server.get(run, "milestones") if each["kind"] == "change"]
    assert [milestone["update"] for milestone in milestones] == [20]


def test_updates_per_second_are_accurate(server):
    run = server.create(pace=40, **ENDLESS)
    # A sleep is never shorter than requested, so the rate is at most the pace.
    seen = server.until(run, lambda now: now["update"] > 60)["updates_per_second"]
    assert 0 < seen < 60


# -- the list -------------------------------------------------------------------------------------


def test_the_list_is_searched_and_paged(server, corpus):
    first, second = (
        server.create(corpus=corpus, name=name, paused=True, **SMALL) for name in ("a", "b")
    )
    listed = server.client.get("/api/runs")
    assert [run["id"] for run in listed.json()] == [second["id"], first["id"]]
    found = server.client.get("/api/runs", params={"limit": 1, "state": ["paused", "failed"]})
    assert [run["id"] for run in found.json()] == [second["id"]]
    assert found.headers["X-Total-Count"] == "2"
    found = server.client.get("/api/runs", params={"before": second["id"], "search": "A"})
    assert [run["id"] for run in found.json()] == [first["id"]]
    for wrong, status in (({"state": "done"}, 422), ({"limit": 0}, 422), ({"before": "x"}, 404)):
        server.problem(server.client.get("/api/runs", params=wrong), status)
