"""Limits of requests, sizes and counts."""

import contextlib
import json
import select
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from server.files.storage_quota import bytes_below
from tests.hostile import raw
from tests.serving import LIMIT_S, PAGES, RunningServer, until

SMALL = {"hidden_size": 5, "sample_length": 10, "paused": True}
TOKEN = "a token for tests"
# Few parameters, and many logits for each.
WIDE = "".join(chr(0x4E00 + number) for number in range(6_600))


# -- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A server with a token and low limits."""
    limits = {
        "VIEWER_PASSAGES_PER_MINUTE": 4,
        "VIEWER_CHECKS_PER_MINUTE": 3,
        "VIEWER_DOWNLOADS_PER_MINUTE": 2,
        "VIEWER_SURPRISALS_PER_MINUTE": 3,
        "MAX_RUNS": 2,
        "MAX_CORPORA": 2,
        "MAX_VIEWERS": 2,
        "MAX_PASSAGE_CHARACTERS": 2_000,
        "MAX_PROBE_CHARACTERS": 7_000,
        "MAX_NETWORK_BYTES": 3_000_000,
        "OPERATOR_TOKEN": TOKEN,
    }
    environment = {f"HURRAH_{name}": str(value) for name, value in limits.items()}
    with RunningServer(tmp_path_factory.mktemp("narrow"), "--no-demo", **environment) as running:
        running.operator = {"Authorization": f"Bearer {TOKEN}"}
        yield running


@pytest.fixture(scope="module")
def tight(tmp_path_factory):
    """A server on which one request may wait, and one database read."""
    limits = {"HURRAH_MAX_WAITING_REQUESTS": "1", "HURRAH_MAX_READ_REQUESTS": "1"}
    with RunningServer(tmp_path_factory.mktemp("tight"), "--no-demo", **limits) as running:
        yield running


def as_operator(server, method, path, **what):
    return server.client.request(method, path, headers=server.operator, **what)


@pytest.fixture(scope="module")
def run(narrow):
    answer = as_operator(narrow, "POST", "/api/runs", json=SMALL)
    assert answer.status_code == 201
    return answer.json()


def until_refused(server, named, method, *paths, **what):
    """Send requests until one is refused, at most twenty; return how many were accepted.

    On a slow machine the bucket fills meanwhile, but never as fast as this takes from it.
    """
    for asked in range(20):
        answer = server.client.request(method, paths[asked % len(paths)], **what)
        if answer.status_code != 200:
            assert named in server.problem(answer, 429)["detail"]
            assert 0 < int(answer.headers["retry-after"]) <= 60
            return asked
    raise AssertionError("nobody refused")


def test_viewers_are_rate_limited_and_the_operator_is_not(narrow, run):
    address = f"/api/runs/{run['id']}"
    passages, check = f"{address}/passages", "/api/gradient-check"
    files = [f"{address}/losses.csv", f"{address}/checkpoints/best/file"]
    few = "4 passages of 1,000 characters a minute from one address"
    assert until_refused(narrow, few, "POST", passages, json={"length": 1_500}) >= 2
    streamed = f"{passages}?stream=true"
    until_refused(narrow, few, "POST", streamed, json={"length": 2_000})
    few = "3 gradient checks a minute from one address"
    assert until_refused(narrow, few, "POST", check, json={"hidden_size": 3}) >= 3
    until_refused(narrow, few, "POST", f"{check}/steps", json={})
    training = {"hidden_size": 1, "updates": 1}
    until_refused(narrow, few, "POST", "/api/course/mistakes", json=training)
    assert until_refused(narrow, "2 downloads a minute", "GET", *files) >= 2
    for _ in range(6):
        assert as_operator(narrow, "POST", passages, json={"length": 2_000}).status_code == 200
        assert as_operator(narrow, "POST", check, json={"hidden_size": 3}).status_code == 200
        assert as_operator(narrow, "GET", files[0]).status_code == 200


