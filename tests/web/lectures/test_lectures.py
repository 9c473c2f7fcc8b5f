"""Lectures: start, links, following, and who may present."""

import asyncio
import json
from xml.etree import ElementTree

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server.web.lectures.lectures import FILE, Lectures
from server.web.lectures.links import is_reachable
from tests.serving import LIMIT_S, RunningServer

VIEW = "/inside?run=abc&view=units&unit=0-3"
IN_BOX = {"kind": "box", "target": "chart", "x": 0.5, "y": 0.25}
ON_CURVE = {"kind": "curve", "update": 1234.5, "loss": 51.25}
IN_TEXT = {"kind": "text", "target": "sample-text", "index": 42}


class Follower:
    """A WebSocket of a lecture."""

    def __init__(self, server, lecture, key=None):
        self._address = f"{server.ws_url}/ws/lectures/{lecture}"
        self._key = key

    def send(self, **message):
        self._connection.send(json.dumps(message))

    def until(self, kind):
        """Return the next message of a type."""
        while True:
            message = json.loads(self._connection.recv(timeout=LIMIT_S))
            if message["type"] == kind:
                return message

    def closed(self):
        """Wait for the end of the connection; return its code and its reason."""
        try:
            while True:
                self._connection.recv(timeout=LIMIT_S)
        except ConnectionClosed as closed:
            return closed.rcvd.code, closed.rcvd.reason

    def __enter__(self):
        self._opened = connect(self._address)
        self._connection = self._opened.__enter__()
        if self._key is not None:
            self.send(type="present", key=self._key)
        return self

    def __exit__(self, *exception):
        self._opened.__exit__(*exception)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = RunningServer(
        tmp_path_factory.mktemp("data"), HURRAH_OPERATOR_TOKEN="secret", HURRAH_DEMO="false"
    )
    yield started
    started.terminate()


OPERATOR = {"Authorization": "Bearer secret"}


@pytest.fixture
def lecture(server):
    answer = server.client.post("/api/lectures", headers=OPERATOR)
    assert answer.status_code == 201
    return answer.json()


def test_followers_get_the_view_and_the_pointer(server, lecture):
    with Follower(server, lecture["id"]) as early:
        assert early.until("snapshot")["view"] is None
        with Follower(server, lecture["id"], lecture["key"]) as presenter:
            assert early.until("presenters")["presenters"] == 1
            presenter.send(type="view", view=VIEW)
            assert early.until("view")["view"] == VIEW
            for pointer in (IN_BOX, ON_CURVE, IN_TEXT):
                presenter.send(type="pointer", pointer=pointer)
                assert early.until("pointer")["pointer"] == pointer
            with Follower(server, lecture["id"].upper()) as late:
                snapshot = late.until("snapshot")
            assert (snapshot["view"], snapshot["presenters"]) == (VIEW, 1)
            polled = server.client.get(f"/api/lectures/{lecture['id']}/messages").json()
            assert polled[0]["view"] == VIEW
        # Nobody points any more, and the view stays.
        assert early.until("presenters")["presenters"] == 0
        assert early.until("pointer")["pointer"] is None


def test_the_pointer_of_a_presenter_ends_with_its_page(server, lecture):
    def presenting():
        return Follower(server, lecture["id"], lecture["key"])

    with Follower(server, lecture["id"]) as viewer, presenting() as tablet:
        tablet.send(type="pointer", pointer=ON_CURVE)
        assert viewer.until("pointer")["pointer"] == ON_CURVE
        with presenting() as laptop:
            laptop.send(type="pointer", pointer=IN_TEXT)
            assert viewer.until("pointer")["pointer"] == IN_TEXT
            # Another page takes away its own pointer alone.
            tablet.send(type="pointer", pointer=None)
            tablet.send(type="view", view=VIEW)
            viewer.until("view")
            with Follower(server, lecture["id"]) as late:
                assert late.until("snapshot")["pointer"] == IN_TEXT
        assert viewer.until("pointer")["pointer"] is None


