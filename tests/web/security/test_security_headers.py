"""The security headers of every response."""

import re
import shutil
import socket

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.serving import PAGES

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture(scope="module")
def run(server):
    return server.create(paused=True, hidden_size=5, sample_length=10)


def carries_them(answer):
    for name, value in ALWAYS.items():
        assert answer.headers.get_list(name) == [value], (answer.request.url, name)
    [policy] = answer.headers.get_list("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "camera=()" in answer.headers["permissions-policy"]
    assert len(answer.headers.get_list("cache-control")) == 1
    assert "server" not in answer.headers
    return True


PLACES = (
    "/",
    "/inside",
    "/compare",
    "/gradients",
    "/course",
    "/course/mistakes",
    "/healthz",
    "/api/runs",
    "/openapi.json",
)


def test_every_kind_of_response_has_the_headers(server, run):
    address = f"/api/runs/{run['id']}"
    for method, path in [
        *[("GET", path) for path in PLACES],
        *[("GET", path) for path in ("/favicon.ico", "/static/js/watch.js", "/static/nothing.js")],
        *[("GET", path) for path in ("/nothing", "/?token=x", "/static")],
        *[("GET", path) for path in (f"{address}/losses.csv", f"{address}/checkpoints/best/file")],
        *[("HEAD", "/static/js/watch.js"), ("OPTIONS", "/api/runs"), ("PUT", "/api/runs")],
        *[("TRACE", "/"), ("GET", "/ws/runs/x"), ("POST", f"{address}/passages?stream=true")],
    ]:
        assert carries_them(server.client.request(method, path)), path


def test_every_kind_of_error_has_the_headers(server):
    evil = {"Host": "evil.example"}
    too_large = b'{"name": "' + b"x" * 2_000_000 + b'"}'
    json = {"Content-Type": "application/json"}
    for status, answer in [
        (400, server.client.post("/api/runs", content=b"{", headers=json)),
        (403, server.client.get("/", headers=evil)),
        (413, server.client.post("/api/runs", content=too_large, headers=json)),
        (415, server.client.post("/api/runs", content=b"x")),
        (422, server.client.post("/api/runs", json={"hidden_size": 0})),
    ]:
        server.problem(answer, status)
        assert carries_them(answer)


def test_internal_errors_have_the_headers(server, tmp_path):
    corpus = server.upload(PAGES)["id"]
    directory = server.data_dir / "corpora" / corpus
    shutil.move(directory, tmp_path / "moved")
    answer = server.client.get(f"/api/corpora/{corpus}/text")
    shutil.move(tmp_path / "moved", directory)
    server.problem(answer, 500)
    assert "Traceback" not in answer.text
    assert "corpora" not in answer.text
    assert carries_them(answer)


def test_no_error_names_a_path_of_the_server(server, tmp_path):
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, hidden_size=5, sample_length=5, paused=True)
    server.post(run, "step", {"updates": 1})
    directory = server.data_dir / "corpora" / corpus
    shutil.move(directory, tmp_path / "moved")
    address = f"/api/runs/{run['id']}"
    answers = [
        server.client.post(f"{address}/passages", json={"length": 5}),
        server.client.get(f"{address}/surprisal"),
    ]
    shutil.move(tmp_path / "moved", directory)
    for answer in answers:
        detail = server.problem(answer, 409)["detail"]
        assert detail.endswith("No such file or directory."), detail
        assert str(server.data_dir) not in answer.text
        assert "/" not in detail
    server.client.delete(address)


def test_malformed_http_gets_the_headers(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        got = b""
        while more := connection.recv(65_536):
            got += more
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    answer = httpx.Response(
        int(first.split()[1]), headers=headers, content=body, request=httpx.Request("GET", "x://")
    )
    server.problem(answer, 400)
    assert carries_them(answer)


def test_a_refused_websocket_gets_the_headers(server, run):
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{server.ws_url}/ws/runs/{run['id']}", origin="http://evil.example")
    answer = refused.value.response
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    for name, value in ALWAYS.items():
        assert answer.headers[name] == value


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/", "no-cache"),
        ("/static/js/watch.js", "no-cache"),
        ("/static/nothing.js", "no-store"),
        ("/api/runs", "no-store"),
        ("/healthz", "no-store"),
    ],
)
def test_only_pages_and_static_files_are_cached(server, path, kept):
    answer = server.client.get(path)
    assert answer.headers["cache-control"] == kept
    if path.startswith("/static/js"):
        etag = answer.headers["etag"]
        again = server.client.get(path, headers={"If-None-Match": etag})
        assert again.status_code == 304
        assert carries_them(again)


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/runs", "/static/js/watch.js", "/nothing"])
def test_head_has_the_headers_of_get(server, path):
    answer, whole = server.client.head(path), server.client.get(path)
    assert answer.status_code == whole.status_code
    assert answer.content == b""
    assert carries_them(answer)
    assert answer.headers["content-type"] == whole.headers["content-type"]


def test_every_response_has_the_security_headers(server, run):
    answers = [
        server.client.get(path)
        for path in (
            "/",
            "/healthz",
            "/api/runs",
            "/nothing",
            "/static/vendor/plotly/plotly-basic.min.js",
        )
    ]
    answers.append(server.client.get("/", headers={"Host": "evil.example"}))
    answers.append(server.client.post("/api/runs", json={"hidden_size": 0}))
    answers.append(server.client.get(f"/api/runs/{run['id']}/checkpoints/latest/file"))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers


def test_the_page_has_no_external_resources_and_no_inline_script(server):
    page = server.client.get("/").text
    # Browsers do not execute JSON.
    page = re.sub(r'<script type="application/json" [^>]*>[^<]*</script>', "", page)
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page)
    assert not re.search(r"\son\w+=", page)
    assert not re.search(r"(src|href)=[\"'](https?:)?//", page)
