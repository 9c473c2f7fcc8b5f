"""Commands and events are the same after they have been a line of JSON."""

import json

import pytest

from server.concurrency.typed_messages import (
    UnknownMessageError,
    decode_event,
    encode_command,
    encode_event,
)
from server.inference import messages as inference
from server.worker import messages as worker

REPORT = worker.Report(
    update=2,
    epoch=1,
    position=50,
    loss=1.0,
    smooth_loss=None,
    validation_loss=None,
    validation_update=None,
    best={"update": 1, "smooth_loss": 1.5},
    seconds=0.5,
    updates_per_second=3.0,
    state="running",
    runaway=False,
    high_losses_since=None,
    diverged_since=None,
    storage_error=None,
    notices=[],
    first=1,
    losses="",
    metrics={},
    curve={"update": [], "seconds": [], "smooth": [], "low": [], "high": []},
    happened_at=1.0,
    samples=[],
    epochs=[],
)


@pytest.mark.parametrize(
    ("command", "parse"),
    [
        (worker.Pause(), worker.parse_command),
        (worker.Step(updates=3), worker.parse_command),
        (worker.SaveCheckpoint(path="a.npz", about={"note": None}), worker.parse_command),
        (inference.CompareStepSizes(cell="gru"), inference.parse_command),
        (inference.Shutdown(), inference.parse_command),
    ],
)
def test_a_command_survives_the_line(command, parse):
    assert parse(json.loads(json.dumps(encode_command(command)))) == command
    assert parse(json.loads(json.dumps(encode_command(command, 7)))) == command


def test_an_event_survives_the_line():
    assert worker.parse_event(json.loads(json.dumps(encode_event(REPORT)))) == REPORT


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"do": "Dance", "id": 1}, "there is no command 'Dance'"),
        ({"id": 1}, "there is no command None"),
        ({"do": "Step", "id": 1}, "'Step' has the wrong fields"),
        ({"do": "Step", "updates": 1, "downdates": 2}, "'Step' has the wrong fields"),
    ],
)
def test_an_unknown_command_is_named(message, error):
    with pytest.raises(UnknownMessageError, match=error):
        worker.parse_command(message)


def test_an_unknown_event_is_named():
    with pytest.raises(UnknownMessageError, match="there is no event 'Rumour'"):
        decode_event({"event": "Rumour"}, [worker.Report])