def test_the_viewer_link_opens_what_the_presenter_looks_at(server, lecture):
    assert lecture["viewer_url"] == f"{server.url}/l/{lecture['id']}"
    assert lecture["presenter_url"] == f"{lecture['viewer_url']}#present={lecture['key']}"
    first = server.client.get(lecture["viewer_url"])
    assert (first.status_code, first.headers["location"]) == (303, f"/?lecture={lecture['id']}")
    with Follower(server, lecture["id"], lecture["key"]) as presenter:
        presenter.send(type="view", view=VIEW)
        presenter.until("view")
    then = server.client.get(lecture["viewer_url"])
    assert then.headers["location"] == f"{VIEW}&lecture={lecture['id']}"


def test_the_qr_code_is_an_image(server, lecture):
    answer = server.client.get(f"/api/lectures/{lecture['id']}/qr.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert ElementTree.fromstring(answer.content).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"type": "view", "view": "/"}], 4403),
        ([{"type": "present", "key": "wrong"}], 4403),
        (["key", {"type": "view", "view": "//evil.example/"}], 1008),
        (["key", {"type": "view", "view": "/api/runs"}], 1008),
        (["key", {"type": "pointer", "pointer": IN_BOX | {"x": 2}}], 1008),
        (["key", {"type": "pointer", "pointer": IN_BOX | {"target": "a b"}}], 1008),
        (["key", {"type": "pointer", "pointer": ON_CURVE | {"update": -1}}], 1008),
        (["key", {"type": "pointer", "pointer": ON_CURVE | {"loss": float("nan")}}], 1008),
        (["key", {"type": "pointer", "pointer": IN_TEXT | {"index": 1.5}}], 1008),
        (["key", {"type": "pointer", "pointer": IN_TEXT | {"x": 0}}], 1008),
        (["key", {"type": "pointer", "pointer": {"target": None, "x": 0, "y": 0}}], 1008),
        (["key", {"type": "unknown"}], 1008),
    ],
)
def test_only_the_presenter_shows_and_only_pages(server, lecture, messages, code):
    with (
        Follower(server, lecture["id"]) as viewer,
        Follower(server, lecture["id"]) as sender,
    ):
        for message in messages:
            if message == "key":
                sender.send(type="present", key=lecture["key"])
            else:
                sender.send(**message)
        found, reason = sender.closed()
        assert found == code
        assert reason.endswith(".")
        assert viewer.until("snapshot")["view"] is None
    assert server.client.get(lecture["viewer_url"]).headers["location"].startswith("/?lecture=")


def test_only_the_operator_starts_and_ends_a_lecture(server, lecture):
    path = f"/api/lectures/{lecture['id']}"
    assert server.client.post("/api/lectures").status_code == 401
    assert server.client.delete(path).status_code == 401
    with Follower(server, lecture["id"]) as viewer:
        assert server.client.delete(path, headers=OPERATOR).status_code == 204
        assert viewer.closed() == (4404, "The lecture has ended.")
    for ended in (server.client.get(path), server.client.get(f"{path}/qr.svg")):
        assert ended.status_code == 404
        assert ended.json()["detail"] == "There is no such lecture, or it has ended."
    with Follower(server, lecture["id"]) as viewer:
        assert viewer.closed()[0] == 4404
    # A phone opens a page that says so.
    assert server.client.get(lecture["viewer_url"]).status_code == 303


def test_a_restart_ends_no_lecture_and_stores_no_key(tmp_path):
    lecture, key = asyncio.run(Lectures(tmp_path).start())
    assert key not in (tmp_path / FILE).read_text()
    again = Lectures(tmp_path).get(lecture.stored.id)
    assert again.is_key(key)
    assert not again.is_key(key[:-1])


def test_a_data_directory_without_lectures_or_with_a_damaged_file_opens(tmp_path):
    assert Lectures(tmp_path)
    (tmp_path / FILE).write_text('[{"id": "..')
    assert Lectures(tmp_path)


@pytest.mark.parametrize(
    ("address", "reachable"),
    [
        ("http://localhost:8000/l/abcde", False),
        ("http://127.0.0.1:8000/l/abcde", False),
        ("http://[::1]:8000/l/abcde", False),
        ("http://192.168.1.5:8000/l/abcde", True),
        ("https://hurrah.example.org/l/abcde", True),
    ],
)
def test_an_address_of_this_machine_alone_is_not_reachable(address, reachable):
    assert is_reachable(address) is reachable
