"""Checkpoints over HTTP: durable, downloadable in every state, and exact."""

import io
import json

import numpy as np
import pytest
from websockets.sync.client import connect

from server.rnn.training.trainer import Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary
from tests.serving import PAGES, until

SMALL = {"hidden_size": 10, "sample_length": 20}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(autouse=True)
def _no_runs_left(request):
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").delete_runs()


def trained(updates):
    """Train the network of `SMALL` in this process; yield the trainer after each update."""
    vocabulary = Vocabulary.from_text(PAGES)
    settings = TrainerSettings(hidden_size=10)
    trainer = Trainer(vocabulary.encode(PAGES), len(vocabulary), settings)
    for _ in range(updates):
        trainer.update()
        yield trainer


def parameters(trainer):
    return {name: view.copy() for name, view in trainer.parameters.items()}


def check_same(arrays, expected, prefix="parameters."):
    for name, array in expected.items():
        assert arrays[prefix + name].tobytes() == array.tobytes(), name


def test_a_checkpoint_is_on_disk_when_answered(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    server.post(run, "step", {"updates": 30})
    answer = server.client.post(f"/api/runs/{run['id']}/checkpoints", json={"note": " a word "})
    assert answer.status_code == 201
    made = answer.json()
    assert {"id", "update", "smooth_loss", "note", "bytes", "created_at"} <= set(made)
    assert made["update"] == 30
    assert made["smooth_loss"] == server.run(run)["smooth_loss"]
    assert made["note"] == "a word"
    (path,) = server.data_dir.glob(f"runs/{run['id']}/checkpoints/{made['id']}.npz")
    assert path.stat().st_size == made["bytes"]
    assert made in server.get(run, "checkpoints")
    download = server.client.get(f"/api/runs/{run['id']}/checkpoints/{made['id']}/file")
    assert download.content == path.read_bytes()
    assert ".npz" in download.headers["content-disposition"]


def test_a_checkpoint_without_a_note(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    for body in [None, {}, {"note": None}, {"note": ""}]:
        answer = server.client.post(f"/api/runs/{run['id']}/checkpoints", json=body)
        assert (answer.status_code, answer.json()["note"]) == (201, None)
        assert answer.json()["update"] == 0
    for body in [{"note": 5}, {"note": "x" * 10_000}, {"nota": "x"}, []]:
        answer = server.client.post(f"/api/runs/{run['id']}/checkpoints", json=body)
        server.problem(answer, 422)
    assert len(server.get(run, "checkpoints")) == 4


def test_a_checkpoint_contains_the_trained_network(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    server.post(run, "step", {"updates": 250})
    made = server.post(run, "checkpoints")
    arrays, meta = server.checkpoint_file(run, made["id"])
    *_, trainer = trained(250)
    check_same(arrays, parameters(trainer))
    assert meta["vocabulary"] == "".join(sorted(set(PAGES)))
    assert meta["spec"] == server.run(run)["spec"]
    latest, _ = server.checkpoint_file(run, "latest")
    check_same(latest, parameters(trainer))


def test_the_best_model_is_the_one_at_the_lowest_smooth_loss(server, corpus):
    # With this learning rate the loss rises again: the best model is well before the end.
    spec = SMALL | {"corpus": corpus, "max_updates": 400, "paused": True}
    run = server.create(**spec)
    server.post(run, "step", {"updates": 300})
    server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 5})
    server.post(run, "resume")
    ended = server.until_ended(run)
    best = ended["best"]["update"]
    assert best < 400
    models = {}
    for trainer in trained(300):
        models[trainer.updates] = parameters(trainer)
    trainer.learning_rate = 5
    while trainer.updates < 400:
        trainer.update()
        models[trainer.updates] = parameters(trainer)
    assert (trainer.best_update, trainer.best_smooth_loss) == (best, ended["best"]["smooth_loss"])
    arrays, meta = server.checkpoint_file(run, "best")
    check_same(arrays, models[best])
    assert (meta["update"], meta["smooth_loss"]) == (best, ended["best"]["smooth_loss"])
    latest, _ = server.checkpoint_file(run, "latest")
    check_same(latest, models[400])
    check_same(latest, models[best], "best.parameters.")


def test_files_can_be_downloaded_while_a_run_trains(server, corpus):
    run = server.create(corpus=corpus, pace=200, max_updates=None, **SMALL)
    server.until(run, lambda now: now["update"] > 50)
    _, latest = server.checkpoint_file(run, "latest")
    _, best = server.checkpoint_file(run, "best")
    assert latest["trainer"]["updates"] > 50
    assert best["update"] <= server.post(run, "pause")["update"]
    made = server.post(run, "resume") and server.post(run, "checkpoints")
    _, meta = server.checkpoint_file(run, made["id"])
    assert meta["trainer"]["updates"] == made["update"]
    # Temporary files of downloads are deleted.
    directory = server.data_dir / "runs" / run["id"] / "checkpoints"
    listed = {made["id"] for made in server.get(run, "checkpoints")}
    server.post(run, "pause")
    until(lambda: {p.stem for p in directory.iterdir() if p.name.startswith(".")} == set())
    assert listed <= {path.stem for path in directory.iterdir()}


def test_a_run_without_updates_has_a_model(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    arrays, meta = server.checkpoint_file(run, "best")
    assert (meta["update"], meta["smooth_loss"]) == (0, None)
    latest, _ = server.checkpoint_file(run, "latest")
    assert arrays["parameters.W"].tobytes() == latest["parameters.W"].tobytes()


def test_files_can_be_downloaded_after_the_end_and_a_restart(serve):
    server = serve("--no-demo")
    corpus = server.upload(PAGES)["id"]
    before = {}
    for how in ("finished", "stopped", "paused"):
        run = server.create(corpus=corpus, paused=True, max_updates=120, **SMALL)
        server.post(run, "step", {"updates": 119})
        if how == "finished":
            server.post(run, "resume")
            server.until_ended(run)
        elif how == "stopped":
            server.post(run, "stop")
        made = server.post(run, "checkpoints", {"note": "at the end"})
        assert made["update"] == server.run(run)["update"] == (120 if how == "finished" else 119)
        files = {
            which: server.checkpoint_file(run, which) for which in ("best", "latest", made["id"])
        }
        before[how] = run, made, files
    assert server.terminate() == 0
    again = serve("--no-demo")
    for how, (run, made, files) in before.items():
        assert again.run(run)["state"] == how
        assert made in again.get(run, "checkpoints")
        for which, (arrays, meta) in files.items():
            now, description = again.checkpoint_file(run, which)
            own = {name: array for name, array in arrays.items() if name.startswith("parameters.")}
            check_same(now, own, "")
            assert description["spec"] == meta["spec"]


def test_an_unknown_checkpoint_is_not_found(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    for identity in ["0123456789ab", "..%2f..%2f..%2fhurrah", "worst", ".npz"]:
        address = f"/api/runs/{run['id']}/checkpoints/{identity}/file"
        server.problem(server.client.get(address), 404)
    other = server.create(corpus=corpus, paused=True, **SMALL)
    made = server.post(other, "checkpoints")
    address = f"/api/runs/{run['id']}/checkpoints/{made['id']}/file"
    server.problem(server.client.get(address), 404)


def test_a_requested_checkpoint_can_be_deleted(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    where = f"/api/runs/{run['id']}/checkpoints"
    with connect(f"{server.ws_url}/ws/runs/{run['id']}") as socket:
        server.post(run, "step", {"updates": 5})
        old = server.post(run, "checkpoints", {"note": "old"})
        server.post(run, "step", {"updates": 5})
        new = server.post(run, "checkpoints", {"note": "new"})
        path = server.data_dir / "runs" / run["id"] / "checkpoints" / f"{old['id']}.npz"
        assert path.exists()
        assert server.client.delete(f"{where}/{old['id']}").status_code == 204
        assert not path.exists()
        assert [made["id"] for made in server.get(run, "checkpoints")] == [new["id"]]
        received = until(
            lambda: (m := json.loads(socket.recv(60)))["type"] == "checkpoint_deleted" and m
        )
        assert received["checkpoint_id"] == old["id"]
    server.problem(server.client.delete(f"{where}/{old['id']}"), 404)
    # The checkpoint from which the run would resume stays.
    assert (
        "continue from"
        in server.problem(server.client.delete(f"{where}/{new['id']}"), 409)["detail"]
    )
    server.post(run, "step", {"updates": 5})
    server.post(run, "stop")
    [asked, automatic] = server.get(run, "checkpoints")
    server.problem(server.client.delete(f"{where}/{automatic['id']}"), 409)
    assert server.client.delete(f"{where}/{asked['id']}").status_code == 204
    assert server.post(run, "resume")["update"] >= 15


def test_automatic_checkpoints_are_pruned_and_requested_ones_kept(server, corpus):
    run = server.create(corpus=corpus, max_updates=None, checkpoint_every_s=1, pace=500, **SMALL)
    asked = [server.post(run, "checkpoints", {"note": str(n)})["id"] for n in range(4)]
    seen = set()

    def four_were_made():
        listed = server.get(run, "checkpoints")
        automatic = [made for made in listed if made["automatic"]]
        seen.update(made["id"] for made in automatic)
        assert [made["id"] for made in listed if not made["automatic"]] == asked
        return len(seen) >= 4 and len(automatic) == 2

    until(four_were_made)
    server.post(run, "pause")
    directory = server.data_dir / "runs" / run["id"] / "checkpoints"
    until(lambda: len(list(directory.glob("[!.]*.npz"))) == 6)
    assert [m["kind"] for m in server.get(run, "milestones")].count("checkpoint") == 4


def test_a_file_loads_with_numpy_alone(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    made = server.post(run, "checkpoints")
    content = server.client.get(f"/api/runs/{run['id']}/checkpoints/{made['id']}/file").content
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        K = len(set(PAGES))
        assert archive["parameters.W"].shape == (10, 10)
        assert archive["parameters.U"].shape == (10, K)
        assert archive["parameters.V"].shape == (K, 10)
        assert not any(archive[name].dtype.hasobject for name in archive.files)