def test_the_operator_can_watch_when_all_places_are_taken(narrow, run):
    address = f"{narrow.ws_url}/ws/runs/{run['id']}"
    with contextlib.ExitStack() as held:
        for _ in range(2):
            held.enter_context(connect(address))
        with pytest.raises(InvalidStatus) as refused:
            connect(address)
        assert refused.value.response.status_code == 429
        for _ in range(3):
            held.enter_context(connect(address, additional_headers=narrow.operator))


def test_waiting_requests_are_limited(tight):
    run = tight.create(paused=True, hidden_size=800)
    path = f"{tight.url}/api/runs/{run['id']}/passages"
    ask = partial(httpx.post, json={"length": 6_000}, timeout=LIMIT_S)

    def refused_at_once():
        with ThreadPoolExecutor(4) as asking:
            answers = list(asking.map(ask, [path] * 4))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) < len(answers)
        return refused

    # Each takes a second, so that of several at once one is running and one waits. If this process
    # stalls, they may come one after the other.
    for answer in until(refused_at_once):
        tight.problem(answer, 429)
        assert answer.headers["retry-after"]


def test_abandoned_passages_delay_nobody(tight):
    """Each would take a minute, and one request may wait."""
    run = tight.create(paused=True, hidden_size=1_400, cell="lstm", sample_length=1)
    path = f"/api/runs/{run['id']}/passages"
    for query in ("", "?stream=true"):
        for _ in range(3):
            until(lambda query=query: is_abandoned_in_progress(tight, path, query))
            # The client has left: the next passage is admitted, and written.
            until(lambda: not is_refused(tight, path))


def is_abandoned_in_progress(server, path, query):
    """Ask for a passage, and leave once it is in progress; whether it was admitted."""
    body = json.dumps({"length": 20_000})
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    with raw.connect(server) as connection:
        connection.sendall(raw.head(server, f"POST {path}{query} HTTP/1.1", *lines))
        connection.sendall(body.encode())

        def is_answered():
            return bool(select.select([connection], [], [], 0)[0])

        # Once it is in progress, another one is refused.
        until(lambda: is_answered() or is_refused(server, path))
        return not is_answered() or b" 200 " in connection.recv(64, socket.MSG_PEEK)


def is_refused(server, path):
    """Whether a short passage is refused, because others are in progress."""
    answer = server.client.post(path, json={"length": 1})
    if answer.status_code == 200:
        return False
    server.problem(answer, 429)
    return True


def test_only_computed_surprisals_are_rate_limited(narrow, run):
    address = f"/api/runs/{run['id']}/surprisal"
    stepped = as_operator(narrow, "POST", f"/api/runs/{run['id']}/step", json={"updates": 60})
    assert stepped.status_code == 200
    known = [f"{address}?update=1", f"{address}?from=1&to=1", address]
    others = [f"{address}?from={update}&to={update}" for update in range(2, 22)]
    for _ in range(10):
        assert all(narrow.client.get(path).status_code == 200 for path in known)
    few = "3 surprisal requests a minute from one address"
    assert until_refused(narrow, few, "GET", *others) >= 2
    assert all(narrow.client.get(path).status_code == 200 for path in known)
    for path in others:
        assert as_operator(narrow, "GET", path).status_code == 200
    # So are probes, which share the limit.
    probe = f"/api/runs/{run['id']}/probe"
    body = {"text": "Orla", "units": False, "saliency": True}
    assert as_operator(narrow, "POST", probe, json=body).status_code == 200
    assert narrow.client.post(probe, json=body).status_code == 200
    texts = iter(PAGES[:20])
    until(lambda: narrow.client.post(probe, json=body | {"text": next(texts)}).status_code == 429)


