"""Operator and viewers: permissions, tokens and cookies."""

import hmac
import subprocess
import sys
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from websockets.sync.client import connect

from server.course.problem import ProblemQuery, make_problem
from server.settings import Settings
from server.web.security import auth
from server.web.security.auth import OperatorAuth
from tests.course.support import npz
from tests.hostile import raw
from tests.processes import child_pids
from tests.serving import LIMIT_S, ROOT, RunningServer
from tests.web.security.conftest import TOKEN

SMALL = {"hidden_size": 5, "sample_length": 10, "paused": True}
ASCII_TOKEN = "not for workers"


@pytest.fixture(scope="module")
def second_server(tmp_path_factory):
    """A second server, with another token, also under the setting's name in lower case."""
    names = ("HURRAH_OPERATOR_TOKEN", "hurrah_operator_token", "HURRAH_WEBHOOK_SECRET")
    token = dict.fromkeys(names, ASCII_TOKEN)
    with RunningServer(tmp_path_factory.mktemp("second"), "--no-demo", **token) as running:
        yield running


# -- operator and viewers ------------------------------------------------------------------------


def test_viewers_can_watch_and_request_passages_but_change_nothing(open_server):
    viewer = open_server.client
    operator = {"Authorization": f"Bearer {open_server.token}"}
    spec = SMALL
    run = viewer.post("/api/runs", json=spec, headers=operator).json()
    address = f"/api/runs/{run['id']}"
    for path in ("/", "/healthz", "/api/runs", "/api/corpora", address, f"{address}/loss"):
        assert viewer.get(path).status_code == 200
    files = ("losses.csv", "checkpoints/best/file", "export")
    for path in (f"{address}/samples", *(f"{address}/{file}" for file in files)):
        assert viewer.get(path).status_code == 200
    passage = viewer.post(f"{address}/passages", json={"length": 10})
    assert (passage.status_code, len(passage.json()["text"])) == (200, 10)
    for inside, body in [
        ("probe", {"text": "Orla", "units": False}),
        ("probe/history", {"text": "Orla", "index": 1}),
        ("units/spans", {"text": "Orla", "from": 0, "to": 1}),
        ("intervention", {"unit": 0, "value": 1.0, "length": 10}),
    ]:
        assert viewer.post(f"{address}/{inside}", json=body).status_code == 200
    gradients = npz(make_problem(ProblemQuery()).gradients)
    answer = viewer.post("/api/course/answer", files={"file": gradients})
    assert (answer.status_code, answer.json()["passed"]) == (200, True)
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
        ("POST", f"{address}/test", {}),
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
    for path in ("/api/corpora", "/api/runs/import"):
        open_server.problem(viewer.post(path, files=upload), 401)
    assert viewer.get(address).json() == before
    assert viewer.delete(address, headers=operator).status_code == 204


def test_the_printed_link_authenticates_the_operator(open_server):
    with httpx.Client(base_url=open_server.url, timeout=LIMIT_S) as browser:
        answer = browser.get("/", params={"run": "abc", "token": open_server.token})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/?run=abc"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie.replace("Strict", "strict")
        assert browser.get(answer.headers["location"]).status_code == 200
        run = browser.post("/api/runs", json=SMALL)
        assert run.status_code == 201
        assert browser.delete(f"/api/runs/{run.json()['id']}").status_code == 204


def test_a_wrong_token_in_a_link_authenticates_nobody(open_server):
    with httpx.Client(base_url=open_server.url, timeout=LIMIT_S) as browser:
        for token in ("", "wrong", open_server.token[:-1], open_server.token + "x", "é"):
            answer = browser.get("/", params={"token": token})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            assert "set-cookie" not in answer.headers
        open_server.problem(browser.post("/api/runs", json={}), 401)


def test_a_program_sends_the_token_in_a_header(open_server):
    def create(header):
        return open_server.client.post("/api/runs", json=SMALL, headers={"Authorization": header})

    assert create(f"Bearer {open_server.token}").status_code == 201
    assert create(f"bearer {open_server.token}").status_code == 201
    for wrong in ("Bearer wrong", "Bearer", f"Basic {open_server.token}", open_server.token, "é"):
        answer = create(wrong.encode())
        assert open_server.problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_configured_token_is_required_on_loopback(token_server):
    assert token_server.greeting.endswith(f"/?token={quote(TOKEN)}")
    token_server.problem(token_server.client.post("/api/runs", json={}), 401)
    with httpx.Client(base_url=token_server.url, timeout=LIMIT_S) as browser:
        answer = browser.get("/?" + token_server.greeting.rpartition("/?")[2])
        assert answer.status_code == 303
        # The client stores the cookie.
        assert browser.post("/api/runs", json=SMALL).status_code == 201


