"""The wall: all runs in one stream, the same for all its viewers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import connect

from server.history.loss_history import ReducedLoss
from server.spec.live_messages import Curve, SampleMessage
from server.spec.run_spec import RunSpec
from server.spec.schemas import Quality, Run, RunState, Sample
from server.web.live.frames import join_frames
from server.web.live.wall import RUNS_PER_READ, SNAPSHOT_CURVES, Wall
from tests.serving import LIMIT_S, PAGES, RunningServer

SAMPLE = Sample(
    update=2,
    epoch=1,
    smooth_loss=None,
    text="said\n Orla. " * 40,
    quality=Quality(real_words=0.5, longest_real_run=1, longest_copy=3),
)


def a_run(number: int) -> Run:
    return Run(
        id=f"{number:012x}",
        name=f"run {number}",
        state=RunState.RUNNING,
        spec=RunSpec(),
        corpus="book",
        corpus_name="A book",
        corpus_characters=100,
        updates_per_epoch=4,
        parameters=1,
        update=2,
        smooth_loss=60.0,
        created_at="2026-01-01T00:00:00+00:00",
    )


class FakeStore:
    """Answers reads of the wall; a function may be called during the next one."""

    def __init__(self) -> None:
        self.reads: list[list[str]] = []
        self.during = lambda: None

    async def low_priority(self, _query: object, runs: list[str], _points: int) -> list[Any]:
        self.reads.append(runs)
        await asyncio.sleep(0)
        during, self.during = self.during, lambda: None
        during()
        curve = np.array([70.0, 60.0])
        reduced = ReducedLoss(1, 2, 1, np.array([1, 2]), curve, curve - 1, curve + 1)
        return [(reduced, f"text of {run}") for run in runs]


def progress(*losses: float) -> dict[str, Any]:
    """A piece of the curve that begins with update 3."""
    updates = list(range(3, 3 + len(losses)))
    values: list[float | None] = list(losses)
    curve = Curve(update=updates, seconds=[], smooth=values, low=values, high=values)
    return {"type": "progress", "curve": curve}


class Watched:
    """A wall of some runs, and what a viewer of it knows."""

    def __init__(self, count: int) -> None:
        self.runs = [a_run(number) for number in range(count, 0, -1)]
        self.store = FakeStore()
        self.wall = Wall(lambda: list(self.runs), self.store)  # type: ignore[arg-type]
        self.wall.start()
        self.wall.channel.keep_logging()
        self.cursor = 0

    async def snapshot(self) -> dict[str, Any]:
        self.cursor, frames = await self.wall.read_snapshot()
        message: dict[str, Any] = json.loads(join_frames(frames))
        return message

    async def changes(self) -> dict[str, Any] | None:
        """The message of the next second, None if nothing has changed."""
        await self.wall._tick()
        message = self.wall.channel.next_message(self.cursor, coalesced=True)
        if message is None:
            return None
        self.cursor = message.seq
        found: dict[str, Any] = json.loads(join_frames(message.frames))
        return found


def in_a_loop(test: Any) -> Any:
    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


@in_a_loop
async def test_a_snapshot_is_read_a_few_runs_at_a_time_and_shared() -> None:
    watched = Watched(RUNS_PER_READ + 1)
    first = await watched.snapshot()
    assert [run["name"] for run in first["runs"]] == [run.name for run in watched.runs]
    shown = first["runs"][0]
    assert shown["text"] == f"text of {shown['id']}"
    assert shown["curve"]["low"] == [69.0, 59.0]
    assert "corpus" not in shown["spec"]
    assert await watched.snapshot() == first
    assert list(map(len, watched.store.reads)) == [RUNS_PER_READ, 1]


@in_a_loop
async def test_the_curves_of_older_runs_are_read_when_a_viewer_asks() -> None:
    watched = Watched(SNAPSHOT_CURVES + 1)
    runs = (await watched.snapshot())["runs"]
    assert [run["curve"] is None for run in runs] == [False] * SNAPSHOT_CURVES + [True]
    oldest = watched.runs[-1]
    (detail,) = await watched.wall.read_details([oldest.id, "unknown"])
    assert (detail["id"], detail["text"]) == (oldest.id, f"text of {oldest.id}")
    assert detail["curve"]["smooth"] == [70.0, 60.0]
    # The next snapshot is no larger, and from now on the curve is kept current.
    watched.wall.publish(oldest.id, progress(59.0))  # type: ignore[arg-type]
    message = await watched.changes()
    assert message is not None
    (figures,) = message["progress"]
    assert figures["curve"]["smooth"] == [59.0]
    assert (await watched.snapshot())["runs"] == runs


@in_a_loop
async def test_only_what_has_changed_is_sent() -> None:
    watched = Watched(3)
    await watched.snapshot()
    assert await watched.changes() is None
    trained, renamed, deleted = watched.runs
    trained.update, trained.smooth_loss = 4, 58.0
    watched.wall.publish(trained.id, progress(59.0, 58.0))  # type: ignore[arg-type]
    renamed.name = "other"
    watched.runs.remove(deleted)
    watched.wall.close(deleted.id)
    watched.runs.insert(0, new := a_run(9))
    message = await watched.changes()
    assert message is not None
    assert [run["name"] for run in message["runs"]] == ["other", new.name]
    assert message["removed"] == [deleted.id]
    (figures,) = message["progress"]
    assert (figures["id"], figures["update"], figures["text"]) == (trained.id, 4, None)
    assert (figures["curve"]["start"], figures["curve"]["smooth"]) == (2, [59.0, 58.0])
    watched.wall.publish(trained.id, SampleMessage(type="sample", sample=SAMPLE))
    message = await watched.changes()
    assert message is not None
    (figures,) = message["progress"]
    assert figures["text"].startswith("said Orla. said Orla.")
    assert len(figures["text"]) <= 160


@in_a_loop
async def test_what_happens_while_a_curve_is_read_is_not_lost() -> None:
    watched = Watched(1)
    (run,) = watched.runs

    def train() -> None:
        watched.wall.publish(run.id, progress(59.0))  # type: ignore[arg-type]
        watched.wall.publish(run.id, SampleMessage(type="sample", sample=SAMPLE))

    watched.store.during = train
    (shown,) = (await watched.snapshot())["runs"]
    assert shown["curve"]["smooth"] == [70.0, 60.0, 59.0]
    assert shown["text"].startswith("said Orla.")
    # What was read before the run went back in time is not the run's any more.
    watched.wall.restart(run.id)
    watched.store.during = lambda: watched.wall.restart(run.id)
    assert await watched.changes() is None
    message = await watched.changes()
    assert message is not None
    assert message["progress"][0]["curve"]["smooth"] == [70.0, 60.0]


@in_a_loop
async def test_without_viewers_nothing_is_kept_and_no_earlier_number_is_valid() -> None:
    watched = Watched(1)
    await watched.snapshot()
    seq = watched.wall.channel.seq
    watched.wall.channel._stop_logging()
    await watched.wall._tick()
    assert not watched.wall._cards
    watched.wall.start()
    watched.wall.channel.keep_logging()
    assert not watched.wall.channel.can_resume(seq)


@pytest.mark.process
def test_a_viewer_sees_a_run_begin_train_and_end(server: RunningServer) -> None:
    corpus = server.upload(PAGES)["id"]
    small = {"corpus": corpus, "hidden_size": 4, "sample_length": 20}
    first = server.create(**small, max_updates=50, sample_every=50)
    server.until_ended(first)
    with connect(f"{server.ws_url}/ws/wall", max_size=None) as viewer:
        known: dict[str, Any] = {}

        def receive(condition: Any) -> None:
            while not condition():
                message = json.loads(viewer.recv(timeout=LIMIT_S))
                for run in message.get("runs", []):
                    known[run["id"]] = run
                for figures in message.get("progress", []):
                    known[figures["id"]] |= figures
                for run in message.get("removed", []):
                    del known[run]

        receive(lambda: known)
        assert known[first["id"]]["state"] == "finished"
        assert len(known[first["id"]]["curve"]["smooth"]) <= 48
        # A sample is stored when its words are counted, which may be after the end of the run.
        receive(lambda: known[first["id"]]["text"])
        second = server.create(**small, max_updates=60)
        receive(lambda: known.get(second["id"], {}).get("state") == "finished")
        receive(lambda: known[second["id"]]["update"] == 60)
        # Over HTTP: a snapshot that may be a second old, and the messages after it.
        polled = server.client.get("/api/wall").json()
        assert [message["type"] for message in polled] == ["snapshot"]
        polled += server.client.get("/api/wall", params={"since": polled[0]["seq"]}).json()
        listed = {run["id"] for message in polled for run in message.get("runs", [])}
        assert listed == set(known)
        asked = server.client.get("/api/wall/curves", params={"runs": second["id"]}).json()
        assert asked[0]["curve"]["bucket"] == known[second["id"]]["curve"]["bucket"]
        server.problem(server.client.get("/api/wall/curves?runs=" + "x," * 100), 422)
        assert server.client.delete(f"/api/runs/{second['id']}").status_code == 204
        receive(lambda: second["id"] not in known)
    server.problem(server.client.get("/ws/wall"), 426)
