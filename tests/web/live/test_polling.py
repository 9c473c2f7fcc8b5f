"""The messages of a run over HTTP, and why there is no WebSocket."""

import contextlib
import json

from websockets.sync.client import connect

from tests.serving import LIMIT_S, PAGES, RunningServer, until

SMALL = {"hidden_size": 10, "sample_length": 20}


def poll(server, run, since=None):
    """Return the messages without heartbeats, whose number depends on the time between polls."""
    query = {} if since is None else {"since": since}
    messages = server.get(run, "messages", **query)
    return [message for message in messages if message["type"] != "heartbeat"]


def test_the_messages_are_those_of_the_websocket(server):
    run = server.create(
        corpus=server.upload(PAGES)["id"], pace=50, max_updates=100, paused=True, **SMALL
    )
    with connect(f"{server.ws_url}/ws/runs/{run['id']}", max_size=None) as viewer:
        polled = poll(server, run)
        assert [message["type"] for message in polled] == ["snapshot"]
        sent = [json.loads(viewer.recv(timeout=LIMIT_S))]
        assert polled[0].keys() == sent[0].keys()
        assert polled[0]["run_state"] == sent[0]["run_state"]
        server.post(run, "resume")

        def ended():
            polled.extend(poll(server, run, polled[-1]["seq"]))
            return any(
                message["type"] == "state" and message["run_state"]["state"] == "finished"
                for message in polled
            )

        until(ended)
        last = polled[-1]["seq"]
        while sent[-1]["seq"] < last:
            sent.append(json.loads(viewer.recv(timeout=LIMIT_S)))
    numbers = [message["seq"] for message in polled]
    assert numbers == sorted(set(numbers))
    first = polled[0]["seq"]
    counted = {"progress", "heartbeat"}
    others = [m for m in sent[1:] if m["type"] not in counted and m["seq"] > first]
    assert [m for m in polled[1:] if m["type"] != "progress"] == others
    updates = [
        update
        for message in polled
        if message["type"] == "progress"
        for update in message["curve"]["update"]
    ]
    assert updates == [
        update
        for message in sent
        if message["type"] == "progress"
        for update in message["curve"]["update"]
    ]
    assert updates[-1] == 100


def resting(server):
    """Return a paused run of which no message is to be expected."""
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL)
    until(lambda: poll(server, run)[0]["samples"])
    return run


def test_a_strange_since_gets_a_snapshot(server):
    run = resting(server)
    for since in (0, -1, "x", 2**62, "9" * 40):
        [message] = poll(server, run, since)
        assert message["type"] == "snapshot"
    assert poll(server, run, message["seq"]) == []
    server.client.patch(f"/api/runs/{run['id']}", json={"name": "After"})
    # The milestone of the change may come with it.
    states = [each for each in poll(server, run, message["seq"]) if each["type"] == "state"]
    assert [each["run_state"]["name"] for each in states] == ["After"]
    server.problem(server.client.get("/api/runs/nobody/messages"), 404)


def test_an_ordinary_request_at_the_address_of_a_websocket_is_told_why_it_is_none(tmp_path):
    with (
        RunningServer(tmp_path / "data", "--no-demo", HURRAH_MAX_VIEWERS="2") as server,
        contextlib.ExitStack() as stack,
    ):
        run = server.create(paused=True, **SMALL)
        path = f"/ws/runs/{run['id']}"
        body = server.problem(answer := server.client.get(path), 426)
        assert answer.headers["upgrade"] == "websocket"
        assert "removed its Upgrade header" in body["detail"]
        for _ in range(2):
            stack.enter_context(connect(f"{server.ws_url}{path}")).recv(timeout=LIMIT_S)
        body = server.problem(answer := server.client.get(path), 429)
        assert body["detail"] == "The limit is 2 viewers at once."
        assert int(answer.headers["retry-after"]) > 0
        # Messages over HTTP need no place.
        assert poll(server, run)[0]["viewers"] == 2


def test_a_viewer_of_a_run_that_rests_gets_heartbeats(server):
    run = resting(server)
    with connect(f"{server.ws_url}/ws/runs/{run['id']}", max_size=None) as viewer:
        messages = [json.loads(viewer.recv(timeout=LIMIT_S)) for _ in range(5)]
        kinds = [message["type"] for message in messages]
        assert kinds[0] == "snapshot"
        assert kinds.count("heartbeat") >= 3
        assert {*kinds} <= {"snapshot", "heartbeat", "viewers"}
        # A heartbeat leaves the snapshot as it is: one that connects now gets the same.
        with connect(f"{server.ws_url}/ws/runs/{run['id']}", max_size=None) as other:
            assert json.loads(other.recv(timeout=LIMIT_S))["sent_at"] == messages[0]["sent_at"]
