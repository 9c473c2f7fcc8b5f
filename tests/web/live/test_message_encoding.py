"""Each type of WebSocket message keeps its encoding."""

import asyncio
import json
from typing import get_args, get_type_hints

import pytest
from websockets.frames import Frame, Opcode

from server.corpora.quality import Quality
from server.spec import live_messages
from server.spec.live_messages import LiveMessage
from server.spec.run_spec import RunSpec
from server.spec.schemas import Best, Checkpoint, MetricBuckets, Milestone, Run, RunState, Sample
from server.web.live import broadcast
from server.web.live.broadcast import Broadcaster

NOW_S = 1_800_000_000.125

RUN = Run(
    id="0123456789ab",
    name="Größe",
    state=RunState.PAUSED,
    spec=RunSpec(corpus="book", watch_words=["Orla"]),
    corpus="book",
    corpus_name="A book",
    corpus_characters=100,
    updates_per_epoch=4,
    parameters=1,
    created_at="2026-01-01T00:00:00+00:00",
)
SAMPLE = Sample(
    update=2,
    epoch=1,
    smooth_loss=None,
    text="said Orla.",
    quality=Quality(real_words=0.5, longest_real_run=1, longest_copy=3),
    hurrahs=["Orla"],
    invented_words=[(0, 4)],
)
MILESTONE = Milestone(id="7", update=2, kind="hurrah", text="hurrah - Orla")
CHECKPOINT = Checkpoint(
    id="abcdef",
    update=2,
    smooth_loss=1e-05,
    note=None,
    bytes=10,
    created_at="2026-01-01T00:00:00+00:00",
)
CURVE = live_messages.Curve(update=[2], seconds=[0.5], smooth=[None], low=[1.0], high=[1e-05])
METRICS = live_messages.MetricPiece(
    update=[32],
    count=[1],
    metrics={"gradient_norm": MetricBuckets(mean=[1e-05], low=[None], high=[0.5])},
)
MESSAGES = [
    live_messages.ProgressMessage(
        type="progress",
        update=2,
        epoch=1,
        position=50,
        loss=1.0,
        smooth_loss=None,
        seconds=0.5,
        best=Best(update=1, smooth_loss=1.5),
        updates_per_second=3.0,
        curve=CURVE,
        metrics=METRICS,
        happened_at=NOW_S,
    ),
    live_messages.SampleMessage(type="sample", sample=SAMPLE),
    live_messages.MilestoneMessage(type="milestone", milestone=MILESTONE),
    live_messages.MilestoneRemovedMessage(type="milestone_removed", milestone_id="7"),
    live_messages.CheckpointMessage(type="checkpoint", checkpoint=CHECKPOINT),
    live_messages.CheckpointDeletedMessage(type="checkpoint_deleted", checkpoint_id="abcdef"),
    live_messages.StateMessage(type="state", run_state=RUN),
]
CONTENTS = {
    "progress": {
        "update": 2,
        "epoch": 1,
        "position": 50,
        "loss": 1.0,
        "smooth_loss": None,
        "seconds": 0.5,
        "best": {"update": 1, "smooth_loss": 1.5},
        "updates_per_second": 3.0,
        "curve": {
            "update": [2],
            "seconds": [0.5],
            "smooth": [None],
            "low": [1.0],
            "high": [1e-05],
        },
        "metrics": {
            "update": [32],
            "count": [1],
            "metrics": {"gradient_norm": {"mean": [1e-05], "low": [None], "high": [0.5]}},
        },
        "happened_at": NOW_S,
    },
    "sample": {"sample": SAMPLE.model_dump(mode="json")},
    "milestone": {"milestone": MILESTONE.model_dump(mode="json")},
    "milestone_removed": {"milestone_id": "7"},
    "checkpoint": {"checkpoint": CHECKPOINT.model_dump(mode="json")},
    "checkpoint_deleted": {"checkpoint_id": "abcdef"},
    "state": {"run_state": RUN.model_dump(mode="json")},
}


def test_every_published_message_type_is_tested():
    about_the_connection = {"viewers", "resync", "heartbeat"}
    declared = {get_args(get_type_hints(each)["type"])[0] for each in get_args(LiveMessage)}
    assert {message["type"] for message in MESSAGES} == declared - about_the_connection


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["type"])
def test_a_published_message_is_encoded_as_compact_json_in_a_fixed_order(message, monkeypatch):
    monkeypatch.setattr(broadcast, "_unix_time_s", lambda: NOW_S)

    async def publish():
        broadcaster = Broadcaster()
        channel = broadcaster.channel(RUN.id)
        channel.keep_logging()
        before = channel.seq
        broadcaster.publish(RUN.id, message)
        encoded = channel.next_message(before, coalesced=False)
        channel.close()
        return before, encoded.frames

    before, frames = asyncio.run(publish())
    kind = message["type"]
    expected = {
        "type": kind,
        "run": RUN.id,
        **CONTENTS[kind],
        "sent_at": NOW_S,
        "seq": before + 1,
    }
    text = json.dumps(expected, separators=(",", ":"), ensure_ascii=False).encode()
    assert frames == (Frame(Opcode.TEXT, text).serialize(mask=False),)
