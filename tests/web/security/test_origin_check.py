"""Checks of Host and Origin: DNS rebinding and requests from other sites."""

import socket

import httpx
import pytest
from pydantic import ValidationError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from server.settings import Settings
from tests.hostile import raw
from tests.serving import RunningServer

SMALL = {"hidden_size": 5, "sample_length": 10, "paused": True}


@pytest.fixture(scope="module")
def run(server):
    return server.create(**SMALL)


# -- Host: DNS rebinding -------------------------------------------------------------------------


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
    "host", ["localhost.", "LOCALHOST.:1", "[0:0:0:0:0:0:0:1]:8000", "[::0001]", "localhost:"]
)
def test_other_spellings_of_this_machines_name(server, host):
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
    "host",
    [
        *("localhost..", ".localhost", "local host", "localhost\\@evil.example", "[localhost]"),
        *("[::1].evil.example", "[::1]evil", "evil[::1]", "[fe80::1%25eth0]", "[::]", "127.1"),
        *("127.0.0.1.", "a:b@localhost", "@localhost", "localhost:-1", "localhost:80:80", "[]"),
        *("0177.0.0.1", "[::ffff:10.0.0.1]", "localhost%00", "ｌocalhost".encode(), b"\xff"),
    ],
)
def test_names_that_only_resemble_this_machines_name(server, host):
    server.problem(server.client.get("/healthz", headers={b"Host": host}), 403)


def test_a_websocket_under_another_host_is_never_accepted(server, run):
    for host in ("evil.example", "10.0.0.1", "localhost.evil.example"):
        content = raw.upgrade(server, f"/ws/runs/{run['id']}", host=host)
        status, headers, _ = raw.ask(server, content)
        assert (status, headers["content-type"]) == (403, "application/problem+json")


def test_on_every_interface_addresses_are_accepted_and_names_only_if_allowed(
    open_server, token_server
):
    for host, status in [
        *[(host, 200) for host in ("0.0.0.0", "192.168.1.7:8000", "192.168.1.7:80", "localhost")],
        *[(host, 200) for host in ("[fe80::1]", "[fe80::1%25eth0]")],
        *[(host, 200) for host in ("hall.example", "Hall.Example.:443")],
        *[(host, 403) for host in ("evil.example", "hall.example.evil", "not.hall.example")],
    ]:
        answer = open_server.client.get("/healthz", headers={"Host": host})
        assert answer.status_code == status, host
    for host, status in [("hurrah.example", 200), ("HURRAH.example:80", 200), ("x.example", 403)]:
        answer = token_server.client.get("/healthz", headers={"Host": host})
        assert answer.status_code == status, host


@pytest.mark.parametrize("host", ["*", "https://a.example", "a.example:80", "", "a/b"])
def test_allowed_hosts_that_could_never_match_are_refused(host):
    with pytest.raises(ValidationError, match="must be names without scheme or port"):
        Settings(allowed_hosts=["fine.example", host])


# -- Origin: other sites -------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("host", "origin", "same"),
    [
        ("localhost:443", "https://localhost", True),
        ("localhost", "https://localhost:443", True),
        ("localhost:80", "http://localhost", True),
        ("LOCALHOST:80", "http://localhost:80", True),
        ("localhost", "http://localhost", True),
        ("localhost", "https://localhost", True),
        ("[::1]:443", "https://[::1]", True),
        ("localhost:443", "http://localhost", False),
        ("localhost:80", "https://localhost", False),
        ("localhost", "https://localhost:80", False),
        ("localhost:443", "https://127.0.0.1", False),
        ("localhost:443", "https://evil.example", False),
        ("localhost:443", "https://localhost.evil.example:443", False),
        ("localhost:443", "ws://localhost:443", False),
        ("localhost:443", "https://localhost/", False),
        ("localhost:443", "https://[::1]localhost", False),
    ],
)
def test_the_default_port_of_the_scheme_may_be_named_or_not(server, run, host, origin, same):
    """A proxy such as nginx may pass on Host with the port even where browsers leave it out."""
    headers = {"Host": host, "Origin": origin}
    path = f"/api/runs/{run['id']}"
    answer = server.client.patch(path, json={"name": "Renamed"}, headers=headers)
    assert answer.status_code == (200 if same else 403)
    content = raw.upgrade(server, f"/ws/runs/{run['id']}", f"Origin: {origin}", host=host)
    assert raw.ask(server, content)[0] == (101 if same else 403)


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


