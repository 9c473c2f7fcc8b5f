"""The delivery check reports every kind of missed message."""

import pytest

from benchmarks.server.delivery import StoredRun, received_everything

SAMPLES = [{"update": update, "text": str(update)} for update in (10, 20, 30)]
EPOCH, NOTE = ({"id": "1", "kind": "epoch"}, {"id": "2", "kind": "note"})
OLD = {"id": "a", "automatic": True}
MANUAL = {"id": "b", "automatic": False}
STATES = [("one", "running"), ("two", "running"), ("two", "paused")]


def stored(samples=SAMPLES):
    def loss(first):
        return {"update": [30], "low": [1.0], "high": [9.0]} if first <= 30 else {"update": []}

    return StoredRun(samples, [EPOCH, NOTE], [MANUAL], STATES, loss)


def snapshot(samples=(), milestones=(), checkpoints=(), to=5, state=("none", "running")):
    return {
        "type": "snapshot",
        "samples": list(samples),
        "milestones": list(milestones),
        "checkpoints": list(checkpoints),
        "loss": {"to": to},
        "run_state": dict(zip(("name", "state"), state, strict=True)),
    }


def progress(*updates, low=1.0, high=9.0):
    ones = [1] * len(updates)
    curve = {"update": list(updates), "low": [low for _ in ones], "high": [high for _ in ones]}
    return {"type": "progress", "curve": curve}


def state(now):
    return {"type": "state", "run_state": dict(zip(("name", "state"), now, strict=True))}


def received():
    return [
        snapshot(SAMPLES[:1], [EPOCH], [OLD], to=12),
        progress(15, 20),
        state(STATES[0]),
        {"type": "sample", "sample": SAMPLES[1]},
        {"type": "milestone", "milestone": NOTE},
        {"type": "checkpoint", "checkpoint": MANUAL},
        state(STATES[1]),
        {"type": "viewers", "viewers": 3},
        progress(25, 30),
        {"type": "sample", "sample": SAMPLES[2]},
        state(STATES[2]),
    ]


def numbered(messages):
    return [message | {"seq": number} for number, message in enumerate(messages)]


def test_complete_messages_pass():
    assert received_everything(numbered(received()), stored())


@pytest.mark.parametrize("missing", [0, 2, 3, 4, 5, 6, 8, 9, 10])
def test_any_missing_message_fails(missing):
    messages = received()
    del messages[missing]
    assert not received_everything(numbered(messages), stored())


@pytest.mark.parametrize("kind", ["state", "milestone", "checkpoint", "sample", "progress"])
def test_a_missing_type_of_message_fails(kind):
    messages = [message for message in received() if message["type"] != kind]
    assert not received_everything(numbered(messages), stored())


def test_duplicates_and_wrong_order_fail():
    messages = received()
    assert not received_everything(numbered([*messages, messages[3]]), stored())
    messages[6], messages[10] = messages[10], messages[6]
    assert not received_everything(numbered(messages), stored())
    assert not received_everything([message | {"seq": 1} for message in received()], stored())
    assert not received_everything([], stored())


def test_a_curve_without_every_extreme_fails():
    messages = received()
    for piece in (1, 8):
        messages[piece] = progress(*messages[piece]["curve"]["update"], low=2.0)
    assert not received_everything(numbered(messages), stored())


def test_deletions_must_be_received():
    removed = StoredRun(SAMPLES, [EPOCH], [], STATES, stored().loss)
    assert not received_everything(numbered(received()), removed)
    gone = [
        {"type": "milestone_removed", "milestone_id": "2"},
        {"type": "checkpoint_deleted", "checkpoint_id": "b"},
    ]
    assert received_everything(numbered([*received(), *gone]), removed)


def test_a_later_snapshot_replaces_missed_messages():
    again = snapshot(SAMPLES[:2], [EPOCH, NOTE], [MANUAL], to=22, state=STATES[1])
    later = [{"type": "resync"}, again, *received()[8:]]
    assert received_everything(numbered([received()[0], *later]), stored())
    again["milestones"] = [EPOCH]
    assert not received_everything(numbered([received()[0], *later]), stored())
    again |= {"milestones": [EPOCH, NOTE], "run_state": received()[2]["run_state"]}
    assert not received_everything(numbered([received()[0], *later]), stored())
