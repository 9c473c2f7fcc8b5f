"""Who was not told something is found out, whatever it was."""

import pytest

from benchmarks.server.delivery import Kept, was_told_all

SAMPLES = [{"update": update, "text": str(update)} for update in (10, 20, 30)]
EPOCH, NOTE = ({"id": "1", "kind": "epoch"}, {"id": "2", "kind": "note"})
OLD = {"id": "a", "automatic": True}
ASKED = {"id": "b", "automatic": False}
STATES = [("one", "running"), ("two", "running"), ("two", "paused")]


def kept(samples=SAMPLES):
    def loss(first):
        return {"update": [30], "low": [1.0], "high": [9.0]} if first <= 30 else {"update": []}

    return Kept(samples, [EPOCH, NOTE], [ASKED], STATES, loss)


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


def told():
    return [
        snapshot(SAMPLES[:1], [EPOCH], [OLD], to=12),
        progress(15, 20),
        state(STATES[0]),
        {"type": "sample", "sample": SAMPLES[1]},
        {"type": "milestone", "milestone": NOTE},
        {"type": "checkpoint", "checkpoint": ASKED},
        state(STATES[1]),
        {"type": "viewers", "viewers": 3},
        progress(25, 30),
        {"type": "sample", "sample": SAMPLES[2]},
        state(STATES[2]),
    ]


def numbered(messages):
    return [message | {"seq": number} for number, message in enumerate(messages)]


def test_who_was_told_all_was():
    assert was_told_all(numbered(told()), kept())


@pytest.mark.parametrize("missing", [0, 2, 3, 4, 5, 6, 8, 9, 10])
def test_whatever_is_missing_is_missed(missing):
    messages = told()
    del messages[missing]
    assert not was_told_all(numbered(messages), kept())


@pytest.mark.parametrize("kind", ["state", "milestone", "checkpoint", "sample", "progress"])
def test_a_kind_that_is_never_told_is_missed(kind):
    messages = [message for message in told() if message["type"] != kind]
    assert not was_told_all(numbered(messages), kept())


def test_what_comes_out_of_turn_or_twice_is_not_taken_for_it():
    messages = told()
    assert not was_told_all(numbered([*messages, messages[3]]), kept())
    messages[6], messages[10] = messages[10], messages[6]
    assert not was_told_all(numbered(messages), kept())
    assert not was_told_all([message | {"seq": 1} for message in told()], kept())
    assert not was_told_all([], kept())


def test_a_curve_must_have_every_extreme():
    messages = told()
    for piece in (1, 8):
        messages[piece] = progress(*messages[piece]["curve"]["update"], low=2.0)
    assert not was_told_all(numbered(messages), kept())


def test_what_was_removed_must_be_known_to_be():
    removed = Kept(SAMPLES, [EPOCH], [], STATES, kept().loss)
    assert not was_told_all(numbered(told()), removed)
    gone = [
        {"type": "milestone_removed", "milestone_id": "2"},
        {"type": "checkpoint_deleted", "checkpoint_id": "b"},
    ]
    assert was_told_all(numbered([*told(), *gone]), removed)


def test_a_later_snapshot_stands_for_what_was_missed_before_it():
    again = snapshot(SAMPLES[:2], [EPOCH, NOTE], [ASKED], to=22, state=STATES[1])
    later = [{"type": "resync"}, again, *told()[8:]]
    assert was_told_all(numbered([told()[0], *later]), kept())
    again["milestones"] = [EPOCH]
    assert not was_told_all(numbered([told()[0], *later]), kept())
    again |= {"milestones": [EPOCH, NOTE], "run_state": told()[2]["run_state"]}
    assert not was_told_all(numbered([told()[0], *later]), kept())
