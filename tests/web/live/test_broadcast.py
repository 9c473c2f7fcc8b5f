"""The channel from which all viewers of a run read."""

import asyncio
import json

import pytest
from websockets.frames import Opcode

from server.spec.schemas import MetricBuckets
from server.web.live import broadcast, frames
from server.web.live.broadcast import Channel
from tests.jumping_time import run_with_jumping_time


def progress(update, points=2):
    ends = [update - points + 1 + at for at in range(points)]
    curve = {
        "update": ends,
        "smooth": [end + 0.5 for end in ends],
        "low": [end - 1.0 if end % 3 else None for end in ends],
        "high": [end + 1.0 if end % 3 else None for end in ends],
        "seconds": [end / 100 for end in ends],
    }
    measured = [end for end in ends if end % 2 == 0]
    metrics = {"update": measured, "count": [1] * len(measured), "metrics": {}}
    # The first messages are those of a worker that does not know the second metric.
    for name in ("norm", "share") if update > 2_500 else ("norm",):
        values = [end / 10 for end in measured]
        metrics["metrics"][name] = MetricBuckets(mean=values, low=values, high=values)
    common = {"type": "progress", "update": update, "loss": update / 7}
    return common | {"curve": curve, "metrics": metrics}


def channel_with_log():
    """Return a channel as a viewer leaves it who may reconnect."""
    channel = Channel("run")
    channel.keep_logging()
    return channel


