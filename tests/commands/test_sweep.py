"""`python -m server sweep`: runs a sweep in a data directory, and continues it."""

import contextlib
import json
import re
import signal
import sqlite3

import pytest

from server.commands.options.sweep_request import SweepOptionError, sweep_spec
from server.sweeps.schemas import settings_text
from tests.serving import PAGES, RunningServer, until
from tests.training import run_command, started_command

SMALL = ("--hidden-size", 5, "--sequence-length", 10, "--sample-length", 10)


def test_vary_names_fields_and_what_they_may_be():
    words = ["cell=rnn, gru", "learning-rate=1e-3..0.3:log", "dropout=0..0.5", "clip=null,5"]
    spec = sweep_spec(None, {"runs": 7, "sampler_seed": 3}, {"layers": 2}, words)
    assert (spec.runs, spec.seed, spec.spec) == (7, 3, {"layers": 2})
    assert spec.model_dump()["parameters"] == {
        "cell": {"values": ["rnn", "gru"]},
        "learning_rate": {"low": 0.001, "high": 0.3, "log": True},
        "dropout": {"low": 0, "high": 0.5, "log": False},
        "clip": {"values": [None, 5]},
    }
    assert list(sweep_spec(None, {}, {}, ["updates=5,6"]).parameters) == ["max_updates"]


@pytest.mark.parametrize("word", ["cell", "cell=", "=rnn"])
def test_a_word_after_vary_that_is_not_understood_is_named(word):
    with pytest.raises(SweepOptionError, match="--vary"):
        sweep_spec(None, {}, {}, [word])


def test_a_wrong_field_of_a_file_is_explained(tmp_path):
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps({"parameters": {"cell": {"values": []}}}))
    with pytest.raises(SweepOptionError, match=r"cell\.values: must have at least 1 entry\.$"):
        sweep_spec(file, {}, {}, [])


def test_values_are_written_as_vary_reads_them():
    values = {"clip": None, "cell": "rnn", "dropout": 0.5, "layers": 2}
    assert settings_text(values) == "clip null, cell rnn, dropout 0.5, layers 2"


def test_options_override_a_file(tmp_path):
    file = tmp_path / "sweep.json"
    file.write_text(
        json.dumps(
            {
                "spec": {"layers": 2, "seed": 4},
                "parameters": {"cell": {"values": ["gru"]}},
                "runs": 3,
            }
        )
    )
    spec = sweep_spec(file, {"runs": 5}, {"seed": 6}, [])
    assert (spec.runs, spec.spec) == (5, {"layers": 2, "seed": 6})
    assert list(spec.parameters) == ["cell"]


def test_a_sweep_that_ctrl_c_stops_is_continued_and_seen_by_a_server(tmp_path):
    book, data = tmp_path / "book.txt", tmp_path / "data"
    book.write_text(PAGES)
    options = ("--updates", 20_000, "--vary", "learning_rate=0.1,0.01,0.001", "--name", "Rates")
    here = ("--data-dir", data)
    environment = {"HURRAH_MAX_TRAINING_RUNS": "1"}
    runs = data / "runs"
    with started_command(
        *("sweep", book, *options, *SMALL, *here, "--sampler", "grid"), environment=environment
    ) as command:
        until(lambda: runs.exists() and len(list(runs.glob("*"))) >= 2)
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 130
    # As if a person had paused the run on its page.
    with contextlib.closing(sqlite3.connect(data / "hurrah.db")) as database, database:
        paused = "json_set(run, '$.state', 'paused', '$.error', NULL)"
        change = f"UPDATE runs SET run = {paused} WHERE run ->> 'state' = 'interrupted'"
        assert database.execute(change).rowcount == 1
    done = run_command("sweep", "--resume", *here, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "Rates: smooth loss, nats per sequence" in done.stdout
    with RunningServer(data, "--no-demo") as server:
        (sweep,) = server.client.get("/api/sweeps").json()
        assert (sweep["state"], sweep["ended"], sweep["updates"]) == ("finished", 3, 60_000)
        assert f"{sweep['best']['value']:.4f}" in done.stdout
        assert len(server.client.get("/api/runs").json()) == 3
        (address,) = re.findall(r"shows the sweep at (\S+)\.\n", done.stdout)
        assert address.endswith(sweep["id"])
        assert server.client.get(address).status_code == 200
        # While a server uses the data, the command says what to do instead.
        refused = run_command("sweep", "--resume", *here)
        assert (refused.returncode, "start the sweep on its page" in refused.stderr) == (1, True)
    ended = run_command("sweep", "--resume", *here)
    assert (ended.returncode, "no sweep to continue" in ended.stderr) == (1, True)
    wrong = run_command("sweep", *here, "--vary", "hidden_size=5..5000")
    assert (wrong.returncode, "--vary hidden_size" in wrong.stderr) == (2, True)
