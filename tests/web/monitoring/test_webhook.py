"""The webhook: signed, repeated until it is delivered, also by a later server."""

import asyncio
import base64
import hmac
import json
import logging
import re
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from server.settings import Settings, secret_key
from server.spec.schemas import RunState
from server.store.database import Store
from server.store.executor import StoreExecutor
from server.web.monitoring import webhook
from server.web.monitoring.webhook import Webhook, signature, signing_key
from tests.serving import PAGES, ROOT, RunningServer, reserved_port, until
from tests.store.test_database import some_run
from tests.training import run_command

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
LIMIT_S = 60


def test_the_signature_is_that_of_standard_webhooks():
    # The example of the libraries at https://github.com/standard-webhooks/standard-webhooks.
    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# -- attempts -------------------------------------------------------------------------------------


class Receiver(HTTPServer):
    """Answers the given statuses one after the other, and records what it gets."""

    def __init__(self, *statuses):
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = list(statuses)
        self.requests = []

    def __enter__(self):
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, dict(self.headers.items()), body))
        self.send_response(self.server.statuses.pop(0))
        self.send_header("Location", "/other")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def store(tmp_path):
    opened = StoreExecutor(tmp_path / "hurrah.db", collect_events=True)
    yield opened
    asyncio.run(opened.close())


async def finish(store, run):
    await store(Store.add_run, run, some_run(run).model_dump_json())
    finished = some_run(run).model_copy(update={"state": RunState.FINISHED})
    await store(Store.save_run, run, finished.model_dump_json())


def send(store, url, runs=("a",)):
    """Let runs finish, and send the events until none waits."""

    async def talk():
        hook = Webhook(url, b"key", store)
        async with hook.sending():
            for run in runs:
                await finish(store, run)
                hook.publish(run, {"type": "state"})
            async with asyncio.timeout(LIMIT_S):
                while await store(Store.oldest_event) is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    asyncio.run(talk())


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(webhook, "FIRST_DELAY_S", 0.01)


def test_an_event_is_sent_until_it_is_accepted_and_redirects_are_not_followed(store, caplog):
    caplog.set_level(logging.INFO, logger=webhook.__name__)
    with Receiver(302, 500, 410, 204, 200) as receiver:
        send(store, f"{receiver.url}/hook?key=1", runs=("a", "b"))
    paths, headers, bodies = zip(*receiver.requests, strict=True)
    assert set(paths) == {"/hook?key=1"}
    runs = [json.loads(body)["data"]["run"] for body in bodies]
    assert runs == ["a", "a", "a", "a", "b"]
    ids = [each["webhook-id"] for each in headers]
    assert len(set(ids[:4])) == 1
    assert ids[4] != ids[0]
    for each, body in zip(headers, bodies, strict=True):
        signed = f"{each['webhook-id']}.{each['webhook-timestamp']}.".encode() + body
        digest = base64.b64encode(hmac.digest(b"key", signed, "sha256")).decode()
        assert each["webhook-signature"] == f"v1,{digest}"
        assert each["Content-Type"] == "application/json"
    failed, again = [record.getMessage() for record in caplog.records]
    assert failed == (
        "webhook: the answer was 302, and redirects are not followed; the event will be sent again"
    )
    assert again == "webhook: events are delivered again"


def test_a_receiver_that_never_answers_delays_an_event_and_an_old_one_is_given_up(
    store, caplog, monkeypatch
):
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(webhook, "MAX_AGE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        send(store, f"http://127.0.0.1:{silent.getsockname()[1]}/")
    (line,) = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"webhook: no answer within 0 s; the event msg_\w+ is given up", line)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:{free}/secret-path", "Connection refused"),
        ("http://receiver.invalid/secret-path", ""),
        ("http://a..b/secret-path", ""),
    ],
)
def test_an_address_that_fails_is_one_line_without_the_path(
    store, caplog, monkeypatch, url, reason
):
    monkeypatch.setattr(webhook, "MAX_AGE_S", 0)
    with reserved_port() as free:
        send(store, url.format(free=free))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"webhook: {reason}")
    assert line.endswith("is given up")
    assert "secret" not in line
    assert line.isprintable()


# -- the key --------------------------------------------------------------------------------------


def test_without_a_secret_the_first_start_makes_one(tmp_path):
    settings = Settings(data_dir=tmp_path, webhook_url="https://hooks.example.org")
    key = signing_key(settings)
    assert len(key) == 32
    stored = (tmp_path / "webhook-secret").read_text().strip()
    assert secret_key(stored) == key == signing_key(settings)
    assert signing_key(settings.model_copy(update={"webhook_secret": "any text"})) == b"any text"


