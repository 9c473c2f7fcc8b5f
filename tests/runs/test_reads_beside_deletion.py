"""Reads beside the deletion of their run: each is complete, or fails with an error that says so."""

import asyncio
import contextlib
import json
import sqlite3
import threading

import httpx
import pytest

from server.settings import Settings
from server.web.app import create_app
from tests.serving import LIMIT_S, PAGES

pytestmark = pytest.mark.process

SMALL = {"hidden_size": 4, "sample_length": 50, "sample_every": 20, "max_updates": None}
UPDATES = 400
READS = {
    "the run": "",
    "loss": "/loss?points=5000",
    "loss with another smoothing": "/loss?smoothing=0.9",
    "first below": "/loss/first-below?smooth_loss=1",
    "positions": "/loss/positions",
    "explained": "/loss/explained",
    "losses": "/losses.csv",
    "samples": "/samples",
    "selected samples": "/samples?limit=10",
    "milestones": "/milestones",
    "checkpoints": "/checkpoints",
    "messages": "/messages",
    "surprisal": f"/surprisal?from=1&to={UPDATES}",
    "checkpoint": "/checkpoints/latest/file",
    "model": "/checkpoints/best/file",
}
# These read nothing for which a viewer waits.
NEED_NO_READ = {"the run", "messages", "checkpoint", "model"}
# Together they take longer than a deletion.
HELD_READS = 3_000
HELD_READ_S = 0.02


class Served:
    """The application in this process, and a client for it."""

    def __init__(self, app, client):
        self.store = app.state.services.supervisor.store
        self.client = client

    async def post(self, path, **body):
        answer = await self.client.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def trained(self):
        """Return the path of a paused run with losses, samples, milestones and a checkpoint."""
        run = await self.post("/api/runs", paused=True, corpus=self.corpus, **SMALL)
        path = f"/api/runs/{run['id']}"
        await self.post(f"{path}/step", updates=UPDATES)
        await self.post(f"{path}/checkpoints", note="a note")
        # Answered when every sample is stored.
        await self.client.get(f"{path}/milestones")
        return path

    @contextlib.contextmanager
    def reads_held(self):
        """Delay reads for viewers, but no writes, until the block ends."""
        released = threading.Event()
        self._held = [
            asyncio.create_task(self.store.low_priority(lambda _: released.wait(HELD_READ_S)))
            for _ in range(HELD_READS)
        ]
        try:
            yield
        finally:
            released.set()

    async def reads_wait(self, count):
        """Wait until so many reads wait behind those that are held."""
        async with asyncio.timeout(LIMIT_S):
            while self._waiting() < count:  # noqa: ASYNC110 - the store has no event for it
                await asyncio.sleep(0.001)

    def _waiting(self):
        # One of those that are held is running, or none any more.
        held = HELD_READS - 1 - sum(task.done() for task in self._held)
        return len(self.store._reads) - held


@contextlib.asynccontextmanager
async def serving(directory):
    app = create_app(Settings(data_dir=directory, demo=False))
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        served = Served(app, client)
        uploaded = await client.post("/api/corpora", files={"file": ("a.txt", PAGES.encode())})
        served.corpus = uploaded.json()["id"]
        yield served


def test_a_read_that_a_deletion_overtakes_is_not_found(tmp_path):
    async def compare():
        async with serving(tmp_path / "data") as served:
            path = await served.trained()
            for read in READS.values():
                answer = await served.client.get(path + read)
                assert answer.status_code == 200, (read, answer.text)
            # Another run, of which nothing is cached.
            path = await served.trained()
            with served.reads_held():
                reads = [
                    asyncio.create_task(served.client.get(path + read)) for read in READS.values()
                ]
                await served.reads_wait(len(READS) - len(NEED_NO_READ))
                deleted = await served.client.delete(path)
                assert deleted.status_code == 204, deleted.text
            return dict(zip(READS, await asyncio.gather(*reads), strict=True))

    for what, answer in asyncio.run(compare()).items():
        if answer.status_code == 200:
            # It needed nothing from the database, or was in time.
            assert what in NEED_NO_READ, (what, answer.text)
            assert len(answer.content) > 100, what
        else:
            assert answer.status_code == 404, (what, answer.text)
            assert answer.json()["detail"].startswith("There is no run"), what


def with_many_samples(serve, count, characters):
    """Return a server, and a paused run with so many samples of so many characters."""
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL)
    [sample] = server.get(run, "samples")
    server.terminate()
    sample["text"] = "x" * characters
    with contextlib.closing(sqlite3.connect(server.data_dir / "hurrah.db")) as database, database:
        database.executemany(
            "INSERT INTO samples VALUES (?, ?, ?)",
            (
                (run["id"], update, json.dumps(sample | {"update": update}))
                for update in range(1, count)
            ),
        )
    return serve("--no-demo"), run


def test_samples_of_a_run_deleted_midway_are_recognised_as_incomplete(serve):
    server, run = with_many_samples(serve, 3_000, 10_000)
    path = f"/api/runs/{run['id']}"
    plain = {"Accept-Encoding": "identity"}
    with server.client.stream("GET", f"{path}/samples", headers=plain) as answer:
        pieces = answer.iter_raw(1_000)
        assert next(pieces).startswith(b"[{")
        assert server.client.delete(path).status_code == 204
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in pieces:
                pass


def test_a_streamed_passage_of_a_deleted_run_ends_with_a_problem(serve):
    server = serve("--no-demo")
    corpus = server.upload(PAGES)
    run = server.create(corpus=corpus["id"], paused=True, **SMALL | {"hidden_size": 100})
    path = f"/api/runs/{run['id']}"
    asked = {"json": {"length": 20_000}, "params": {"stream": True}}
    with server.client.stream("POST", f"{path}/passages", **asked) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert "pieces" in json.loads(next(lines))
        assert server.client.delete(path).status_code == 204
        # Without its text the passage cannot be measured.
        assert server.client.delete(f"/api/corpora/{corpus['id']}").status_code == 204
        *_, last = (json.loads(line) for line in lines)
    assert (last["status"], last["detail"]) == (404, f"There is no run {run['id']!r}.")
