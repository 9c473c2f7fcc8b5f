"""Thousands of random requests during training: no error, no leak, no effect on the run."""

import http.client
import json
import random
import string
from itertools import pairwise

import pytest

from tests.hostile.conftest import faultless
from tests.hostile.process_usage import files_without_connections, resident_bytes
from tests.serving import LIMIT_S, PAGES

REQUESTS, WARMING_UP = 1_500, 500
CONNECTIONS = 10
# A leak grows again and again. What is allocated once, such as a cache, may come at any time.
MEASUREMENTS = 2
LEAK_BYTES_PER_REQUEST = 8_000
NETWORK = {"hidden_size": 8, "sample_length": 20, "sample_every": 1_000, "seed": 11}


class Storm:
    """Reproducible random requests, none of which may change the run."""

    def __init__(self, server, run, corpus):
        self._random = random.Random(2_024)
        self._server = server
        self._run, self._corpus = run["id"], corpus
        self._connections = [
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
            for _ in range(CONNECTIONS)
        ]
        self.statuses = {}

    def blow(self, requests):
        """Send requests over several keep-alive connections at once."""
        for _ in range(requests // CONNECTIONS):
            for connection in self._connections:
                connection.request(*self._request())
            for connection in self._connections:
                answer = connection.getresponse()
                body = answer.read()
                self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
                assert answer.status < 500, body
                if answer.status >= 400:
                    assert answer.headers["content-type"] == "application/problem+json"

    def close(self):
        for connection in self._connections:
            connection.close()

    def _request(self):
        return self._reading() if self._random.random() < 0.5 else self._changing()

    def _reading(self):
        pick, word = self._random.choice, self._word()
        here = self._address()
        number = pick(["0", "1", "-1", "50", "1e9", "99999999999999999999", "x", ""])
        text = f"/api/corpora/{self._corpus}/text"
        path = pick(
            [
                *("/", "/healthz", "/api/runs", "/api/corpora", "/nothing", "/openapi.json"),
                *(f"{here}/surprisal?update={number}", f"{here}/samples?limit={number}"),
                *(here, f"{here}/samples", f"{here}/milestones", f"{here}/checkpoints"),
                *(f"{here}/loss?from={number}&points={number}", f"{here}/loss/positions"),
                *(f"{here}/checkpoints/{word}/file", f"{here}/{word}", f"{here}/loss"),
                *(f"{text}?from={number}&to={number}", f"/{word}?{word}={number}"),
                *("/api/corpora/x/text", "/static/js/watch.js", f"/static/{word}.js"),
            ]
        )
        return "GET", path, None, {}

    def _changing(self):
        pick, word = self._random.choice, self._word()
        here = self._address()
        method = pick(["POST", "PATCH", "PUT", "DELETE", "POST", "POST"])
        body = pick([self._json, self._bytes])()
        headers = {"Content-Type": pick([*["application/json"] * 4, "text/plain"])}
        if method == "DELETE":
            return method, pick(["/api/runs/x", f"/api/corpora/{word}", "/api/runs"]), body, headers
        if method == "PATCH":
            return method, pick([here, "/api/runs/x", "/api/runs"]), body, headers
        path = pick(
            [
                *(f"{here}/passages", f"{here}/passages", f"{here}/step", f"{here}/fork"),
                *("/api/runs", "/api/corpora", "/api/gradient-check", f"{here}/checkpoints"),
                *("/api/runs/x/pause", "/api/runs/x/stop", f"/{word}"),
            ]
        )
        if path.endswith("/passages") and self._random.random() < 0.3:
            body = json.dumps({"length": 20, "seed": 1})
        return method, path, body, headers

    def _address(self):
        return f"/api/runs/{self._random.choice([self._run, self._run, self._word(), '%00', '..'])}"

    def _word(self):
        return "".join(self._random.choices(string.ascii_lowercase, k=8))

    def _bytes(self):
        return self._random.randbytes(self._random.randrange(1, 200))

    def _json(self):
        # An unknown field makes every body invalid.
        pick = self._random.choice
        names = ("seed", "name", "hidden_size", "updates", "note", "length", "checkpoint", "text")
        values = (1, -1, 1e308, "x", "\ud800", None, [], {}, True, [[[]]], 10**30)
        return json.dumps({pick(names): pick(values), pick(names): pick(values), self._word(): 1})


@pytest.mark.timeout(300)
def test_thousands_of_random_requests_while_a_run_trains(tmp_path):
    with faultless(tmp_path) as server:
        corpus = server.upload(PAGES)["id"]
        run = server.create(corpus=corpus, pace=100, max_updates=None, **NETWORK)
        server.until(run, lambda now: now["update"] > 0)
        storm = Storm(server, run, corpus)
        pid = server.process.pid

        storm.blow(WARMING_UP)
        storm.close()
        files, memory = files_without_connections(server, for_s=1.0), [resident_bytes(pid)]
        made = server.run(run)["update"]
        requests = (REQUESTS - WARMING_UP) // MEASUREMENTS
        for _ in range(MEASUREMENTS):
            storm.blow(requests)
            storm.close()
            memory.append(resident_bytes(pid))
        assert sum(storm.statuses.values()) == REQUESTS
        assert {200, 400, 404, 405, 415, 422} <= set(storm.statuses)
        assert server.run(run)["update"] > made
        assert files_without_connections(server, for_s=1.0) <= files
        growth = min(later - earlier for earlier, later in pairwise(memory))
        assert growth < requests * LEAK_BYTES_PER_REQUEST

        assert [each["id"] for each in server.client.get("/api/runs").json()] == [run["id"]]
        assert server.post(run, "pause")["state"] == "paused"
        disturbed = server.losses_csv(run)
        updates = disturbed.count(b"\n") - 1
        other = server.create(corpus=corpus, max_updates=updates, **NETWORK)
        server.until_ended(other)
        assert server.losses_csv(other) == disturbed
