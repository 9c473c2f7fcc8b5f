"""Who is let in, who may change anything, and what every answer carries."""

import re
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from websockets.sync.client import connect

from tests.serving import ROOT, RunningServer, child_pids

SMALL = {"hidden_size": 5, "sample_length": 10}


@pytest.fixture(scope="module")
def run(server):
    return server.create(paused=True, **SMALL)


@pytest.fixture(scope="module")
def open_server(tmp_path_factory):
    """A server that every machine can reach."""
    data_dir = tmp_path_factory.mktemp("open")
    with RunningServer(data_dir, "--no-demo", "--host", "0.0.0.0") as running:
        token = parse_qs(urlsplit(running.greeting.rsplit(" ", 1)[1]).query)["token"]
        running.token = token[0]
        yield running


# -- on loopback --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost", "localhost:8000", "127.0.0.1", "127.0.0.1:1", "127.8.9.1"),
        *("[::1]", "[::1]:8000"),
    ],
)
def test_host_names_of_this_machine_are_accepted(server, host):
    assert server.client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "evil-localhost", ""),
        *("127.0.0.1.evil.example", "10.0.0.1", "[::2]", "0.0.0.0", "[::1", "::1:80:80"),
        *("localhost:x", "localhost:99999", "user@localhost", "localhost/x", "localhost?x"),
        *("localhost#x", "localhost, evil.example", "2130706433", "0x7f.1"),
    ],
)
def test_other_hosts_are_refused(server, host):
    for path in ("/", "/healthz", "/api/runs", "/static/css/page.css", "/openapi.json", "/nothing"):
        server.problem(server.client.get(path, headers={"Host": host}), 403)
    server.problem(server.client.post("/api/runs", json={}, headers={"Host": host}), 403)


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "https://evil.example", "null", "", "file://", "http://localhost"),
        *("http://127.0.0.1:1", "chrome-extension://abc", "http://localhost:{port}.evil.example"),
        *("ftp://127.0.0.1:{port}", "127.0.0.1:{port}"),
    ],
)
def test_changes_from_other_sites_are_refused(server, run, origin):
    headers = {"Origin": origin.format(port=server.port)}
    before = server.client.get("/api/runs").json()
    for method, path, body in [
        ("POST", "/api/runs", {}),
        ("PATCH", f"/api/runs/{run['id']}", {"name": "x"}),
        ("POST", f"/api/runs/{run['id']}/resume", None),
        ("POST", f"/api/runs/{run['id']}/passages", {"length": 5}),
        ("DELETE", f"/api/runs/{run['id']}", None),
        ("DELETE", "/api/corpora/the-lamps-of-saltmere", None),
    ]:
        answer = server.client.request(method, path, json=body, headers=headers)
        server.problem(answer, 403)
        assert not any(name.startswith("access-control") for name in answer.headers)
    upload = {"file": ("a.txt", b"word " * 100)}
    server.problem(server.client.post("/api/corpora", files=upload, headers=headers), 403)
    assert server.client.get("/api/runs").json() == before


def test_changes_from_the_page_itself_are_accepted(server, run):
    for host in (f"127.0.0.1:{server.port}", f"localhost:{server.port}"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        answer = server.client.patch(f"/api/runs/{run['id']}", json={"name": host}, headers=headers)
        assert answer.json()["name"] == host


def test_no_other_site_may_read(server, run):
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (
        server.client.get(f"/api/runs/{run['id']}", headers=headers),
        server.client.options("/api/runs", headers=headers),
    ):
        assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_content_types_of_a_cross_site_form_are_refused(server, run, kind):
    headers = {"Content-Type": kind} if kind else {}
    for path in ("/api/runs", f"/api/runs/{run['id']}/step", f"/api/runs/{run['id']}/passages"):
        answer = server.client.post(path, content=b'{"updates": 1}', headers=headers)
        server.problem(answer, 415)
    assert server.run(run)["update"] == 0


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
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page)
    assert not re.search(r"\son\w+=", page)
    assert not re.search(r"(src|href)=[\"'](https?:)?//", page)


def test_files_outside_of_static_are_not_served(server):
    for path in (
        "/static/../pyproject.toml",
        "/static/%2e%2e/pyproject.toml",
        "/static//etc/passwd",
    ):
        assert server.client.get(path).status_code in {400, 404}


# -- on other interfaces ------------------------------------------------------------------------


def test_the_printed_link_authenticates_the_operator(open_server):
    with httpx.Client(base_url=open_server.url) as browser:
        answer = browser.get("/", params={"run": "abc", "token": open_server.token})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/?run=abc"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie.replace("Strict", "strict")
        assert browser.get(answer.headers["location"]).status_code == 200
        run = browser.post("/api/runs", json=SMALL | {"paused": True})
        assert run.status_code == 201
        assert browser.delete(f"/api/runs/{run.json()['id']}").status_code == 204


def test_a_wrong_token_in_a_link_authenticates_nobody(open_server):
    with httpx.Client(base_url=open_server.url) as browser:
        for token in ("", "wrong", open_server.token[:-1], open_server.token + "x", "é"):
            answer = browser.get("/", params={"token": token})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            assert "set-cookie" not in answer.headers
        open_server.problem(browser.post("/api/runs", json={}), 401)


