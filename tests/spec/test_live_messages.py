"""The types of the WebSocket messages agree with the documentation and with the fixed names."""

import re
from pathlib import Path
from typing import get_args, get_type_hints

from server.spec.live_messages import Curve, Envelope, LiveMessage, SnapshotContent

PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
WEBSOCKET = PROTOCOL.partition("## WebSocket")[2]
ENVELOPE = set(get_type_hints(Envelope))
# Other clients rely on these names; fields and types may be added.
FIXED = {
    "snapshot": {"run_state", "loss", "samples", "milestones", "checkpoints", "viewers"},
    "progress": {
        "update",
        "epoch",
        "position",
        "loss",
        "smooth_loss",
        "best",
        "updates_per_second",
        "curve",
    },
    "sample": {"sample"},
    "milestone": {"milestone"},
    "checkpoint": {"checkpoint"},
    "state": {"run_state"},
    "resync": set(),
}


def fields_by_type():
    """Return the fields of each message type beside the envelope, as the types declare them."""
    fields = {"snapshot": set(SnapshotContent.model_fields) | {"viewers"}}
    for message in get_args(LiveMessage):
        hints = get_type_hints(message)
        (name,) = get_args(hints["type"])
        fields[name] = set(hints) - ENVELOPE
    return fields


def test_the_fixed_names_are_there():
    fields = fields_by_type()
    assert {"type", "run", "seq"} <= ENVELOPE
    assert {"update", "smooth", "low", "high"} <= set(get_type_hints(Curve))
    for name, fixed in FIXED.items():
        assert fixed <= fields[name], name


def test_the_documented_messages_are_the_declared_ones():
    rows = re.findall(r"^\| `(\w+)` \| (.*?)\| .+ \|$", WEBSOCKET, re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows}
    assert documented == fields_by_type()


def test_the_documented_envelope_and_curve_are_the_declared_ones():
    envelope = WEBSOCKET.partition("Every message is JSON with ")[2].partition(":")[0]
    assert set(re.findall(r"`(\w+)`", envelope)) == ENVELOPE
    curve = re.search(r"`curve` is `\{(.+?)\}`", WEBSOCKET)[1]
    assert set(re.findall(r'"(\w+)"', curve)) == set(get_type_hints(Curve))
