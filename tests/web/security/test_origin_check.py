"""Where requests come from, and what makes one the operator: the attacks by name."""

import hmac
import socket
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from server.settings import Settings
from server.web.security import auth
from server.web.security.auth import OperatorAuth
from tests.hostile import raw
from tests.serving import RunningServer

SMALL = {"hidden_size": 5, "sample_length": 10, "paused": True}
# Letters of other scripts, and what cookies and addresses have to quote.
TOKEN = 'ключ é; "a=b", 100% & +'


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with a token that is hard to carry, and all that it said."""
    folder = tmp_path_factory.mktemp("guarded")
    with (
        (folder / "log").open("w") as errors,
        RunningServer(
            folder / "data", "--no-demo", stderr=errors, HURRAH_OPERATOR_TOKEN=TOKEN
        ) as running,
    ):
        running.log = folder / "log"
        yield running


@pytest.fixture(scope="module")
def run(server):
    return server.create(**SMALL)


# -- DNS rebinding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost.", "LOCALHOST.:1", "[0:0:0:0:0:0:0:1]:8000", "[::0001]", "localhost:"]
)
def test_other_spellings_of_this_machines_name(server, host):
    assert server.client.get("/healthz", headers={"Host": host}).status_code == 200


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


def test_on_every_interface_names_must_be_allowed(serve):
    hosts = '["hall.example"]'
    server = serve("--no-demo", "--host", "0.0.0.0", HURRAH_ALLOWED_HOSTS=hosts)
    for host, status in [
        *[(host, 200) for host in ("0.0.0.0", "192.168.1.7:80", "[fe80::1%25eth0]", "localhost")],
        *[(host, 200) for host in ("hall.example", "Hall.Example.:443")],
        *[(host, 403) for host in ("evil.example", "hall.example.evil", "not.hall.example")],
    ]:
        assert server.client.get("/healthz", headers={"Host": host}).status_code == status, host


@pytest.mark.parametrize("host", ["*", "https://a.example", "a.example:80", "", "a/b"])
def test_allowed_hosts_that_could_never_match_are_refused(host):
    with pytest.raises(ValidationError, match="must be names without scheme or port"):
        Settings(allowed_hosts=["fine.example", host])


# -- other sites' pages ---------------------------------------------------------------------------


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


# -- the operator's token -------------------------------------------------------------------------


def test_a_token_may_contain_any_characters(guarded):
    link = guarded.greeting.rsplit(" ", 1)[1]
    with httpx.Client(base_url=guarded.url) as browser:
        answer = browser.get("/" + link.partition("/?")[2].join(["?", ""]))
        assert answer.status_code == 303
        assert browser.post("/api/runs", json=SMALL).status_code == 201
    shown = f"Bearer {TOKEN}".encode()
    answer = httpx.post(
        f"{guarded.url}/api/runs", json=SMALL, headers={"Authorization": shown}, timeout=60
    )
    assert answer.status_code == 201
    guarded.problem(guarded.client.post("/api/runs", json=SMALL), 401)


def test_the_cookie_is_not_the_token_and_scripts_cannot_read_it(guarded):
    with httpx.Client(base_url=guarded.url) as browser:
        cookie = browser.get("/", params={"token": TOKEN}).headers["set-cookie"]
        name, value = cookie.partition(";")[0].split("=")
        assert name == f"hurrah-operator-{guarded.port}"
        assert value.isalnum()
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert parts == {"httponly", "path=/", "samesite=strict"}
        behind = browser.get("/", params={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
        assert "; Secure" in behind.headers["set-cookie"]
    # What is in the cookie is no token, and the token is no cookie.
    for headers in ({"Authorization": f"Bearer {value}"}, {"Cookie": f"{name}={quote(TOKEN)}"}):
        guarded.problem(guarded.client.post("/api/runs", json=SMALL, headers=headers), 401)


def test_two_servers_on_one_machine_use_different_cookies(guarded, serve):
    other = serve("--no-demo", HURRAH_OPERATOR_TOKEN="another")
    with httpx.Client() as browser:
        browser.get(f"{guarded.url}/", params={"token": TOKEN})
        browser.get(f"{other.url}/", params={"token": "another"})
        for each in (guarded, other):
            assert browser.post(f"{each.url}/api/runs", json=SMALL).status_code == 201


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/?token={}", "/"),
        ("/?run=a%26b&token={}&at=3", "/?run=a%26b&at=3"),
        ("/gradients?token={}&cell=gru", "/gradients?cell=gru"),
        ("//evil.example/?token={}", "/evil.example/"),
        ("/%2f/evil.example?token={}", "/evil.example"),
        ("/%5Cevil.example?token={}", "/evil.example"),
        ("/%0d%0aSet-Cookie:%20a?token={}", "/%0D%0ASet-Cookie%3A%20a"),
        ("/?token={}&next=//evil.example", "/?next=%2F%2Fevil.example"),
        ("/?token=wrong&token={}", "/"),
    ],
)
def test_the_redirect_always_stays_on_this_server(guarded, target, location):
    target = target.format(quote(TOKEN))
    status, headers, _ = raw.ask(guarded, raw.head(guarded, f"GET {target} HTTP/1.1"))
    assert (status, headers["location"]) == (303, location)
    assert headers["cache-control"] == "no-store"


def test_a_link_with_a_token_on_another_site_works(guarded):
    # A redirect would not do: to where another site's link led, a strict cookie is not shown.
    link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    query = {"run": 'a"<b>&c', "token": TOKEN}
    answer = httpx.get(f"{guarded.url}/", params=query, headers=link)
    assert answer.status_code == 200
    assert answer.headers["refresh"] == "0; url=/?run=a%22%3Cb%3E%26c"
    assert "set-cookie" in answer.headers
    assert "<b>" not in answer.text
    assert TOKEN not in answer.text
    assert quote(TOKEN) not in answer.text


@pytest.mark.parametrize("cookie", ["hurrah-operator-{port}", "a" * 4_000, '="; ;;', "a=\udcff"])
def test_wrong_cookies_authenticate_nobody(guarded, cookie):
    cookie = cookie.format(port=guarded.port).encode(errors="surrogateescape")
    answer = guarded.client.post("/api/runs", json=SMALL, headers={b"Cookie": cookie})
    guarded.problem(answer, 401)


@pytest.mark.parametrize(
    "beside",
    [
        *('a={"x":1}', "a[b]=1", "flag", "x y", 'a="un', "=x", "a@b=1", "a/b=1", "a=b=c", ";;"),
        *("expires=Mon, 1 Jan 2020", "a=\xff", "{name}=", "{name}=another", '{name}="another"'),
    ],
)
def test_cookies_of_other_servers_do_not_lock_the_operator_out(guarded, beside):
    """Browsers share cookies between all servers of one machine, whatever they are."""
    with httpx.Client(base_url=guarded.url) as browser:
        cookie = browser.get("/", params={"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    beside = beside.replace("{name}", cookie.partition("=")[0])

    def is_operator(*shown):
        headers = [(b"Cookie", each.encode("latin-1")) for each in shown]
        # Who may delete it learns that it is not there.
        answer = guarded.client.delete("/api/runs/nothing", headers=headers)
        assert answer.status_code in {401, 404}
        return answer.status_code == 404

    assert is_operator(f"{beside}; {cookie}")
    assert is_operator(f"{cookie}; {beside}")
    assert is_operator(f"{cookie};{beside}")
    assert is_operator(beside, cookie)
    assert not is_operator(f"{beside}; {cookie}x")
    assert not is_operator(beside)


@pytest.mark.parametrize("token", ["voil\u00e0", "\u00a0\u00e0\u0085x".strip(), "a b", "="])
def test_a_bearer_token_is_compared_exactly(token):
    operator = OperatorAuth(token)

    def shows(value):
        headers = [(b"authorization", b"Bearer " + value)]
        scope = {"type": "http", "headers": headers, "path": "/", "query_string": b""}
        return operator.accepts(HTTPConnection(scope))

    assert shows(token.encode())
    assert shows(b" " + token.encode() + b"\t ")
    assert not shows(token.encode() + b"x")
    assert not shows(token.encode()[:-1])
    assert not shows(b"")


def test_tokens_are_compared_in_constant_time(monkeypatch):
    """Whatever is shown is compared whole with what is secret, by what was made for it."""
    compared = []

    def compare(shown, secret):
        compared.append((shown, secret))
        return hmac.compare_digest(shown, secret)

    monkeypatch.setattr(auth, "hmac", SimpleNamespace(compare_digest=compare, digest=hmac.digest))
    operator = OperatorAuth("sesame")

    def scope(*headers, query=b""):
        return {"type": "http", "method": "GET", "path": "/", "query_string": query} | {
            "headers": [(b"host", b"localhost"), *headers],
            "scheme": "http",
            "server": ("localhost", 80),
        }

    def tells(what):
        compared.clear()
        told = operator.accepts(HTTPConnection(what))
        assert len(compared) == 1
        return told, compared[0][0]

    bearer, cookie = b"authorization", b"cookie"
    assert tells(scope((bearer, b"Bearer guess"))) == (False, b"guess")
    assert tells(scope((bearer, b"Bearer sesame"))) == (True, b"sesame")
    assert tells(scope((cookie, b"hurrah-operator=guess"))) == (False, b"guess")
    compared.clear()
    assert (
        "set-cookie"
        not in operator.token_to_cookie(HTTPConnection(scope(query=b"token=guess"))).headers
    )
    assert compared == [(b"guess", b"sesame")]


def test_the_token_is_in_no_log(guarded):
    guarded.client.get("/", params={"token": TOKEN})
    guarded.client.get("/nothing", params={"token": TOKEN})
    raw.ask(guarded, raw.head(guarded, f"GET /?token={quote(TOKEN)} HTTP/9.9"))
    said = guarded.log.read_text()
    assert TOKEN not in said
    assert quote(TOKEN) not in said
    assert "token" not in said


@pytest.mark.parametrize("token", ["a\tb", "a\nb", "a\0b", "\udcff"])
def test_a_token_that_cannot_be_typed_is_refused_at_start(token):
    with pytest.raises(ValidationError, match="must be printable text"):
        Settings(operator_token=token)


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
    """Who comes by IPv4 to a socket of IPv6 has a name of IPv6."""
    environment = {} if trusted is None else {"FORWARDED_ALLOW_IPS": trusted}
    with RunningServer(tmp_path / "data", "--no-demo", "--host", "::", **environment) as server:
        token = server.greeting.partition("token=")[2]
        url = f"http://127.0.0.1:{server.port}/?token={token}"
        answer = httpx.get(url, headers={"X-Forwarded-Proto": "https"})
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