def read(frames):
    """Return the message in WebSocket frames, parsed as a client does."""
    parts = []
    for number, frame in enumerate(frames):
        opcode = Opcode.TEXT if number == 0 else Opcode.CONT
        assert frame[0] == opcode | (0x80 if number == len(frames) - 1 else 0)
        size, start = frame[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(frame[2:start])
        assert len(frame) == start + size
        parts.append(frame[start:])
    return json.loads(b"".join(parts))


def all_after(channel, cursor, *, coalesced):
    found = []
    while (message := channel.next_message(cursor, coalesced=coalesced)) is not None:
        found.append(read(message.frames))
        cursor = message.seq
        assert found[-1]["seq"] == cursor
    return found


def in_a_loop(test):
    def run(*arguments, **named):
        async def inside():
            test(*arguments, **named)

        asyncio.run(inside())

    run.__name__ = test.__name__
    return run


@in_a_loop
def test_a_viewer_that_lags_gets_coalesced_progress_and_all_else():
    channel = channel_with_log()
    start = channel.seq
    for update in (2, 4, 6):
        channel.publish(progress(update))
    channel.publish({"type": "sample", "sample": {"update": 6}})
    for update in (8, 10):
        channel.publish(progress(update))
    channel.publish({"type": "milestone", "milestone": {"update": 10}})
    channel.publish(progress(12))
    one_by_one = all_after(channel, start, coalesced=False)
    assert [m["seq"] for m in one_by_one] == list(range(start + 1, start + 9))
    together = all_after(channel, start, coalesced=True)
    kinds = [m["type"] for m in together]
    assert kinds == ["progress", "sample", "progress", "milestone", "progress"]
    assert [m["seq"] - start for m in together] == [3, 4, 6, 7, 8]
    for name in ("update", "smooth", "low", "high", "seconds"):
        curves = [
            [value for m in messages if m["type"] == "progress" for value in m["curve"][name]]
            for messages in (one_by_one, together)
        ]
        assert curves[0] == curves[1]
    last = next(m for m in one_by_one if m.get("update") == 6)
    joined = {field: together[0][field] for field in ("curve", "metrics")}
    assert together[0] == last | joined
    assert joined["metrics"]["update"] == [2, 4, 6]
    assert joined["metrics"]["metrics"]["norm"]["mean"] == [0.2, 0.4, 0.6]
    # A cursor in the middle of messages that others get coalesced.
    assert all_after(channel, start + 1, coalesced=True)[0]["curve"]["update"] == [3, 4, 5, 6]


@in_a_loop
def test_a_channel_that_nobody_has_watched_keeps_nothing():
    channel = Channel("run")
    start = channel.seq
    channel.publish(progress(2))
    assert not channel.logging
    assert channel.seq == start + 1
    assert not channel.can_resume(start)
    channel.keep_logging()
    channel.publish(progress(4))
    assert [m["update"] for m in all_after(channel, start + 1, coalesced=False)] == [4]


@in_a_loop
def test_a_coalesced_curve_is_bounded_and_keeps_every_extreme():
    channel = channel_with_log()
    start = channel.seq
    for update in range(10, 5_001, 10):
        channel.publish(progress(update, points=10))
    (message,) = all_after(channel, start, coalesced=True)
    curve, before = message["curve"], 0
    assert curve["update"][-1] == 5_000
    assert len(curve["update"]) <= frames.MAX_COALESCED_POINTS
    for at, end in enumerate(curve["update"]):
        known = [update for update in range(before + 1, end + 1) if update % 3]
        assert curve["low"][at] == min(known) - 1.0
        assert curve["high"][at] == max(known) + 1.0
        assert curve["smooth"][at] == end + 0.5
        assert curve["seconds"][at] == end / 100
        before = end
    metrics, before = message["metrics"], 0
    assert metrics["update"][-1] == sum(metrics["count"]) * 2 == 5_000
    assert len(metrics["update"]) <= frames.MAX_COALESCED_POINTS
    norm, share = metrics["metrics"]["norm"], metrics["metrics"]["share"]
    for at, end in enumerate(metrics["update"]):
        known = [update / 10 for update in range(before + 2, end + 1, 2)]
        assert metrics["count"][at] == len(known)
        assert (norm["low"][at], norm["high"][at]) == (min(known), max(known))
        assert norm["mean"][at] == pytest.approx(sum(known) / len(known))
        assert share["high"][at] == (norm["high"][at] if end > 2_500 else None)
        before = end


@in_a_loop
def test_losses_that_are_not_finite_stay_null():
    curve = {"update": list(range(1, 601)), "smooth": [None] * 600}
    curve |= {"low": [None] * 600, "high": [None] * 600}
    none = MetricBuckets(mean=[None] * 600, low=[None] * 600, high=[None] * 600)
    metrics = {"update": curve["update"], "count": [1] * 600, "metrics": {"norm": none}}
    joined = frames.coalesce([{"type": "progress", "curve": curve, "metrics": metrics}])
    assert set(joined["curve"]["low"]) == set(joined["curve"]["high"]) == {None}
    assert set(joined["metrics"]["metrics"]["norm"].mean) == {None}


@pytest.mark.parametrize("viewers", [0, broadcast.CROWD_VIEWERS - 1])
def test_a_small_audience_gets_progress_at_once(viewers, monkeypatch):
    monkeypatch.setattr(broadcast, "CROWD_PROGRESS_INTERVAL_S", 3_600.0)
    monkeypatch.setattr(broadcast, "MAX_PROGRESS_DELAY_S", 3_600.0)

    async def inside():
        channel = channel_with_log()
        channel.viewers = viewers
        start = channel.seq
        for update in (2, 4, 6):
            channel.publish(progress(update))
        assert len(all_after(channel, start, coalesced=False)) == 3

    asyncio.run(inside())


def test_a_crowd_gets_progress_less_often_and_in_order(monkeypatch):
    monkeypatch.setattr(broadcast, "CROWD_PROGRESS_INTERVAL_S", 3_600.0)
    monkeypatch.setattr(broadcast, "MAX_PROGRESS_DELAY_S", 3_600.0)

    async def inside():
        channel = channel_with_log()
        channel.viewers = broadcast.CROWD_VIEWERS
        start = channel.seq
        for update in (2, 4, 6):
            channel.publish(progress(update))
        assert [m["update"] for m in all_after(channel, start, coalesced=False)] == [2]
        # Other messages are not delayed, and flush the progress before them.
        channel.publish({"type": "state", "run_state": {}})
        messages = all_after(channel, start, coalesced=False)
        assert [m.get("update") for m in messages] == [2, 6, None]
        assert [m["seq"] for m in messages] == [start + 1, start + 2, start + 3]
        assert messages[1]["curve"]["update"] == [3, 4, 5, 6]
        # A snapshot flushes delayed progress as well.
        channel.publish(progress(8))
        channel.flush_progress()
        assert all_after(channel, start + 3, coalesced=False)[0]["update"] == 8
        channel.flush_progress()
        assert channel.seq == start + 4

    asyncio.run(inside())


def test_delayed_progress_is_sent_after_the_delay(monkeypatch):
    monkeypatch.setattr(broadcast, "CROWD_PROGRESS_INTERVAL_S", 3_600.0)

    async def inside():
        loop = asyncio.get_running_loop()
        channel = channel_with_log()
        channel.viewers = broadcast.CROWD_VIEWERS
        start = channel.seq
        await asyncio.sleep(1.0)
        channel.publish(progress(2))
        channel.publish(progress(4))
        began_s = loop.time()
        await channel.wait(start + 1)
        assert loop.time() - began_s == pytest.approx(broadcast.MAX_PROGRESS_DELAY_S)
        assert all_after(channel, start + 1, coalesced=False)[0]["update"] == 4

    run_with_jumping_time(inside())


def test_progress_after_a_pause_is_sent_at_once(monkeypatch):
    monkeypatch.setattr(broadcast, "CROWD_PROGRESS_INTERVAL_S", 0.0)
    monkeypatch.setattr(broadcast, "MAX_PROGRESS_DELAY_S", 3_600.0)

    async def inside():
        channel = channel_with_log()
        channel.viewers = broadcast.CROWD_VIEWERS
        start = channel.seq
        for update in (2, 4):
            channel.publish(progress(update))
        messages = all_after(channel, start, coalesced=False)
        assert [m["update"] for m in messages] == [2, 4]

    asyncio.run(inside())


@in_a_loop
def test_the_log_is_bounded_in_messages_and_in_bytes():
    channel = channel_with_log()
    start = channel.seq
    for update in range(broadcast.MAX_LOG_MESSAGES):
        channel.publish({"type": "milestone", "milestone": {"update": update}})
    assert channel.contains(start)
    channel.publish({"type": "milestone", "milestone": {"update": -1}})
    assert not channel.contains(start)
    assert channel.contains(start + 1)
    large = {"type": "sample", "sample": {"text": "x" * (broadcast.MAX_LOG_BYTES // 4)}}
    for _ in range(4):
        channel.publish(large)
    assert not channel.contains(channel.seq - 4)
    assert len(all_after(channel, channel.seq - 3, coalesced=True)) == 3


@in_a_loop
def test_a_large_snapshot_comes_in_frames_with_the_viewer_count():
    channel = channel_with_log()
    content = {"samples": ["\u00e9\U0001f600" * 50_000]}
    _, made = channel.cache_snapshot(json.dumps(content).encode())
    assert len(made) > 4
    assert max(map(len, made)) <= frames.FRAME_BYTES + 10
    channel.viewers = 12
    _, again = channel.cached_snapshot(running=False)
    assert read(again)["samples"] == content["samples"]
    assert read(made)["viewers"] == 0
    assert read(again)["viewers"] == 12
    # All viewers share the large frames.
    assert all(one is other for one, other in zip(made[:-1], again[:-1], strict=True))


def test_a_snapshot_is_reused_until_a_message_or_for_a_second_while_running(monkeypatch):
    monkeypatch.setattr(broadcast, "SNAPSHOT_CACHE_S", 3_600.0)

    async def inside():
        channel = channel_with_log()
        seq, _ = channel.cache_snapshot(b'{"samples":[]}')
        channel.publish({"type": "viewers", "viewers": 3})
        assert (
            channel.cached_snapshot(running=False)[0]
            == channel.cached_snapshot(running=True)[0]
            == seq
        )
        channel.publish(progress(2))
        # If the run is not running, a new viewer must get its latest update.
        assert channel.cached_snapshot(running=False) is None
        assert channel.cached_snapshot(running=True)[0] == seq
        assert all_after(channel, seq, coalesced=False)[-1]["update"] == 2
        # A new snapshot for every message would be one for every viewer that joins meanwhile.
        for kind in ("sample", "milestone", "checkpoint", "state"):
            channel.publish({"type": kind})
            assert channel.cached_snapshot(running=True)[0] == seq
            assert all_after(channel, seq, coalesced=False)[-1]["type"] == kind
        assert channel.cached_snapshot(running=False) is None
        # After the run went back, the old snapshot is invalid.
        channel.restart()
        assert channel.cached_snapshot(running=True) is None
        seq, _ = channel.cache_snapshot(b'{"samples":[]}')
        for _ in range(broadcast.MAX_LOG_MESSAGES):
            channel.publish({"type": "sample", "sample": {}})
        assert channel.cached_snapshot(running=True)[0] == seq
        channel.publish({"type": "sample", "sample": {}})
        assert channel.cached_snapshot(running=True) is None
        monkeypatch.setattr(broadcast, "SNAPSHOT_CACHE_S", 0.0)
        channel.cache_snapshot(b'{"samples":[]}')
        channel.publish(progress(4))
        assert channel.cached_snapshot(running=True) is None

    asyncio.run(inside())


def test_sequence_numbers_never_repeat_after_a_restart(monkeypatch):
    began_ns = 1_800_000_000 * 10**9
    second_of_messages = 1_238

    async def inside():
        monkeypatch.setattr(broadcast.time, "time_ns", lambda: began_ns)
        earlier = channel_with_log()
        for update in range(second_of_messages):
            earlier.publish({"type": "milestone", "milestone": {"update": update}})
        # The server is killed and restarted within a second, and publishes as many messages.
        monkeypatch.setattr(broadcast.time, "time_ns", lambda: began_ns + 10**9)
        channel = channel_with_log()
        for update in range(broadcast.MAX_LOG_MESSAGES):
            assert not channel.can_resume(earlier.seq)
            channel.publish({"type": "milestone", "milestone": {"update": update}})
        # The largest exact integers in JavaScript.
        assert channel.seq < 2**53

    asyncio.run(inside())


def test_the_log_of_a_run_without_viewers_is_freed(monkeypatch):
    monkeypatch.setattr(broadcast, "LOG_RETENTION_S", 0.01)
    happening = {"type": "sample", "sample": {}}

    async def inside():
        channel = channel_with_log()
        channel.join()
        channel.publish(happening)
        channel.cache_snapshot(b'{"samples":[]}')
        await asyncio.sleep(0.02)
        # There is a viewer.
        assert channel.can_resume(channel.seq - 1)
        channel.leave()
        assert channel.can_resume(channel.seq - 1)
        last = channel.seq
        await asyncio.sleep(0.02)
        assert not channel.can_resume(last - 1)
        assert channel.cached_snapshot(running=False) is None
        # A viewer that reconnects with the last number has missed nothing.
        assert channel.can_resume(last)
        channel.publish(happening)
        channel.publish(progress(2))
        assert channel.seq == last + 2
        assert not channel.can_resume(last)
        assert not channel.can_resume(channel.seq - 1)
        channel.join()
        channel.publish(happening)
        assert [m["seq"] for m in all_after(channel, last + 2, coalesced=True)] == [last + 3]
        channel.leave()
        channel.join()
        await asyncio.sleep(0.02)
        assert channel.can_resume(last + 2)
        channel.leave()
        channel.close()

    run_with_jumping_time(inside())


def test_quiet_viewers_get_heartbeats(monkeypatch):
    interval_s = broadcast.HEARTBEAT_INTERVAL_S
    # No other messages come in between.
    monkeypatch.setattr(broadcast, "VIEWER_COUNT_INTERVAL_S", 3_600.0)

    async def inside():
        loop = asyncio.get_running_loop()
        channel = channel_with_log()
        before = channel.seq
        await asyncio.sleep(3 * interval_s)
        assert channel.seq == before
        channel.join()
        channel.join()
        began_s = loop.time()
        for number in (1, 2, 3):
            await channel.wait(before + number - 1)
            # One for both viewers. The first comes at once, because nothing was sent for so long.
            assert loop.time() - began_s == pytest.approx((number - 1) * interval_s)
            [*_, message] = all_after(channel, before, coalesced=True)
            assert (message["type"], message["seq"]) == ("heartbeat", before + number)
        # Other messages take their place.
        channel.cache_snapshot(b'{"samples":[]}')
        last = channel.seq
        for _ in range(10):
            channel.publish(progress(2))
            await asyncio.sleep(0.4 * interval_s)
        assert {m["type"] for m in all_after(channel, last, coalesced=False)} == {"progress"}
        channel.leave()
        last = channel.seq
        await channel.wait(last)
        channel.leave()
        last = channel.seq
        await asyncio.sleep(3 * interval_s)
        assert channel.seq == last
        channel.join()
        await channel.wait(last)
        channel.close()

    run_with_jumping_time(inside())


def test_a_heartbeat_leaves_a_cached_snapshot_current():
    async def inside():
        channel = channel_with_log()
        channel.join()
        number, _ = channel.cache_snapshot(b'{"samples":[]}')
        await channel.wait(number)
        again = channel.cached_snapshot(running=False)
        assert again is not None
        assert again[0] == number
        channel.close()

    run_with_jumping_time(inside())


def test_a_message_is_joined_from_its_frames():
    for size in (1, 125, 126, frames.FRAME_BYTES, 3 * frames.FRAME_BYTES + 5):
        message = bytes(at % 251 for at in range(size))
        assert frames.join_frames(frames.split_into_frames(message)) == message
