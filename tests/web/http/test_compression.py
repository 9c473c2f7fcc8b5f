"""Compression of pages and JSON."""

import gzip

import pytest

from tests.serving import PAGES, until


@pytest.fixture(scope="module")
def run(server):
    run = server.create(
        corpus=server.upload(PAGES)["id"], hidden_size=4, sample_length=20, max_updates=500
    )
    server.until_ended(run)
    # Nothing more happens then, so that all snapshots are the same.
    until(lambda: server.get(run, "checkpoints"))
    server.get(run, "samples")
    return run


def raw(server, path, **headers):
    """Return the response with its body as it was sent."""
    with server.client.stream("GET", path, headers=headers) as answer:
        return answer, b"".join(answer.iter_raw())


@pytest.mark.parametrize(
    "path", ["/", "/compare", "/openapi.json", "{run}/loss", "{run}/samples", "{run}/messages"]
)
def test_pages_and_json_are_compressed_for_clients_that_accept_it(server, run, path):
    path = path.format(run=f"/api/runs/{run['id']}")
    plain, body = raw(server, path, **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    answer, compressed = raw(server, path, **{"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == plain.headers["content-type"]
    assert gzip.decompress(compressed) == body
    assert len(compressed) < len(body) / 1.8
    head = server.client.head(path, headers={"Accept-Encoding": "gzip"})
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-encoding"] == "gzip"


def test_downloads_streams_and_small_answers_are_sent_as_they_are(server, run):
    address = f"/api/runs/{run['id']}"
    accepts = {"Accept-Encoding": "gzip"}
    files = ("losses.csv", "samples.jsonl", "checkpoints/latest/file")
    for path in (*(f"{address}/{file}" for file in files), "/healthz"):
        answer, _ = raw(server, path, **accepts)
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers, path
    part, body = raw(server, f"{address}/checkpoints/latest/file", Range="bytes=5-2999", **accepts)
    assert part.status_code == 206
    assert "content-encoding" not in part.headers
    assert len(body) == 2_995
    passage = server.client.post(
        f"{address}/passages?stream=true", json={"length": 2_000}, headers=accepts
    )
    assert passage.status_code == 200
    assert "content-encoding" not in passage.headers


def test_a_compressed_file_is_not_compressed_again(server):
    answer, body = raw(server, "/static/js/watch.js", **{"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body).startswith(b"/** The entry of the watch page")
