"""The log of the server."""

import json
import logging
import re
import sys
from types import SimpleNamespace

import pytest

from server.settings import Settings
from server.spec.schemas import RunState
from server.web.monitoring.logs import JsonFormatter
from server.web.monitoring.run_log import RunLog


def run(identity, state, update=0, error=None):
    return SimpleNamespace(id=identity, state=state, update=update, smooth_loss=None, error=error)


def events(caplog):
    return [(record.run, record.event) for record in caplog.records]


def test_a_state_is_logged_when_it_changes(caplog):
    caplog.set_level(logging.INFO)
    log = RunLog()
    log.set_states([run("a", RunState.PAUSED, 5)])
    for state in (RunState.PAUSED, RunState.RUNNING, RunState.RUNNING, RunState.FINISHED):
        log.publish("a", {"type": "state", "run_state": run("a", state, 5)})
    log.publish("b", {"type": "state", "run_state": run("b", RunState.RUNNING)})
    log.close("a")
    assert events(caplog) == [
        ("a", "resumed"),
        ("a", "finished"),
        ("b", "started"),
        ("a", "deleted"),
    ]


def test_a_name_cannot_add_lines(caplog):
    error = "broken\nrun b finished\x1b[2J"
    RunLog().publish("a", {"type": "state", "run_state": run("a", RunState.FAILED, 1, error)})
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "broken" in record.getMessage()
    assert record.getMessage().isprintable()


def test_an_exception_is_part_of_the_json_line():
    try:
        int("first\nsecond")
    except ValueError:
        record = logging.LogRecord("server", logging.ERROR, "", 1, "%s", ("é",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert found["message"] == "é"
    assert found["level"] == "error"
    assert "ValueError: " in found["exception"]


def test_the_level_is_recognised_in_any_case(monkeypatch):
    monkeypatch.setenv("HURRAH_LOG_LEVEL", "WARNING")
    assert Settings().log_level == "warning"


@pytest.mark.process
@pytest.mark.parametrize("kind", ["json", "text"])
def test_each_event_of_a_run_is_a_line_with_its_id(serve, tmp_path, kind):
    path = tmp_path / "log"
    with path.open("w") as errors:
        server = serve("--no-demo", "--log-level", "info", stderr=errors, HURRAH_LOG_FORMAT=kind)
        made = server.create(name="one\ntwo", max_updates=None, hidden_size=10)
        server.post(made, "pause")
        server.post(made, "checkpoints")
        server.post(made, "resume")
        server.post(made, "pause")
        server.post(made, "stop")
        assert server.client.delete(f"/api/runs/{made['id']}").status_code == 204
        assert server.terminate() == 0
    said = path.read_text().splitlines()
    if kind == "json":
        lines = map(json.loads, said)
        found = [line["event"] for line in lines if line.get("run") == made["id"]]
    else:
        line = re.compile(rf"[-\d]+ [:\d]+ INFO: +run {made['id']} (\w+)")
        found = [match[1] for each in said if (match := line.match(each))]
    assert found == [
        "created",
        "started",
        "paused",
        "checkpoint",
        "resumed",
        "paused",
        "stopped",
        "deleted",
    ], said


@pytest.mark.process
def test_a_run_that_a_crash_interrupted_is_logged_once(serve, tmp_path):
    server = serve("--no-demo")
    made = server.create(max_updates=None, hidden_size=10)
    server.kill()
    found = []
    for start in range(2):
        path = tmp_path / f"log{start}"
        with path.open("w") as errors:
            server = serve("--no-demo", "--log-level", "info", stderr=errors)
            assert server.run(made)["state"] == "interrupted"
            assert server.terminate() == 0
        found.append(re.findall(rf"INFO: +run {made['id']} (\w+)", path.read_text()))
    assert found == [["interrupted"], []]
