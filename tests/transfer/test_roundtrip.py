"""A run that is imported looks the same, and goes on to the same bytes."""

import io
import json
import zipfile

import pytest

from server.rnn.metrics import MEASURED_EVERY
from server.store.schema import COPIED_TO_FORKS, IMPORTED, RUN_TABLES
from server.transfer import archive_reader, exporter
from server.transfer.archive_format import SUFFIX
from server.transfer.archive_reader import Archive
from server.transfer.offline import prepared_export
from tests.serving import PAGES, RunningServer, until
from tests.training import run_command
from tests.transfer.conftest import UPDATES, export, import_file, imported, parts
from tests.transfer.forgery import forge

SHOWN = (
    *("samples", "milestones", "loss", "metrics", "loss/positions", "loss/explained"),
    "report/remarks",
)
# What differs between two servers, and between a run and its copy.
OWN = {"corpus", "spec", "id", "name", "machine"}


def shown(server, run):
    """Return everything that the page shows of a run."""
    found = {what: server.get(run, what) for what in SHOWN}
    for milestone in found["milestones"]:
        milestone.pop("id")
    found["losses"] = server.losses_csv(run)
    found["replay"] = server.post(run, "passages", {"source": {"update": 90}, "seed": 1})
    found["best"] = server.post(run, "passages", {"seed": 1})
    for passage in ("replay", "best"):
        found[passage].pop("fingerprint")
    return found


def saved_passages(server, run):
    return server.client.get("/api/passages", params={"run": run["id"]}).json()["passages"]


def step_both(exported, target, run):
    """Return the bytes of the arrays of both runs after some more updates."""
    contents = []
    for server, each in ((exported.server, exported.run), (target, run)):
        server.post(each, "step", {"updates": 40})
        made = server.post(each, "checkpoints")
        arrays, meta = server.checkpoint_file(each, made["id"])
        # What is not flushed depends on the time.
        kept = {name: each for name, each in arrays.items() if not name.startswith("unflushed.")}
        contents.append((meta["trainer"], {name: each.tobytes() for name, each in kept.items()}))
    return contents


@pytest.fixture(scope="module")
def there(exported, target):
    """The run on the other server."""
    return imported(target, exported.file)


def test_an_imported_run_looks_the_same(exported, target, there):
    before = exported.run
    assert {key: there[key] for key in there.keys() - OWN} == {
        key: before[key] for key in before.keys() - OWN
    }
    assert (there["id"], there["name"]) == (before["id"], before["name"])
    assert there["spec"] | {"corpus": None} == before["spec"] | {"corpus": None}
    assert shown(target, there) == shown(exported.server, before)
    assert target.get(there, "samples")[-1]["update"] == 500
    assert target.get(there, "report/remarks")["author"] == "Ada"
    checkpoints = [
        [(each["update"], each["note"], each["bytes"]) for each in found]
        for found in (exported.checkpoints, target.get(there, "checkpoints"))
    ]
    assert checkpoints[1][: len(checkpoints[0])] == checkpoints[0]
    passages = saved_passages(target, there)
    assert passages == saved_passages(exported.server, before)
    assert [each["model_saved"] for each in passages] == [True]
    corpora = target.client.get("/api/corpora").json()
    assert [each["name"] for each in corpora if each["id"] == there["corpus"]] == ["Some pages"]


def test_an_imported_run_resumes_to_the_same_bytes(exported, target, there):
    ours, theirs = step_both(exported, target, there)
    assert ours == theirs
    assert ours[0]["updates"] == UPDATES + 40
    assert target.losses_csv(there) == exported.server.losses_csv(exported.run)
    whole = target.get(there, "metrics", points=5_000)
    assert whole["update"][-1] == (UPDATES + 40) // MEASURED_EVERY * MEASURED_EVERY
    assert whole == exported.server.get(exported.run, "metrics", points=5_000)


def test_an_archive_of_a_version_without_metrics_is_imported(exported, target):
    metrics = [name for name in parts(exported.file) if name.startswith("metrics/")]
    assert "metrics/gradient_norm.f64" in metrics
    old = imported(target, forge(exported.file, dict.fromkeys(metrics), database=6))
    assert target.get(old, "metrics")["metrics"] == {}
    target.client.delete(f"/api/runs/{old['id']}")


