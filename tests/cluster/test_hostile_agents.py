"""What an agent can do with its token: send news and files of its run, and nothing else."""

import asyncio
import errno
import hashlib
import json
from types import SimpleNamespace

import pytest

from server.cluster import frames
from server.cluster.dask_cluster import DaskCluster, Placed, token_hash
from server.cluster.frames import PIECE_BYTES, FrameError, FrameReader, encode_frame
from server.cluster.remote_worker import RemoteWorker, SocketClosedError
from server.concurrency.child_process import ChildRefusedError
from server.store.placements import Placement
from server.worker.messages import SaveCheckpoint
from tests.crash.test_full_disk import disk, fill  # noqa: F401 - a fixture
from tests.serving import LIMIT_S

HELLO = {"type": "hello", "agent": "a", "session": None, "received": 0, "spec": None}
HELLO |= {"started": False}


class Agent:
    """The other end of a `RemoteWorker`'s WebSocket."""

    def __init__(self, directory):
        self.directory = directory
        self.events, self.lost, self.answers, self.closed = [], [], [], []
        self.gone = asyncio.Event()
        self._messages = asyncio.Queue()
        self._reader = FrameReader()
        self._answered = asyncio.Event()

        async def on_event(event):
            self.events.append(event)

        async def on_exit(how):
            self.lost.append(how)
            self.gone.set()

        async def end_placement(*, lost):
            pass

        (directory / "snapshots").mkdir(parents=True)
        self.worker = RemoteWorker("lab-01", directory, on_event, on_exit, end_placement)
        self._serving = asyncio.create_task(self.worker.serve(self))

    # -- the server's side of the socket ----------------------------------------------------------

    async def send(self, message):
        if frame := self._reader.read(message):
            self.answers.append(frame[0])
            self._answered.set()

    async def receive(self):
        if (message := await self._messages.get()) is None:
            raise SocketClosedError
        return message

    async def close(self, code, reason):
        self.closed.append(code)
        self._answered.set()
        self._messages.put_nowait(None)

    # -- the test's side --------------------------------------------------------------------------

    def put(self, header, content=b""):
        for message in encode_frame(header, content):
            self._messages.put_nowait(message)

    def put_bytes(self, message):
        self._messages.put_nowait(message)

    async def answer(self, kind):
        """Return the next answer of a type; the connection may be closed instead."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for at, answer in enumerate(self.answers):
                    if answer["type"] == kind:
                        return self.answers.pop(at)
                if self.closed:
                    return None
                self._answered.clear()
                await self._answered.wait()

    async def leave(self):
        self._messages.put_nowait(None)
        async with asyncio.timeout(LIMIT_S):
            await self._serving
        await self.worker.end("the test is over")


def with_agent(test):
    """Run a test, a coroutine function, with an agent that has said hello."""

    def run(tmp_path):
        async def inside():
            agent = Agent(tmp_path / "run")
            agent.put(HELLO)
            assert await agent.answer("welcome")
            await test(agent)
            await agent.leave()

        asyncio.run(inside())

    run.__name__ = test.__name__
    return run


def upload(agent, path, content, *, sha256=None, size=None):
    sha256 = hashlib.sha256(content).hexdigest() if sha256 is None else sha256
    size = len(content) if size is None else size
    agent.put({"type": "upload", "upload": 1, "path": path, "size": size, "sha256": sha256})
    for start in range(0, len(content), PIECE_BYTES):
        agent.put({"type": "piece", "upload": 1}, content[start : start + PIECE_BYTES])


def files(directory):
    return {path.name for path in directory.parent.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0",
        b"\2\0\0\0\2{}",
        b"\0\0\0\0\2[]",
        b"\0\0\0\0\2{}",
        b"\0\0\0\0\x05hello",
        b"\0\xff\xff\xff\xff{}",
        b"\0" + (3).to_bytes(4) + b"\xff\xff\xff",
        b"\0" + (30_000).to_bytes(4) + b"[" * 30_000,
    ],
)
def test_bytes_that_are_no_frame_are_refused(message):
    with pytest.raises(FrameError):
        FrameReader().read(message)


def test_a_frame_is_limited_before_it_is_complete(monkeypatch):
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 100_000)
    reader = FrameReader()
    for _ in range(3):
        assert reader.read(b"\1" + bytes(30_000)) is None
    with pytest.raises(FrameError):
        reader.read(b"\1" + bytes(30_000))


@with_agent
async def test_a_malformed_frame_closes_the_connection_and_not_the_placement(agent):
    agent.put_bytes(b"\0\0\0\0\2[]")
    assert await agent.answer("ack") is None
    assert agent.closed == [1002]
    assert agent.worker.alive


@with_agent
async def test_a_report_with_other_sizes_than_it_says_is_refused(agent):
    agent.put({"type": "report", "number": 1, "report": {}, "arrays": {"losses": 80}}, bytes(8))
    assert await agent.answer("ack") is None
    assert (agent.events, agent.closed) == ([], [1002])


@with_agent
async def test_an_exit_without_a_text_is_refused(agent):
    agent.put({"type": "exit", "number": 1, "how": []})
    assert await agent.answer("ack") is None
    assert (agent.lost, agent.closed) == ([], [1002])


@with_agent
async def test_the_text_of_an_exit_is_cut(agent):
    agent.put({"type": "exit", "number": 1, "how": "x" * 100_000})
    async with asyncio.timeout(LIMIT_S):
        await agent.gone.wait()
    assert agent.lost == ["x" * 200]


@pytest.mark.parametrize(
    "path",
    [
        "../../passwords",
        "/etc/passwd",
        "checkpoints/latest.npz",
        "snapshots/../../../x.npz",
        "snapshots/1.npz/../../x",
        "snapshots/\uff11.npz",
        "snapshots/" + "9" * 30 + ".npz",
        "files/1.npz",
        "",
    ],
)
def test_a_file_that_was_not_asked_for_is_refused(tmp_path, path):
    @with_agent
    async def refused(agent):
        upload(agent, path, b"content")
        assert (await agent.answer("stored"))["error"] == "It was not asked for."
        assert files(agent.directory) == set()

    refused(tmp_path)


@with_agent
async def test_a_file_with_another_checksum_is_refused_and_removed(agent):
    upload(agent, "snapshots/5.npz", b"content", sha256="0" * 64)
    assert (await agent.answer("stored"))["error"] == "The file was damaged on its way."
    assert files(agent.directory) == set()


@with_agent
async def test_a_file_that_is_larger_than_it_says_closes_the_connection(agent):
    upload(agent, "snapshots/5.npz", b"content", size=3)
    assert await agent.answer("stored") is None
    assert agent.closed == [1002]
    assert files(agent.directory) == set()


@with_agent
async def test_a_file_is_stored_only_where_the_server_says(agent):
    """The path that the agent names is that of a command, which has the real one."""
    target = agent.directory / "checkpoints" / "abc.npz"
    target.parent.mkdir()
    request = asyncio.create_task(
        agent.worker.request(SaveCheckpoint(path=str(target), about={"id": "abc"}))
    )
    command = (await agent.answer("command"))["command"]
    assert str(agent.directory) not in json.dumps(command)
    upload(agent, command["path"], b"content")
    assert (await agent.answer("stored"))["error"] is None
    agent.put({"type": "reply", "number": 1, "reply": {"answer": command["id"], "update": 3}})
    assert (await request)["update"] == 3
    assert target.read_bytes() == b"content"


@pytest.mark.process
def test_a_checkpoint_for_which_the_server_has_no_space_is_refused_and_removed(disk):  # noqa: F811 - a fixture
    @with_agent
    async def test(agent):
        target = agent.directory / "checkpoints" / "abc.npz"
        target.parent.mkdir()
        command = SaveCheckpoint(path=str(target), about={"id": "abc"})

        async def save(number, content):
            request = asyncio.create_task(agent.worker.request(command))
            asked = (await agent.answer("command"))["command"]
            upload(agent, asked["path"], content)
            stored = await agent.answer("stored")
            reply = {"answer": asked["id"], "update": 5}
            if stored["error"] is not None:
                reply |= {"refused": stored["error"], "errno": stored["errno"]}
            agent.put({"type": "reply", "number": number, "reply": reply})
            return await request

        ballast = fill(disk)
        # A small file is written when it is complete, a large one in parts.
        for number, size in enumerate([7, 3_000_000], start=1):
            with pytest.raises(ChildRefusedError, match="No space left on device") as refused:
                await save(number, bytes(size))
            assert refused.value.errno == errno.ENOSPC
            assert files(agent.directory) == {ballast.name}
        # The connection is as it was.
        ballast.unlink()
        assert (await save(3, bytes(3_000_000)))["update"] == 5
        assert files(agent.directory) == {target.name}

    test(disk)


@with_agent
async def test_an_agent_gets_no_file_but_those_of_its_start(agent):
    (agent.directory / "secret").write_text("secret")
    agent.put({"type": "get", "file": "../secret"})
    async with asyncio.timeout(LIMIT_S):
        await agent.gone.wait()
    assert not any(answer["type"] == "file" for answer in agent.answers)


@with_agent
async def test_a_second_agent_with_the_same_token_is_turned_away(agent):
    other = Agent.__new__(Agent)
    other.__dict__ |= {"answers": [], "closed": [], "_reader": FrameReader()}
    other._messages, other._answered = asyncio.Queue(), asyncio.Event()
    other.put(HELLO | {"agent": "another"})
    serving = asyncio.create_task(agent.worker.serve(other))
    assert await other.answer("welcome") is None
    assert other.closed == [4409]
    await serving
    assert agent.worker.connected


def test_a_token_is_for_one_placement_of_one_run():
    placement = Placement("lab-01", "tcp://10.0.0.1:1", "scheduler", 1)
    workers = {run: object() for run in ("one", "two")}
    placed = {
        run: Placed(placement, 2, token_hash(f"token of {run}"), worker)
        for run, worker in workers.items()
    }
    cluster = SimpleNamespace(_placed=placed)

    def find(run, token):
        return DaskCluster.find(cluster, run, token)

    assert find("one", "token of one") is workers["one"]
    for run, token in [
        ("one", "token of two"),  # of another run
        ("one", "token of placement 1"),  # of an older placement
        ("one", ""),
        ("one", token_hash("token of one")),  # what is stored
        ("one", "\xe9"),
        ("three", "token of one"),
    ]:
        assert find(run, token) is None
