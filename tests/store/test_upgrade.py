"""A data directory of version 0, served by the present program."""

import hashlib
import math

import numpy as np
import pytest

from server.rnn.metrics import MEASURED_EVERY
from server.spec.run_spec import RunSpec
from tests.crash.reference_run import ReferenceRun
from tests.serving import RunningServer
from tests.store.version_0 import EXPECTED, renamed, unpack

RUNS = EXPECTED["runs"]
SHOWN = renamed(EXPECTED["shown"])
CORPUS = SHOWN["corpus"]
# Another processor or BLAS library computes figures that are equal to rounding only: with
# OPENBLAS_CORETYPE and NPY_DISABLE_CPU_FEATURES set to those of older processors, losses differed
# by a share of 1.3e-7 (float32) and 4.5e-16 (float64).
TOLERANCE = {"paused": 1e-4, "finished": 1e-9}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the present program shows of the directory, and what both runs then come to."""
    data = tmp_path_factory.mktemp("whole")
    unpack(data)
    with RunningServer(data, "--no-demo") as server:
        shown = show(server)
        for name, expected in EXPECTED["resumed"].items():
            resume(server, name, expected["updates"])
        metrics = {name: server.get({"id": run}, "metrics") for name, run in RUNS.items()}
        return shown, results(server), metrics


@pytest.fixture(scope="module")
def in_two(tmp_path_factory):
    """What both runs come to with a crash on the way."""
    data = tmp_path_factory.mktemp("in-two")
    unpack(data)
    for part in (0.4, 0.6):
        server = RunningServer(data, "--no-demo")
        try:
            for name, expected in EXPECTED["resumed"].items():
                resume(server, name, round(part * expected["updates"]))
            found = results(server)
        finally:
            server.kill()
    return found


def show(server):
    """Return what the server answers about the directory, as the fixture has it."""
    text = server.client.get(f"/api/corpora/{EXPECTED['corpus']}/text?from=0&to=10000").json()
    kept = server.client.get("/api/passages").json()["passages"]
    shown = {
        "ids": [run["id"] for run in server.client.get("/api/runs").json()],
        "corpus": text["text"],
        "kept": kept,
        "kept_again": server.post({"id": kept[0]["run"]}, "passages", kept[0]["request"]),
        "files": {},
        "runs": {},
    }
    for name, expected in SHOWN["runs"].items():
        run = {"id": RUNS[name]}
        shown["runs"][name] = {
            "run": server.run(run),
            **{part: server.get(run, part) for part in ("samples", "milestones", "checkpoints")},
            "loss": server.get(run, "loss", points=50),
            "losses": losses(server, run),
            "metrics": server.get(run, "metrics"),
            "snapshots": [
                server.post(
                    run,
                    "passages",
                    {"source": {"update": passage["source"]["update"]}, "seed": 3, "length": 60},
                )
                for passage in expected["snapshots"]
            ],
        }
        shown["files"][name] = [
            server.checkpoint_file(run, checkpoint["id"])[1]["trainer"]["updates"]
            for checkpoint in expected["checkpoints"]
        ]
    return shown


def results(server):
    """Return the losses of both runs, and the arrays of their latest checkpoints."""
    return {name: (losses(server, {"id": run}), arrays(server, name)) for name, run in RUNS.items()}


def losses(server, run):
    rows = server.losses_csv(run).decode().splitlines()[1:]
    return [float(row.split(",")[3]) for row in rows]


def resume(server, name, updates):
    """Make so many updates of a run, and a checkpoint."""
    run = {"id": RUNS[name]}
    if name == "paused":
        server.post(run, "step", {"updates": updates})
        server.post(run, "checkpoints")
        return
    last = server.run(run)["update"] + updates
    changed = server.client.patch(f"/api/runs/{run['id']}", json={"max_updates": last})
    assert changed.status_code == 200
    server.post(run, "resume")
    server.until(run, lambda now: now["state"] == "finished" and now["update"] == last)


def arrays(server, name):
    """Return the arrays of the latest checkpoint, without what depends on when it was made."""
    found, _ = server.checkpoint_file({"id": RUNS[name]}, "latest")
    return {key: each for key, each in found.items() if not key.startswith("unflushed.")}


def computes_the_same(name):
    """Whether this machine computes the losses of the fixture to the last bit."""
    expected = SHOWN["runs"][name]
    # Before its learning rate was changed.
    updates = {"paused": 250, "finished": 300}[name]
    spec = expected["run"]["spec"] | {"learning_rate": {"paused": 0.1, "finished": 0.002}[name]}
    # The settings that the old program did not have get their defaults.
    spec = RunSpec.model_validate(spec).model_dump(mode="json")
    return ReferenceRun(CORPUS, spec).train_to(updates).losses == expected["losses"][:updates]


def test_texts_and_runs_are_shown(whole):
    shown = whole[0]
    assert shown["corpus"] == CORPUS
    assert shown["ids"] == [RUNS["finished"], RUNS["paused"]]


def without_added_fields(shown):
    """Leave out what later versions add to the quality of a text."""
    if isinstance(shown, list):
        return [without_added_fields(each) for each in shown]
    if not isinstance(shown, dict):
        return shown
    fields = {name: without_added_fields(value) for name, value in shown.items()}
    if "longest_real_run" in fields:
        for added in ("words", "spelling", "word_bigrams"):
            fields.pop(added, None)
    return fields


@pytest.mark.parametrize("name", RUNS)
def test_everything_of_a_run_is_shown(whole, name):
    shown, expected = whole[0]["runs"][name], SHOWN["runs"][name]
    spec = shown["run"]["spec"]
    assert spec == spec | expected["run"]["spec"]
    assert shown["run"] == shown["run"] | expected["run"] | {"spec": spec}
    # What the old program did not have is not used.
    assert (spec["order"], spec["test_fraction"]) == ("sequential", 0)
    assert shown["run"]["test"] is None
    for part in ("samples", "milestones", "checkpoints", "loss", "losses", "snapshots"):
        assert expected[part]
        assert without_added_fields(shown[part]) == expected[part], part
    assert whole[0]["files"][name] == [each["update"] for each in expected["checkpoints"]]


def test_the_saved_passage_is_shown_and_its_model_writes_it_again(whole):
    shown = whole[0]
    assert without_added_fields(shown["kept"]) == SHOWN["kept"]
    assert without_added_fields(shown["kept_again"]) == SHOWN["kept_again"]
    [saved] = shown["kept"]
    assert saved["model_saved"]
    assert [each["text"] for each in shown["kept_again"]["passages"]] == [
        each["text"] for each in saved["passages"]
    ]


@pytest.mark.parametrize("name", RUNS)
def test_resuming_is_exact(whole, in_two, name):
    (one, one_arrays), (other, other_arrays) = whole[1][name], in_two[name]
    assert one == other
    assert one_arrays.keys() == other_arrays.keys()
    for key, array in one_arrays.items():
        assert array.tobytes() == other_arrays[key].tobytes(), key


@pytest.mark.parametrize("name", RUNS)
def test_metrics_are_recorded_from_the_first_new_update_on(whole, name):
    assert whole[0]["runs"][name]["metrics"]["metrics"] == {}
    found, old = whole[2][name], SHOWN["runs"][name]["run"]["update"]
    assert found["update"] == list(range(MEASURED_EVERY, found["to"] + 1, MEASURED_EVERY))
    for buckets in found["metrics"].values():
        known = [each is not None for each in buckets["mean"]]
        assert known == [update > old for update in found["update"]]
        assert any(known)


@pytest.mark.parametrize("name", RUNS)
def test_resuming_gives_what_the_old_program_computed(whole, name):
    found, found_arrays = whole[1][name]
    expected = EXPECTED["resumed"][name]
    updates, before = expected["updates"], SHOWN["runs"][name]["losses"]
    assert found[:-updates] == before
    assert found_arrays.keys() == expected["arrays"].keys()
    if computes_the_same(name):
        assert found[-updates:] == expected["losses"]
        assert {
            key: hashlib.sha256(array.tobytes()).hexdigest() for key, array in found_arrays.items()
        } == {key: array["sha256"] for key, array in expected["arrays"].items()}
    assert found[-updates:] == pytest.approx(expected["losses"], rel=TOLERANCE[name])
    for key, array in found_arrays.items():
        wanted = expected["arrays"][key]
        assert (str(array.dtype), list(array.shape)) == (wanted["dtype"], wanted["shape"]), key
        norm = float(np.linalg.norm(array.astype(np.float64)))
        assert math.isclose(norm, wanted["norm"], rel_tol=TOLERANCE[name]), key
