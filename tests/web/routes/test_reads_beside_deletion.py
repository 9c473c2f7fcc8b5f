"""Reads beside the deletion of their run: each is complete, or fails with an error that says so."""

import asyncio
import contextlib
import threading

import httpx
import pytest

from server.settings import Settings
from server.web.app import create_app
from tests.serving import PAGES

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
# Together they take longer than a deletion.
HELD_READS = 3_000
HELD_READ_S = 0.01


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
            with served.reads_held():
                await asyncio.sleep(0)
                reads = [
                    asyncio.create_task(served.client.get(path + read)) for read in READS.values()
                ]
                await asyncio.sleep(0)
                deleted = await served.client.delete(path)
                assert deleted.status_code == 204, deleted.text
            return dict(zip(READS, await asyncio.gather(*reads), strict=True))

    for what, answer in asyncio.run(compare()).items():
        if answer.status_code == 200:
            # It needed nothing from the database, or was in time.
            assert what in {"the run", "messages", "checkpoint", "model"}, (what, answer.text)
            assert len(answer.content) > 100, what
        else:
            assert answer.status_code == 404, (what, answer.text)
            assert answer.json()["detail"].startswith("There is no run"), what
