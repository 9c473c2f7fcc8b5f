"""Figures for Prometheus."""

import re

from websockets.sync.client import connect

from tests.serving import until

TOKEN = "a token of these tests"


def figures(server):
    answer = server.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    found = re.findall(r"^(hurrah_\S+(?: \S+)*?) (\S+)$", answer.text, flags=re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_only_the_operator_reads_them(serve):
    server = serve("--no-demo", HURRAH_METRICS="1", HURRAH_OPERATOR_TOKEN=TOKEN)
    server.problem(server.client.get("/metrics"), 401)
    server.client.headers["Authorization"] = f"Bearer {TOKEN}"
    run = server.create(max_updates=40, hidden_size=10)
    assert server.until_ended(run)["state"] == "finished"
    with connect(f"{server.ws_url}/ws/runs/{run['id']}") as viewer:
        viewer.recv()
        found = until(lambda: (now := figures(server))["hurrah_viewers"] == 1 and now)
    assert found['hurrah_runs{state="finished"}'] == 1
    assert found["hurrah_updates_total"] == 40
    assert found["hurrah_messages_sent_total"] >= 1
    assert found["hurrah_run_failures_total"] == 0
    route = 'method="POST",route="/api/runs",status="201"'
    assert found[f"hurrah_request_duration_seconds_count{{{route}}}"] == 1
    assert server.client.get("/metrics/nothing").status_code == 404
    assert server.client.delete(f"/api/runs/{run['id']}").status_code == 204
    found = figures(server)
    assert found['hurrah_runs{state="finished"}'] == 0
    assert found["hurrah_updates_total"] == 40


def test_they_are_not_served_by_default(server):
    server.problem(server.client.get("/metrics"), 404)