def test_a_run_that_is_there_already_is_imported_as_a_copy(exported, target, there):
    copy = imported(target, exported.file)
    assert copy["id"] != there["id"]
    assert copy["name"] == copy["spec"]["name"] == "To take home (copy)"
    assert copy["corpus"] == there["corpus"]
    assert target.get(copy, "samples")
    (passage,) = saved_passages(target, copy)
    assert passage["id"] != saved_passages(target, there)[0]["id"]
    assert passage["run"] == copy["id"]
    target.client.delete(f"/api/runs/{copy['id']}")
    assert saved_passages(target, there)


def test_a_running_run_is_exported_without_stopping_and_imported_paused(origin, target):
    spec = {"hidden_size": 12, "sample_every": 50, "checkpoint_every_s": 3_600, "pace": 1_000}
    run = origin.create(max_updates=None, **spec)
    origin.until(run, lambda now: now["update"] > 300)
    file = export(origin, run)
    at = origin.run(run)["update"]
    origin.until(run, lambda now: now["state"] == "running" and now["update"] > at)
    there = imported(target, file)
    assert (there["state"], there["error"]) == ("paused", None)
    assert there["update"] >= 300
    # The shipped text is the other server's own.
    assert there["corpus"] == run["corpus"]
    target.post(there, "step", {"updates": 10})
    rows = target.losses_csv(there).splitlines()
    assert len(rows) == there["update"] + 11
    origin.until(run, lambda now: now["update"] > there["update"] + 10)
    assert rows == origin.losses_csv(run).splitlines()[: len(rows)]
    written = target.get(there, "samples")
    texts = {each["update"]: each["text"] for each in origin.get(run, "samples")}
    assert [(each["update"], each["text"]) for each in written] == [
        (update, texts[update]) for update in texts if update <= there["update"] + 10
    ]
    for server, each in ((origin, run), (target, there)):
        server.client.delete(f"/api/runs/{each['id']}")


@pytest.mark.parametrize("action", [None, "stop"])
def test_a_run_without_an_update_and_a_stopped_run_can_be_taken_along(origin, target, action):
    run = origin.create(hidden_size=4, paused=True)
    if action is not None:
        origin.post(run, "step", {"updates": 3})
        origin.post(run, action)
    there = imported(target, export(origin, run))
    assert (there["state"], there["update"]) == (origin.run(run)["state"], 3 * (action == "stop"))
    for server, each in ((origin, run), (target, there)):
        server.post(each, "resume")
        server.post(each, "pause")
        server.client.delete(f"/api/runs/{each['id']}")


def test_a_fork_names_its_parent_wherever_it_goes(origin, target):
    parent = origin.create(hidden_size=4, paused=True)
    origin.post(parent, "step", {"updates": 3})
    made = origin.post(parent, "checkpoints")
    fork = origin.post(
        parent, "fork", {"checkpoint": made["id"], "spec": {"seed": 7, "paused": True}}
    )
    there = imported(target, export(origin, fork))
    assert there["forked_from"] == {"run": parent["id"], "checkpoint": made["id"], "update": 3}
    assert target.client.get(f"/api/runs/{parent['id']}").status_code == 404
    for server, run in ((origin, fork), (origin, parent), (target, there)):
        server.client.delete(f"/api/runs/{run['id']}")


def test_the_text_can_be_left_out_and_is_asked_for(exported, tmp_path):
    assert "corpus.txt" not in parts(exported.without_text)
    with RunningServer(tmp_path, "--no-demo") as server:
        for text in (None, b"Another text. " * 40):
            answer = import_file(server, exported.without_text, text)
            problem = server.problem(answer, 422)
            assert [each["field"] for each in problem["errors"]] == ["text"]
            assert "“Some pages” with 4,000 characters" in problem["detail"]
            described = json.loads(parts(exported.without_text)["corpus.json"])
            assert described["sha256"] in problem["detail"]
        assert server.client.get("/api/runs").json() == []
        # As another editor would have saved it.
        there = imported(
            server, exported.without_text, PAGES.replace("\n", "\r\n").encode("utf-16")
        )
        assert there["corpus_name"] == "Some pages"
        # It is known now.
        assert imported(server, exported.without_text)["corpus"] == there["corpus"]
        # And nothing is left of any import.
        assert not list(tmp_path.glob("imports/*"))
        assert not list(tmp_path.glob("exports/*"))


