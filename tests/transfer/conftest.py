"""A run on one server, exported, and a second server to import it on."""

import dataclasses
import io
from typing import Any

import pytest

from server.transfer.archive_reader import Archive
from tests.serving import PAGES, RunningServer

SPEC = {
    "hidden_size": 12,
    "sequence_length": 8,
    "sample_length": 30,
    "sample_every": 100,
    "max_updates": None,
    "validation_fraction": 0.1,
    "watch_words": ["e", "the"],
}
UPDATES = 530


@dataclasses.dataclass
class Exported:
    """A run, the server that trained it, and its file."""

    server: RunningServer
    run: dict[str, Any]
    checkpoints: list[dict[str, Any]]
    file: bytes
    without_text: bytes


@pytest.fixture(scope="session")
def origin(tmp_path_factory):
    with RunningServer(tmp_path_factory.mktemp("origin"), "--no-demo") as server:
        yield server


@pytest.fixture(scope="session")
def exported(origin):
    """A paused run with everything that a run can have, beyond its newest checkpoint."""
    corpus = origin.upload(PAGES, "Some pages")["id"]
    run = origin.create(corpus=corpus, paused=True, name="To take home", **SPEC)
    origin.post(run, "step", {"updates": UPDATES - 30})
    origin.post(run, "checkpoints", {"note": "half-way"})
    origin.post(run, "milestones", {"update": 200, "text": "the first words"})
    remarks = origin.client.put(f"/api/runs/{run['id']}/report/remarks", json={"author": "Ada"})
    assert remarks.status_code == 200, remarks.text
    written = origin.post(run, "passages", {"length": 40, "seed": 3})
    saved = {"run": run["id"], "fingerprint": written["fingerprint"], "title": "A title"}
    assert origin.client.post("/api/passages", json=saved).status_code == 201
    origin.post(run, "step", {"updates": 30})
    checkpoints = origin.get(run, "checkpoints")
    files = export(origin, run), export(origin, run, text="false")
    return Exported(origin, origin.run(run), checkpoints, *files)


@pytest.fixture(scope="session")
def target(tmp_path_factory):
    """A server that has never seen the run; modules delete the runs that they import."""
    with RunningServer(tmp_path_factory.mktemp("target"), "--no-demo") as server:
        yield server


def export(server, run, **query):
    answer = server.client.get(f"/api/runs/{run['id']}/export", params=query)
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.content


def import_file(server, file, text=None):
    files = {"file": ("run.hurrah", file)}
    if text is not None:
        files["text"] = ("text.txt", text)
    return server.client.post("/api/runs/import", files=files)


def imported(server, file, text=None):
    answer = import_file(server, file, text)
    assert answer.status_code == 201, answer.text
    return answer.json()


def parts(file):
    """Return the contents of each part of an archive by its name, the manifest excluded."""
    archive = Archive(io.BytesIO(file), 10**9)
    return {name: b"".join(archive.pieces(name)) for name in archive.names}
