"""The examples of docs/proxy.md, with the real nginx and the real Caddy."""

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.sync.client import connect

from tests.serving import LIMIT_S, PAGES, RunningServer

ROOT = Path(__file__).parents[2]
EXAMPLES = (ROOT / "docs" / "proxy.md").read_text(encoding="utf-8")
PREFIX = "/lab/net"
TOKEN = "sesame"
# More than nginx accepts by default.
LARGE_TEXT_BYTES = 2_000_000

pytestmark = pytest.mark.process


def example(language, number=0):
    """Return an example of the page."""
    return re.findall(rf"```{language}\n(.*?)```", EXAMPLES, flags=re.DOTALL)[number]


def replaced(text, *pairs):
    """Replace parts of an example that differ in a test."""
    for old, new in pairs:
        assert old in text
        text = text.replace(old, str(new))
    return text


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class LateAnswer:
    """A server that sends the rest of its response only after `continue_` was called."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._may_continue = threading.Event()
        self.continue_ = self._may_continue.set
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            with client:
                client.recv(65_536)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n")
                self._may_continue.wait(LIMIT_S)
                client.sendall(b"5\r\nlast\n\r\n0\r\n\r\n")

    def close(self):
        self._may_continue.set()
        self._listener.close()


class Proxy:
    """A proxy with a port for each form of the example, and one before a `LateAnswer`."""

    def __init__(self, command, ports, context):
        self._ports = ports
        self._context = context
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + LIMIT_S
        while not all(self._listens(port) for port in ports.values()):
            assert self._process.poll() is None, self._process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @staticmethod
    def _listens(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def origin(self, form):
        return f"https://localhost:{self._ports[form]}"

    def client(self, form):
        return httpx.Client(
            base_url=self.origin(form), verify=self._context, timeout=LIMIT_S, trust_env=False
        )

    def viewer(self, form, path):
        return connect(
            f"wss://localhost:{self._ports[form]}{path}",
            ssl=self._context,
            origin=self.origin(form),
            proxy=None,
        )

    def stop(self):
        self._process.terminate()
        self._process.communicate(timeout=LIMIT_S)


def nginx_command(path, ports, upstreams, certificate):
    whole = replaced(
        example("nginx"),
        ("hurrah.example.org", "localhost"),
        ("/etc/ssl/hurrah.pem", certificate),
        ("/etc/ssl/hurrah.key", certificate),
    )
    shared, _, site = whole.partition("server {")
    sites = [shared]
    for form, port in ports.items():
        slash = "/" if form == "stripped" else ""
        sites.append(
            "server {"
            + replaced(
                site,
                ("443", f"127.0.0.1:{port}"),
                ("127.0.0.1:8000", f"127.0.0.1:{upstreams[form]}{slash}"),
            )
        )
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{each}_temp_path {path / each};\n" for each in temporary)
    configuration = path / "nginx.conf"
    user = "user root;\n" if os.getuid() == 0 else ""
    configuration.write_text(
        f"{user}daemon off;\npid {path / 'pid'};\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{''.join(sites)}}}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return [program, "-e", "stderr", "-p", str(path), "-c", str(configuration)]


def caddy_command(path, ports, upstreams, certificate):
    sites = ["{\nadmin off\nauto_https off\n}\n"]
    for form, port in ports.items():
        sites.append(
            replaced(
                example("caddyfile", 1 if form == "stripped" else 0),
                (
                    "hurrah.example.org {",
                    f"https://localhost:{port} {{\ntls {certificate} {certificate}",
                ),
                ("127.0.0.1:8000", f"127.0.0.1:{upstreams[form]}"),
            )
        )
    configuration = path / "Caddyfile"
    configuration.write_text("".join(sites))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(configuration)]


COMMANDS = {"nginx": nginx_command, "caddy": caddy_command}


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """A server under a prefix, with a paused run and a text."""
    data = tmp_path_factory.mktemp("behind") / "data"
    environment = {
        "HURRAH_ROOT_PATH": PREFIX,
        "HURRAH_OPERATOR_TOKEN": TOKEN,
        "HURRAH_TRUSTED_PROXIES": "127.0.0.1",
    }
    with RunningServer(data, "--no-demo", **environment) as server:
        server.client.headers["Authorization"] = f"Bearer {TOKEN}"
        corpus = server.upload(PAGES)["id"]
        server.run_id = server.create(corpus=corpus, hidden_size=8, paused=True)["id"]
        yield server


@pytest.fixture(scope="module", params=COMMANDS)
def proxy(request, behind, tmp_path_factory):
    """A proxy in front of the server; skipped where it is not installed."""
    if not shutil.which(request.param, path=f"{os.environ['PATH']}:/usr/sbin"):
        pytest.skip(f"{request.param} is not installed")
    path = tmp_path_factory.mktemp(request.param)
    authority = trustme.CA()
    certificate = path / "certificate.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    late = LateAnswer()
    ports = {form: free_port() for form in ("whole", "stripped", "late")}
    upstreams = {"whole": behind.port, "stripped": behind.port, "late": late.port}
    running = Proxy(COMMANDS[request.param](path, ports, upstreams, certificate), ports, context)
    running.late = late
    yield running
    running.stop()
    late.close()


@pytest.mark.parametrize("form", ["whole", "stripped"])
def test_the_operator_works_under_the_prefix_with_tls(proxy, behind, form):
    with proxy.client(form) as browser:
        answer = browser.get(f"{PREFIX}/wall", params={"token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/wall")
        cookie = answer.headers["set-cookie"]
        assert "; Secure" in cookie
        assert f"; Path={PREFIX};" in cookie
        page = browser.get(f"{PREFIX}/")
        assert 'data-operator="true"' in page.text
        assets = re.findall(r'(?:src|href)="([^"#]+/static/[^"]+)"', page.text)
        assert assets
        assert {browser.get(each).status_code for each in assets} == {200}
        own = {"Origin": proxy.origin(form)}
        text = "A sentence about lamps. " * (LARGE_TEXT_BYTES // 24)
        answer = browser.post(
            f"{PREFIX}/api/corpora", files={"file": ("large.txt", text.encode())}, headers=own
        )
        assert answer.status_code == 201
        corpus = f"{PREFIX}/api/corpora/{answer.json()['id']}"
        assert browser.delete(corpus, headers={"Origin": "https://evil.example"}).status_code == 403
        assert browser.delete(corpus, headers=own).status_code == 204
    with proxy.viewer(form, f"{PREFIX}/ws/runs/{behind.run_id}") as viewer:
        assert json.loads(viewer.recv(LIMIT_S))["type"] == "snapshot"


@pytest.mark.parametrize("form", ["whole", "stripped"])
def test_the_prefix_without_a_slash_leads_to_the_page(proxy, form):
    with proxy.client(form) as browser:
        answer = browser.get(PREFIX, params={"token": TOKEN}, follow_redirects=True)
        assert answer.status_code == 200
        assert answer.url.path == f"{PREFIX}/"
        assert 'data-operator="true"' in answer.text


def test_a_passage_is_not_held_back(proxy):
    with proxy.client("late") as browser, browser.stream("GET", f"{PREFIX}/passage") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "first"
        proxy.late.continue_()
        assert list(lines) == ["last"]