@pytest.mark.parametrize("site", ["cross-site", "same-site", "whatever", ""])
def test_cross_site_requests_without_an_origin_are_refused(server, run, site):
    elsewhere = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    address = f"/api/runs/{run['id']}"
    for method, path in [
        *[("POST", f"{address}/resume"), ("DELETE", address), ("POST", "/api/gradient-check")],
        *[("GET", f"{address}/losses.csv"), ("GET", "/static/js/watch.js"), ("GET", "/")],
    ]:
        answer = server.client.request(method, path, headers=elsewhere)
        assert "other sites" in server.problem(answer, 403)["detail"]
    content = raw.upgrade(server, f"/ws/runs/{run['id']}", f"Sec-Fetch-Site: {site}")
    assert raw.ask(server, content)[0] == 403
    assert server.run(run)["state"] == "paused"


def test_a_cross_site_link_is_accepted_but_no_form_or_frame(server, run):
    link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert server.client.get("/", headers=link).status_code == 200
    server.problem(server.client.get("/", headers=link | {"Sec-Fetch-Dest": "iframe"}), 403)
    server.problem(server.client.post(f"/api/runs/{run['id']}/resume", headers=link), 403)
    for own in ("same-origin", "none"):
        headers = {"Sec-Fetch-Site": own, "Sec-Fetch-Mode": "cors"}
        assert server.client.get("/api/runs", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "", "http://127.0.0.1", "x"])
def test_a_websocket_from_another_origin_is_never_accepted(server, run, origin):
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{server.ws_url}/ws/runs/{run['id']}", additional_headers={"Origin": origin})
    assert refused.value.response.status_code == 403


def test_both_of_two_origins_are_checked(server, run):
    own, evil = f"http://127.0.0.1:{server.port}", "http://evil.example"
    for origins in ([own, evil], [evil, own], [f"{own}, {evil}"], [f"{own} {evil}"]):
        headers = [("Origin", origin) for origin in origins]
        answer = server.client.post(f"/api/runs/{run['id']}/resume", headers=headers)
        server.problem(answer, 403)
        content = raw.upgrade(server, f"/ws/runs/{run['id']}", *map(": ".join, headers))
        assert raw.ask(server, content)[0] in {400, 403}
    content = raw.upgrade(server, f"/ws/runs/{run['id']}", f"Origin: {own}")
    assert raw.ask(server, content)[0] == 101


def test_other_sites_cannot_use_the_operators_cookie(open_server):
    with httpx.Client(base_url=open_server.url, timeout=60) as browser:
        browser.get("/", params={"token": open_server.token})
        assert browser.post("/api/runs", json=SMALL).status_code == 201
        wrong = browser.post("/api/runs", json={}, headers={"Origin": "http://evil.example"})
        open_server.problem(wrong, 403)


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize(
    ("trusted", "is_believed"), [(None, True), ("127.0.0.0/8", True), ("192.0.2.7", False)]
)
def test_a_local_proxy_is_trusted_on_a_dual_stack_socket(tmp_path, trusted, is_believed):
    """A dual-stack socket reports an IPv4 client by its IPv4-mapped IPv6 address."""
    environment = {} if trusted is None else {"HURRAH_TRUSTED_PROXIES": trusted}
    with RunningServer(tmp_path / "data", "--no-demo", "--host", "::", **environment) as server:
        token = server.greeting.partition("token=")[2]
        url = f"http://127.0.0.1:{server.port}/?token={token}"
        answer = httpx.get(url, headers={"X-Forwarded-Proto": "https"}, timeout=60)
        assert ("; Secure" in answer.headers["set-cookie"]) == is_believed


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_server_on_ipv6_accepts_its_own_page(tmp_path):
    with RunningServer(tmp_path / "data", "--no-demo", "--host", "::1") as server:
        assert server.greeting == f"Hurrah is listening on http://[::1]:{server.port}/"
        server.client.close()
        own = f"http://[::1]:{server.port}"
        server.client = httpx.Client(base_url=own, timeout=60)
        run = server.client.post("/api/runs", json=SMALL, headers={"Origin": own}).json()
        with connect(f"ws://[::1]:{server.port}/ws/runs/{run['id']}", origin=own) as viewer:
            assert '"snapshot"' in viewer.recv(60)
        for evil in (f"http://[::1]:{server.port}.evil.example", "http://[::1]", "http://[::2]:1"):
            answer = server.client.post("/api/runs", json=SMALL, headers={"Origin": evil})
            server.problem(answer, 403)
        answer = server.client.get("/healthz", headers={"Host": f"evil.example:{server.port}"})
        server.problem(answer, 403)
