"""Frames and reports between the server and an agent."""

import base64

import numpy as np
import pytest

from server.cluster import reports
from server.cluster.frames import FrameError, FrameReader, encode_frame
from server.worker.messages import decode_numbers, parse_event


def read(messages):
    reader = FrameReader()
    frames = [frame for message in messages if (frame := reader.read(message))]
    assert len(frames) == 1
    return frames[0]


@pytest.mark.parametrize("size", [0, 1, 32_000, 32_768, 65_534, 1_000_000])
def test_a_frame_of_any_size_arrives_as_it_was_sent(size):
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    messages = list(encode_frame({"type": "piece", "upload": 3}, content))
    assert max(map(len, messages)) <= 32_768
    assert read(messages) == ({"type": "piece", "upload": 3}, content)


@pytest.mark.parametrize(
    "message", [b"", b"\0", b"\2\0\0\0\2{}", b"\0\0\0\0\1{", b"\0\0\0\0\2{}", b"\0\0\0\0\2[]"]
)
def test_a_malformed_frame_is_refused(message):
    with pytest.raises(FrameError):
        FrameReader().read(message)


def test_a_frame_without_end_is_refused():
    reader = FrameReader()
    part = b"\1" + bytes(2**25)
    assert reader.read(part) is None
    with pytest.raises(FrameError, match="too large"):
        reader.read(part)


def line(first, losses, *, measured=(), samples=()):
    """Return a report of some updates as a worker writes it."""

    def encode(numbers):
        return base64.b64encode(np.array(numbers, dtype=float).tobytes()).decode()

    update = first + len(losses) - 1
    names = ("loss", "smooth_loss", "validation_loss", "validation_update", "best")
    fields = dict.fromkeys([*names, "storage_error", "high_losses_since", "diverged_since"])
    return fields | {
        "event": "Report",
        "update": update,
        "epoch": 1,
        "position": 0,
        "seconds": 0.0,
        "updates_per_second": 1.0,
        "state": "running",
        "runaway": False,
        "notices": [],
        "epochs": [],
        "happened_at": 0.0,
        "first": first,
        "losses": encode(losses),
        "metrics": {"gradient_norm": encode(measured)},
        "samples": [{"update": each} for each in samples],
        "curve": {
            "update": [update] if losses else [],
            "seconds": [0.0] if losses else [],
            "smooth": [1.0] if losses else [],
            "low": [min(losses)] if losses else [],
            "high": [max(losses)] if losses else [],
        },
    }


def test_a_report_arrives_in_binary():
    sent = reports.from_line(line(1, [3.0, 1.0, 2.0], measured=[0.5], samples=[2]))
    header, content = read(encode_frame(*reports.to_frame(sent, 7)))
    assert header["number"] == 7
    report = parse_event(reports.from_frame(header, content))
    assert decode_numbers(report.losses).tolist() == [3.0, 1.0, 2.0]
    assert decode_numbers(report.metrics["gradient_norm"]).tolist() == [0.5]
    with pytest.raises(FrameError):
        reports.from_frame(header, content[:-1])


def test_merged_reports_have_every_update_and_a_short_curve():
    lines = [line(first, [float(first), -1.0], samples=[first]) for first in range(1, 600, 2)]
    merged = reports.from_line(lines[0])
    for each in lines[1:]:
        merged = reports.merge(merged, reports.from_line(each))
    report = parse_event(merged)
    assert (report.first, report.update) == (1, 600)
    assert len(decode_numbers(report.losses)) == 600
    assert [each["update"] for each in report.samples] == list(range(1, 600, 2))
    curve = report.curve
    assert len({len(values) for values in curve.values()}) == 1
    assert len(curve["update"]) <= 100
    assert curve["update"] == sorted(curve["update"])
    assert curve["update"][-1] == 600
    assert (min(curve["low"]), max(curve["high"])) == (-1.0, 599.0)


def test_a_report_without_history_says_only_how_the_run_is():
    last = reports.without_history(reports.from_line(line(5, [1.0, 2.0], samples=[6])))
    report = parse_event(last)
    assert (report.first, report.update, report.samples) == (7, 6, [])
    assert report.losses == b""