def test_runs_and_texts_are_limited(narrow, run):
    second = as_operator(narrow, "POST", "/api/runs", json=SMALL)
    assert second.status_code == 201
    for path, body in [
        ("/api/runs", SMALL),
        (f"/api/runs/{run['id']}/fork", {"checkpoint": "latest"}),
    ]:
        answer = as_operator(narrow, "POST", path, json=body)
        assert "The limit is 2 runs" in narrow.problem(answer, 409)["detail"]
    assert len(narrow.client.get("/api/runs").json()) == 2
    gone = as_operator(narrow, "DELETE", f"/api/runs/{second.json()['id']}")
    assert gone.status_code == 204

    file = {"file": ("a.txt", PAGES.encode())}
    assert as_operator(narrow, "POST", "/api/corpora", files=file).status_code == 201
    answer = as_operator(narrow, "POST", "/api/corpora", files=file)
    assert "The limit is 2 texts" in narrow.problem(answer, 409)["detail"]
    assert len(narrow.client.get("/api/corpora").json()) == 2


def at_once(ask, *, times=8):
    """Send concurrent requests, and count the statuses."""
    with ThreadPoolExecutor(times) as many:
        answers = [many.submit(ask, number) for number in range(times)]
        return Counter(answer.result().status_code for answer in answers)


def test_concurrent_requests_do_not_exceed_the_limits(serve):
    server = serve(
        "--no-demo",
        HURRAH_MAX_RUNS="2",
        HURRAH_MAX_CORPORA="3",
        HURRAH_MAX_SAVED_PASSAGES="2",
    )

    def ask(method, path, **what):
        return lambda _: server.client.request(method, path, **what)

    def upload(data):
        return ask("POST", "/api/corpora", files={"file": ("a.txt", data)})

    assert at_once(ask("POST", "/api/runs", json=SMALL)) == {201: 2, 409: 6}
    run, other = server.client.get("/api/runs").json()
    server.client.delete(f"/api/runs/{other['id']}")
    fork = ask("POST", f"/api/runs/{run['id']}/fork", json={"checkpoint": "latest"})
    assert at_once(fork) == {201: 1, 409: 7}
    assert len(server.client.get("/api/runs").json()) == 2

    # A refused upload frees its place.
    assert set(at_once(upload(bytes(1_000)))) <= {415, 409}
    assert at_once(upload(PAGES.encode())) == {201: 2, 409: 6}
    assert len(server.client.get("/api/corpora").json()) == 3

    passages = [server.post(run, "passages", {"length": 5, "seed": seed}) for seed in range(8)]

    def keep(number):
        wanted = {"run": run["id"], "fingerprint": passages[number]["fingerprint"]}
        return server.client.post("/api/passages", json=wanted)

    assert at_once(keep) == {201: 2, 409: 6}


@pytest.mark.parametrize(
    ("what", "body", "field", "named"),
    [
        ("passages", {"length": 2_001}, "length", "2,000"),
        ("passages", {"length": 20_001}, "length", "20000"),
        ("passages", {"prime": "x" * 7_001}, "prime", "7,000"),
        ("passages", {"temperatures": [1] * 11}, "temperatures", "10"),
        ("passages", {"temperature": 101}, "temperature", "100"),
        ("check", {"text": "ab" * 3_501}, "text", "7,000"),
        ("check", {"hidden_size": 100, "sequence_length": 100}, "sequence_length", "51"),
        ("check", {"hidden_size": 1, "text": WIDE, "sequence_length": 4}, "sequence_length", "2"),
        ("check", {"hidden_size": 128}, "hidden_size", "20,000"),
        ("checkpoints", {"note": "x" * 501}, "note", "500"),
        ("step", {"updates": 1_000_001}, "updates", "1000000"),
        ("runs", {"hidden_size": 500, "sequence_length": 1_000}, "hidden_size", "3 MB"),
        ("runs", {"sequence_length": 500, "batch_size": 100}, "hidden_size", "3 MB"),
        ("runs", {"sample_length": 20_001}, "sample_length", "20000"),
        ("runs", {"watch_words": ["x" * 61]}, "watch_words", "60"),
        ("runs", {"watch_words": [f"x{n}" for n in range(51)]}, "watch_words", "50"),
        ("runs", {"name": "x" * 121}, "name", "120"),
        ("runs", {"layers": 5}, "layers", "4"),
        ("runs", {"max_updates": 10**12 + 1}, "max_updates", "1000000000000"),
    ],
)
def test_values_over_a_limit_are_refused_with_the_limit(narrow, run, what, body, field, named):
    path = {"runs": "/api/runs", "check": "/api/gradient-check"}.get(
        what, f"/api/runs/{run['id']}/{what}"
    )
    answer = as_operator(narrow, "POST", path, json=body)
    wrong = narrow.problem(answer, 422)
    assert [error["field"] for error in wrong["errors"]] == [field]
    assert named in wrong["detail"]
    assert len(narrow.client.get("/api/runs").json()) == 1