def test_a_program_sends_the_token_in_a_header(open_server):
    def create(header):
        return open_server.client.post(
            "/api/runs", json=SMALL | {"paused": True}, headers={"Authorization": header}
        )

    assert create(f"Bearer {open_server.token}").status_code == 201
    assert create(f"bearer {open_server.token}").status_code == 201
    for wrong in ("Bearer wrong", "Bearer", f"Basic {open_server.token}", open_server.token, "é"):
        answer = create(wrong.encode())
        assert open_server.problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


def test_viewers_can_watch_and_request_passages_but_change_nothing(open_server):
    viewer = open_server.client
    operator = {"Authorization": f"Bearer {open_server.token}"}
    spec = SMALL | {"paused": True}
    run = viewer.post("/api/runs", json=spec, headers=operator).json()
    address = f"/api/runs/{run['id']}"
    for path in ("/", "/healthz", "/api/runs", "/api/corpora", address, f"{address}/loss"):
        assert viewer.get(path).status_code == 200
    for path in (f"{address}/samples", f"{address}/losses.csv", f"{address}/checkpoints/best/file"):
        assert viewer.get(path).status_code == 200
    passage = viewer.post(f"{address}/passages", json={"length": 10})
    assert (passage.status_code, len(passage.json()["text"])) == (200, 10)
    with connect(f"{open_server.ws_url}/ws/runs/{run['id']}") as socket:
        assert '"snapshot"' in socket.recv()
    before = viewer.get(address).json()
    for method, path, body in [
        ("POST", "/api/runs", {}),
        ("PATCH", address, {"name": "x"}),
        ("POST", f"{address}/pause", None),
        ("POST", f"{address}/resume", None),
        ("POST", f"{address}/stop", None),
        ("POST", f"{address}/step", {"updates": 1}),
        ("POST", f"{address}/checkpoints", {}),
        ("POST", f"{address}/fork", {"checkpoint": "latest"}),
        ("DELETE", f"{address}/checkpoints/latest", None),
        ("DELETE", address, None),
        ("DELETE", "/api/corpora/the-lamps-of-saltmere", None),
        ("DELETE", "/api/runs/passages", None),
        ("PATCH", "/api/runs/passages", {"name": "x"}),
    ]:
        open_server.problem(viewer.request(method, path, json=body), 401)
    upload = {"file": ("a.txt", b"word " * 100)}
    open_server.problem(viewer.post("/api/corpora", files=upload), 401)
    assert viewer.get(address).json() == before
    assert viewer.delete(address, headers=operator).status_code == 204


def test_on_every_interface_addresses_are_accepted_and_names_only_if_allowed(open_server, serve):
    for host, status in [("192.168.1.7:8000", 200), ("[fe80::1]", 200), ("evil.example", 403)]:
        assert open_server.client.get("/healthz", headers={"Host": host}).status_code == status
    named = serve("--no-demo", HURRAH_ALLOWED_HOSTS='["hurrah.example"]')
    for host, status in [("hurrah.example", 200), ("HURRAH.example:80", 200), ("x.example", 403)]:
        assert named.client.get("/healthz", headers={"Host": host}).status_code == status


def test_other_sites_cannot_use_the_operators_cookie(open_server):
    with httpx.Client(base_url=open_server.url) as browser:
        browser.get("/", params={"token": open_server.token})
        assert browser.post("/api/runs", json=SMALL | {"paused": True}).status_code == 201
        wrong = browser.post("/api/runs", json={}, headers={"Origin": "http://evil.example"})
        open_server.problem(wrong, 403)


def test_a_configured_token_is_required_on_loopback(serve):
    server = serve("--no-demo", HURRAH_OPERATOR_TOKEN="a secret/word?")
    assert server.greeting.endswith("/?token=a%20secret/word%3F")
    server.problem(server.client.post("/api/runs", json={}), 401)
    answer = server.client.get("/?" + server.greeting.rpartition("?")[2])
    assert answer.status_code == 303
    # The client keeps the cookie.
    assert server.client.post("/api/runs", json=SMALL | {"paused": True}).status_code == 201


def test_no_token_is_required_on_loopback_by_default(server):
    assert "token" not in server.greeting
    assert server.client.get("/", params={"token": "x"}).status_code == 303


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_is_refused_at_start(tmp_path, token, monkeypatch):
    monkeypatch.setenv("HURRAH_OPERATOR_TOKEN", token)
    command = [sys.executable, "-m", "server", "serve", "--port", "0", "--data-dir", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "HURRAH_OPERATOR_TOKEN: must not be empty\n"
    assert "Traceback" not in ended.stderr


def test_the_token_is_not_passed_to_child_processes(serve):
    token = "not for workers"
    server = serve("--no-demo", HURRAH_OPERATOR_TOKEN=token, hurrah_operator_token=token)
    server.client.headers["Authorization"] = f"Bearer {token}"
    run = server.create(**SMALL, paused=True)
    server.post(run, "passages", {"length": 5})
    children = child_pids(server.process.pid, "server.")
    assert len(children) >= 2
    for pid in children:
        # With all that their environment holds.
        listing = subprocess.run(
            ["ps", "eww", "-p", str(pid)], capture_output=True, text=True, check=True
        ).stdout
        assert "PATH=" in listing
        assert token not in listing
