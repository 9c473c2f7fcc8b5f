"""Weights and the page that writes, over HTTP."""

import json
import re

import numpy as np
import pytest
import safetensors.numpy

from server.standalone.model_files import MAX_PAGE_WEIGHT_BYTES
from tests.serving import PAGES

SMALL = {"hidden_size": 10, "sample_length": 20}


@pytest.fixture(scope="module")
def run(server):
    """A run of 30 updates with a snapshot, a checkpoint and a validation set."""
    corpus = server.upload(PAGES, "A tale")["id"]
    spec = {"cell": "lstm", "layers": 2, "validation_fraction": 0.2, "paused": True}
    created = server.create(corpus=corpus, **SMALL, **spec)
    server.post(created, "step", {"updates": 30})
    yield created
    server.delete_runs()


def read(data):
    length = int.from_bytes(data[:8], "little")
    return safetensors.numpy.load(data), json.loads(data[8 : 8 + length])["__metadata__"]


def test_the_weights_are_those_of_the_checkpoint_in_both_formats(server, run):
    checkpoint = server.post(run, "checkpoints")
    url = f"/api/runs/{run['id']}/weights"
    arrays, meta = server.checkpoint_file(run, checkpoint["id"])
    sources = ["latest", checkpoint["id"], json.dumps({"update": 30})]
    for source in sources:
        answer = server.client.get(url, params={"source": source})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/octet-stream"
        loaded, metadata = read(answer.content)
        parameters = {name for name in arrays if name.startswith("parameters.")}
        assert {name for name in loaded if name.startswith("parameters.")} == parameters
        for name in parameters:
            assert loaded[name].tobytes() == arrays[name].tobytes(), name
        assert {name for name in loaded if name.startswith("state.")} == {
            f"state.{symbol}{layer}" for symbol in "hc" for layer in (1, 2)
        }
        assert metadata["vocabulary"] == meta["vocabulary"]
        assert json.loads(metadata["spec"]) == meta["spec"]
        expected = {"cell": "lstm", "layers": "2", "hidden_size": "10", "update": "30"}
        assert expected.items() <= metadata.items()
    npz = server.client.get(url, params={"source": "latest", "format": "npz"})
    assert f'filename="hurrah-{run["id"]}-latest.npz"' in npz.headers["content-disposition"]
    assert npz.headers["content-type"] == "application/octet-stream"
    by_checkpoint = f"/api/runs/{run['id']}/checkpoints/{checkpoint['id']}/file"
    assert len(npz.content) < len(server.client.get(by_checkpoint).content)
    answer = server.client.get(url)
    assert f"{run['id']}-best.safetensors" in answer.headers["content-disposition"]
    # Like every download, it can be continued.
    part = server.client.get(url, headers={"Range": "bytes=8-107"})
    assert (part.status_code, part.content) == (206, answer.content[8:108])


def test_the_weights_as_npz_have_the_same_names_and_numbers(server, run, tmp_path):
    url = f"/api/runs/{run['id']}/weights"
    loaded, metadata = read(server.client.get(url, params={"source": "best"}).content)
    path = tmp_path / "weights.npz"
    path.write_bytes(server.client.get(url, params={"format": "npz"}).content)
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays.files) == {*loaded, "meta"}
        for name, array in loaded.items():
            assert arrays[name].tobytes() == array.tobytes(), name
        meta = json.loads(str(arrays["meta"]))
    assert meta["update"] == json.loads(metadata["update"])
    assert meta["smooth_loss"] == json.loads(metadata["smooth_loss"])


def test_the_page_is_one_file_that_names_the_text_and_the_run(server, run):
    answer = server.client.get(f"/api/runs/{run['id']}/standalone", params={"source": "latest"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    disposition = answer.headers["content-disposition"]
    assert disposition == f'attachment; filename="hurrah-{run["id"]}-latest.html"'
    html = answer.text
    assert "<bdi>A tale</bdi>" in html
    assert f"<bdi>{run['name']}</bdi>" in html
    assert not re.search(r"(?:src|href)=\"(?!data:)", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ({"format": "pickle"}, 422, "format"),
        ({"format": "html"}, 422, "format"),
        ({"source": ""}, 422, "source"),
        ({"source": "x" * 300}, 422, "source"),
        ({"source": "{"}, 422, "source"),
        ({"source": '{"update": -1}'}, 422, "source"),
        ({"source": '{"update": 1, "x": 2}'}, 422, "source"),
        ({"source": "nothing"}, 404, "nothing"),
        ({"source": "../../secret"}, 404, "secret"),
        ({"source": '{"update": 3, "model": "' + "0" * 24 + '"}'}, 404, "update 3"),
    ],
)
def test_a_wrong_query_is_answered_with_a_sentence(server, run, query, status, word):
    for what in ("weights", "standalone"):
        if what == "weights" or "format" not in query:
            answer = server.client.get(f"/api/runs/{run['id']}/{what}", params=query)
            assert word in server.problem(answer, status)["detail"]


def test_there_is_no_file_of_an_unknown_or_untrained_run(server, run):
    server.problem(server.client.get("/api/runs/nothing/weights"), 404)
    server.problem(server.client.get("/api/runs/nothing/standalone"), 404)
    large = {"hidden_size": 1_000, "cell": "lstm", "paused": True}
    untrained = server.create(corpus=run["corpus"], **large)
    # The size is told at once, before a model is looked for.
    answer = server.client.get(f"/api/runs/{untrained['id']}/standalone")
    assert f"{MAX_PAGE_WEIGHT_BYTES:,}" in server.problem(answer, 409)["detail"]