def test_the_commands_take_a_run_along(exported, tmp_path):
    file, data = tmp_path / f"run{SUFFIX}", tmp_path / "data"
    run = exported.run["id"]
    took = run_command("export", run, file, "--data-dir", exported.server.data_dir)
    assert took.returncode == 0, took.stderr
    assert took.stdout == f"{file} contains the run: {file.stat().st_size:,} bytes.\n"
    assert zipfile.ZipFile(file).testzip() is None
    for name in ("To take home", "To take home (copy)"):
        brought = run_command("import", file, "--data-dir", data)
        assert brought.returncode == 0, brought.stderr
        assert brought.stdout.startswith(f"“{name}” was imported at update ")
    with RunningServer(data, "--no-demo") as server:
        copy, there = server.client.get("/api/runs").json()
        assert (copy["name"], there["id"]) == ("To take home (copy)", run)
        assert shown(server, there) == shown(exported.server, exported.server.run(exported.run))
        refused = run_command("import", file, "--data-dir", data)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == (
            f"A server uses {data}: stop it, or import the file on its page.\n"
        )


def test_the_commands_fail_with_one_sentence(exported, tmp_path):
    data = exported.server.data_dir
    text = tmp_path / f"a{SUFFIX}"
    text.write_bytes(exported.without_text)
    for arguments, said in [
        (
            ("export", "0" * 12, tmp_path / "x", "--data-dir", data),
            "There is no run '000000000000'.",
        ),
        (("export", "a", tmp_path / "x", "--data-dir", tmp_path / "no"), "There is no run 'a'."),
        (("import", tmp_path / "x", "--data-dir", tmp_path), f"{tmp_path / 'x'}: No such file"),
        (("import", __file__, "--data-dir", tmp_path / "b"), "The file is not an exported run."),
        (("import", text, "--data-dir", tmp_path / "b"), "The run's text, “Some pages” with"),
    ]:
        ended = run_command(*arguments)
        assert (ended.returncode, ended.stdout) == (1, ""), arguments
        assert ended.stderr.startswith(said), ended.stderr
        assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_deleting_a_run_does_not_disturb_an_export_that_is_being_sent(origin):
    run = origin.create(hidden_size=200, paused=True, max_updates=None)
    origin.post(run, "step", {"updates": 3})
    with origin.client.stream("GET", f"/api/runs/{run['id']}/export") as answer:
        pieces = answer.iter_raw(65_536)
        first = next(pieces)
        assert origin.client.delete(f"/api/runs/{run['id']}").status_code == 204
        file = first + b"".join(pieces)
    assert zipfile.ZipFile(io.BytesIO(file)).testzip() is None
    until(lambda: not list((origin.data_dir / "exports").iterdir()))
    assert origin.client.get(f"/api/runs/{run['id']}/export").status_code == 404


def test_a_damaged_checkpoint_stays_behind(origin, target):
    run = origin.create(hidden_size=8, paused=True)
    origin.post(run, "step", {"updates": 5})
    kept = origin.post(run, "checkpoints")
    origin.post(run, "step", {"updates": 5})
    damaged = origin.post(run, "checkpoints")
    path = origin.data_dir / "runs" / run["id"] / "checkpoints" / f"{damaged['id']}.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    file = export(origin, run)
    names = [name for name in parts(file) if name.startswith("checkpoints/")]
    assert f"checkpoints/{kept['id']}.npz" in names
    assert f"checkpoints/{damaged['id']}.npz" not in names
    there = imported(target, file)
    assert there["update"] == 10
    assert target.post(there, "step", {"updates": 1})["update"] == 11
    for server, each in ((origin, run), (target, there)):
        server.client.delete(f"/api/runs/{each['id']}")


def test_neither_way_needs_more_memory_than_a_piece(exported):
    with prepared_export(exported.server.data_dir, exported.run["id"], with_text=True) as prepared:
        sizes = [len(piece) for piece in prepared.pieces()]
        assert sum(sizes) == prepared.size_bytes
        # The second one is the manifest, whose size depends on the number of parts alone.
        assert max(sizes[2:]) <= exporter.PIECE_BYTES
    archive = Archive(io.BytesIO(exported.file), 10**9)
    pieces = [piece for name in archive.names for piece in archive.pieces(name)]
    assert max(map(len, pieces)) <= archive_reader.PIECE_BYTES


def test_every_table_of_a_run_is_exported_or_computed_again():
    exported = {table for table, _, _ in IMPORTED} | {"saved_passages"}
    computed = {"least_smooth", "smoothed"}
    not_part_of_a_run = {"queue", "group_members", "placements"}
    assert exported | computed | not_part_of_a_run == set(RUN_TABLES)
    assert {table for table, _, _ in COPIED_TO_FORKS} <= exported | computed