def test_no_token_is_required_on_loopback_by_default(server):
    assert "token" not in server.greeting
    assert server.client.get("/", params={"token": "x"}).status_code == 303


# -- the token -----------------------------------------------------------------------------------


def test_a_token_may_contain_any_characters(token_server):
    link = token_server.greeting.rsplit(" ", 1)[1]
    with httpx.Client(base_url=token_server.url, timeout=LIMIT_S) as browser:
        answer = browser.get("/" + link.partition("/?")[2].join(["?", ""]))
        assert answer.status_code == 303
        assert browser.post("/api/runs", json=SMALL).status_code == 201
    shown = f"Bearer {TOKEN}".encode()
    answer = httpx.post(
        f"{token_server.url}/api/runs", json=SMALL, headers={"Authorization": shown}, timeout=60
    )
    assert answer.status_code == 201
    token_server.problem(token_server.client.post("/api/runs", json=SMALL), 401)


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_is_refused_at_start(tmp_path, token, monkeypatch):
    monkeypatch.setenv("HURRAH_OPERATOR_TOKEN", token)
    command = [sys.executable, "-m", "server", "serve", "--port", "0", "--data-dir", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "HURRAH_OPERATOR_TOKEN: must not be empty\n"
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("token", ["a\tb", "a\nb", "a\0b", "\udcff"])
def test_a_token_that_cannot_be_typed_is_refused_at_start(token):
    with pytest.raises(ValidationError, match="must be printable text"):
        Settings(operator_token=token)


@pytest.mark.parametrize("token", ["voil\u00e0", "\u00a0\u00e0\u0085x".strip(), "a b", "="])
def test_a_bearer_token_is_compared_exactly(token):
    operator = OperatorAuth(token, "")

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
    """Every token and cookie is compared as a whole, with `hmac.compare_digest`."""
    compared = []

    def compare(shown, secret):
        compared.append((shown, secret))
        return hmac.compare_digest(shown, secret)

    monkeypatch.setattr(auth, "hmac", SimpleNamespace(compare_digest=compare, digest=hmac.digest))
    operator = OperatorAuth("sesame", "")

    def scope(*headers, query=b""):
        return {"type": "http", "method": "GET", "path": "/", "query_string": query} | {
            "headers": [(b"host", b"localhost"), *headers],
            "scheme": "http",
            "server": ("localhost", 80),
        }

    def accepts(scope):
        compared.clear()
        accepted = operator.accepts(HTTPConnection(scope))
        assert len(compared) == 1
        return accepted, compared[0][0]

    bearer, cookie = b"authorization", b"cookie"
    assert accepts(scope((bearer, b"Bearer guess"))) == (False, b"guess")
    assert accepts(scope((bearer, b"Bearer sesame"))) == (True, b"sesame")
    assert accepts(scope((cookie, b"hurrah-operator=guess"))) == (False, b"guess")
    compared.clear()
    assert (
        "set-cookie"
        not in operator.token_to_cookie(HTTPConnection(scope(query=b"token=guess"))).headers
    )
    assert compared == [(b"guess", b"sesame")]


def test_the_token_is_in_no_log(token_server):
    token_server.client.get("/", params={"token": TOKEN})
    token_server.client.get("/nothing", params={"token": TOKEN})
    raw.ask(token_server, raw.head(token_server, f"GET /?token={quote(TOKEN)} HTTP/9.9"))
    said = token_server.log.read_text()
    assert TOKEN not in said
    assert quote(TOKEN) not in said
    assert "token" not in said


def test_the_token_is_not_passed_to_child_processes(second_server):
    headers = {"Authorization": f"Bearer {ASCII_TOKEN}"}
    run = second_server.client.post("/api/runs", json=SMALL, headers=headers).json()
    passages = f"/api/runs/{run['id']}/passages"
    assert second_server.client.post(passages, json={"length": 5}).status_code == 200
    children = child_pids(second_server.process.pid, "server.")
    assert len(children) >= 2
    for pid in children:
        # "e" lists the environment.
        listing = subprocess.run(
            ["ps", "eww", "-p", str(pid)], capture_output=True, text=True, check=True
        ).stdout
        assert "PATH=" in listing
        assert ASCII_TOKEN not in listing


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
def test_the_redirect_always_stays_on_this_server(token_server, target, location):
    target = target.format(quote(TOKEN))
    status, headers, _ = raw.ask(token_server, raw.head(token_server, f"GET {target} HTTP/1.1"))
    assert (status, headers["location"]) == (303, location)
    assert headers["cache-control"] == "no-store"


def test_a_link_with_a_token_on_another_site_works(token_server):
    # A redirect would not do: to where another site's link led, a strict cookie is not shown.
    link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    query = {"run": 'a"<b>&c', "token": TOKEN}
    answer = httpx.get(f"{token_server.url}/", params=query, headers=link, timeout=LIMIT_S)
    assert answer.status_code == 200
    assert answer.headers["refresh"] == "0; url=/?run=a%22%3Cb%3E%26c"
    assert "set-cookie" in answer.headers
    assert "<b>" not in answer.text
    assert TOKEN not in answer.text
    assert quote(TOKEN) not in answer.text


# -- the cookie ----------------------------------------------------------------------------------


def test_the_cookie_is_not_the_token_and_scripts_cannot_read_it(token_server):
    with httpx.Client(base_url=token_server.url, timeout=LIMIT_S) as browser:
        cookie = browser.get("/", params={"token": TOKEN}).headers["set-cookie"]
        name, value = cookie.partition(";")[0].split("=")
        assert name == f"hurrah-operator-{token_server.port}"
        assert value.isalnum()
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert parts == {"httponly", "path=/", "samesite=strict"}
        behind = browser.get("/", params={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
        assert "; Secure" in behind.headers["set-cookie"]
    # What is in the cookie is no token, and the token is no cookie.
    for headers in ({"Authorization": f"Bearer {value}"}, {"Cookie": f"{name}={quote(TOKEN)}"}):
        token_server.problem(
            token_server.client.post("/api/runs", json=SMALL, headers=headers), 401
        )


def test_two_servers_on_one_machine_use_different_cookies(token_server, second_server):
    with httpx.Client(timeout=LIMIT_S) as browser:
        browser.get(f"{token_server.url}/", params={"token": TOKEN})
        browser.get(f"{second_server.url}/", params={"token": ASCII_TOKEN})
        for each in (token_server, second_server):
            assert browser.post(f"{each.url}/api/runs", json=SMALL).status_code == 201


@pytest.mark.parametrize("cookie", ["hurrah-operator-{port}", "a" * 4_000, '="; ;;', "a=\udcff"])
def test_wrong_cookies_authenticate_nobody(token_server, cookie):
    cookie = cookie.format(port=token_server.port).encode(errors="surrogateescape")
    answer = token_server.client.post("/api/runs", json=SMALL, headers={b"Cookie": cookie})
    token_server.problem(answer, 401)


@pytest.mark.parametrize(
    "beside",
    [
        *('a={"x":1}', "a[b]=1", "flag", "x y", 'a="un', "=x", "a@b=1", "a/b=1", "a=b=c", ";;"),
        *("expires=Mon, 1 Jan 2020", "a=\xff", "{name}=", "{name}=another", '{name}="another"'),
    ],
)
def test_cookies_of_other_servers_do_not_lock_the_operator_out(token_server, beside):
    """Browsers share cookies between all servers of one machine, whatever they are."""
    with httpx.Client(base_url=token_server.url, timeout=LIMIT_S) as browser:
        cookie = browser.get("/", params={"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    beside = beside.replace("{name}", cookie.partition("=")[0])

    def is_operator(*shown):
        headers = [(b"Cookie", each.encode("latin-1")) for each in shown]
        # Who may delete it learns that it is not there.
        answer = token_server.client.delete("/api/runs/nothing", headers=headers)
        assert answer.status_code in {401, 404}
        return answer.status_code == 404

    assert is_operator(f"{beside}; {cookie}")
    assert is_operator(f"{cookie}; {beside}")
    assert is_operator(f"{cookie};{beside}")
    assert is_operator(beside, cookie)
    assert not is_operator(f"{beside}; {cookie}x")
    assert not is_operator(beside)