def test_the_size_of_the_data_directory_is_limited(serve):
    first = serve("--no-demo")
    large = first.create(hidden_size=100, paused=True)
    for _ in range(3):
        first.post(large, "checkpoints")
    limit = bytes_below(first.data_dir) + 200_000
    shown = f"{limit:,} bytes" if limit < 1_000_000 else f"{limit / 1e6:,.0f} MB"
    assert first.terminate() == 0
    server = serve("--no-demo", HURRAH_MAX_STORED_BYTES=str(limit))

    # A run pauses while the directory is full.
    run = server.create(hidden_size=5, sample_length=10, max_updates=None, pace=20_000)
    paused = server.until(run, lambda now: now["disk_full"])
    assert paused["state"] == "paused"
    assert f"may contain {shown}" in paused["error"]
    assert paused["error"].endswith("resumes automatically when there is space.")
    update = server.run(run)["update"]
    assert server.client.delete(f"/api/runs/{large['id']}").status_code == 204
    server.until(run, lambda now: now["state"] == "running" and now["update"] > update)
    assert server.client.delete(f"/api/runs/{run['id']}").status_code == 204

    # Requests that store something are refused.
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, hidden_size=100, paused=True)
    made = 0
    while (answer := server.client.post(f"/api/runs/{run['id']}/checkpoints")).status_code == 201:
        made += 1
        assert made < 100
    assert f"may contain {shown}" in server.problem(answer, 409)["detail"]
    server.problem(server.client.post("/api/runs", json=SMALL), 409)
    server.problem(
        server.client.post(f"/api/runs/{run['id']}/fork", json={"checkpoint": "latest"}), 409
    )
    file = {"file": ("a.txt", PAGES.encode())}
    server.problem(server.client.post("/api/corpora", files=file), 409)
    assert len(server.client.get("/api/corpora").json()) == 2
    server.delete_runs()
    assert server.upload(PAGES)["id"]


def test_database_reads_are_limited(tight):
    run = tight.create(**SMALL)

    def ask(first):
        # Equal requests would share one read.
        return tight.client.get(f"/api/runs/{run['id']}/loss", params={"from": first})

    def ask_at_once(pool):
        refused = [answer for answer in pool.map(ask, range(32)) if answer.status_code != 200]
        for answer in refused:
            assert "1 database reads" in tight.problem(answer, 429)["detail"]
            assert int(answer.headers["retry-after"]) > 0
        return refused

    with ThreadPoolExecutor(16) as pool:
        until(lambda: ask_at_once(pool))
    assert ask(0).status_code == 200


def test_a_lecture_hall_that_zooms_in_at_once_is_not_refused(server):
    run = server.create(**SMALL)
    server.post(run, "step", {"updates": 600})
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(raw.connect(server)) for _ in range(500)]
        for number, connection in enumerate(connections):
            address = f"/api/runs/{run['id']}/loss?from={number + 1}&smoothing=0.9"
            connection.sendall(raw.head(server, f"GET {address} HTTP/1.1"))
        for connection in connections:
            status, _, body = raw.read_response(connection)
            assert status == 200, body