# -- a whole server -------------------------------------------------------------------------------


def receiver_of_the_guide(port):
    """Start the receiver in docs/operations.md."""
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?HTTPServer.*?)```", guide, re.DOTALL)
    assert "9000" in source
    return subprocess.Popen(
        [sys.executable, "-c", source.replace("9000", str(port))],
        env={"HURRAH_WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def read_event(receiver):
    name, body = receiver.stdout.readline().split(" ", 1)
    return name, json.loads(body)


def test_a_later_server_delivers_what_could_not_be_delivered(tmp_path):
    with reserved_port() as port:
        deliver_later(tmp_path, port)


def deliver_later(tmp_path, port):
    environment = {
        "HURRAH_WEBHOOK_URL": f"http://127.0.0.1:{port}/secret-path",
        "HURRAH_WEBHOOK_SECRET": SECRET,
    }
    spec = {"hidden_size": 5, "watch_words": ["e"], "sample_every": 10, "max_updates": 20}
    with (tmp_path / "log").open("w+", encoding="utf-8") as log:
        server = RunningServer(tmp_path / "data", "--no-demo", stderr=log, **environment)
        corpus = server.upload(PAGES)["id"]
        run = server.create(corpus=corpus, name="Saltmere", **spec)
        server.until_ended(run)
        milestones = lambda: server.get(run, "milestones")  # noqa: E731
        until(lambda: any(each["kind"] == "hurrah" for each in milestones()))
        until(lambda: "webhook: " in (tmp_path / "log").read_text(encoding="utf-8"))
        server.kill()
        lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if "webhook: Connection refused" in line]) == 1
    assert "secret-path" not in "".join(lines)

    receiver = receiver_of_the_guide(port)
    try:
        with RunningServer(tmp_path / "data", "--no-demo", **environment) as server:
            events = [read_event(receiver) for _ in range(2)]
            found = {body["type"]: body["data"] for _, body in events}
            assert found["run.finished"]["update"] == 20
            assert found["run.hurrah"]["words"] == ["e"]
            assert {each["run"] for each in found.values()} == {run["id"]}
            assert len({name for name, _ in events}) == 2
            other = server.create(corpus=corpus, **spec | {"watch_words": []}, paused=True)
            server.post(other, "stop")
            _, body = read_event(receiver)
            assert (body["type"], body["data"]["run"]) == ("run.stopped", other["id"])
    finally:
        receiver.kill()
        receiver.communicate()


@pytest.mark.parametrize(
    "given",
    [
        {"HURRAH_WEBHOOK_URL": "hooks.example.org"},
        {"HURRAH_WEBHOOK_URL": "ftp://hooks.example.org"},
        {"HURRAH_WEBHOOK_URL": "https://"},
        {"HURRAH_WEBHOOK_URL": "https://user:password@hooks.example.org"},
        {"HURRAH_WEBHOOK_URL": "https://hooks.example.org:99999"},
        {"HURRAH_WEBHOOK_URL": "https://hooks.example.org/a b"},
        {"HURRAH_WEBHOOK_SECRET": "whsec_*"},
    ],
)
def test_a_malformed_address_or_key_refuses_to_start_with_one_sentence(monkeypatch, given):
    ((name, value),) = given.items()
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"must be") as error:
        Settings()
    (found,) = error.value.errors()
    assert found["loc"] == (name.removeprefix("HURRAH_").lower(),)


def test_a_malformed_address_is_reported_by_its_setting(tmp_path):
    data = tmp_path / "data"
    wrong = {"HURRAH_WEBHOOK_URL": "hooks.example.org/secret-path"}
    ended = run_command("serve", "--port", 0, "--data-dir", data, environment=wrong)
    assert ended.returncode == 2
    assert ended.stderr == (
        "HURRAH_WEBHOOK_URL: must be an address such as https://hooks.example.org/hurrah\n"
    )
    assert not data.exists()
    data.mkdir()
    (data / "webhook-secret").write_text("whsec_*\n")
    right = {"HURRAH_WEBHOOK_URL": "https://hooks.example.org"}
    ended = run_command("serve", "--port", 0, "--data-dir", data, environment=right)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"Cannot use {data / 'webhook-secret'}: it must be base64 after whsec_.\n"
    )
