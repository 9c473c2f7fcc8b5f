"""The command `doctor`."""

import socket
import sqlite3

import pytest
from typer.testing import CliRunner

from server.__main__ import app
from server.files.directory_lock import lock_directory
from server.store.database import Store


def examined(*arguments, **environment):
    return CliRunner().invoke(
        app, ["doctor", *map(str, arguments)], env={"COLUMNS": "400", **environment}
    )


def lines(done):
    """Return the verdict and the text of each subject."""
    found = {}
    for line in done.stdout.splitlines()[:-1]:
        verdict, rest = line.split(maxsplit=1)
        subject, text = rest.split("  ", maxsplit=1)
        found[subject] = (verdict, text.strip())
    return found


def test_a_directory_that_does_not_exist_is_not_created(tmp_path):
    done = examined(
        "--port",
        0,
        "--data-dir",
        tmp_path / "new",
        HURRAH_ROOT_PATH="/lab",
        HURRAH_WEBHOOK_URL="https://hooks.example.org:8443/s3cret",
        HURRAH_WEBHOOK_SECRET="geheim",
    )
    assert done.exit_code == 0, done.stdout
    assert done.stdout.splitlines()[-1].strip() == "The server can start."
    found = lines(done)
    assert found["data"] == ("ok", f"{tmp_path / 'new'}, which the first start creates")
    assert found["root path"] == ("ok", "/lab")
    assert found["webhook"] == (
        "ok",
        "https://hooks.example.org:8443, signed with HURRAH_WEBHOOK_SECRET",
    )
    assert "s3cret" not in done.stdout
    assert "geheim" not in done.stdout
    # All clients of a proxy on this machine would be operators.
    assert found["access"][0] == "note"
    assert "for the default network" in found["kernel"][1]
    assert not (tmp_path / "new").exists()


def test_what_prevents_a_start_is_an_error(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken, lock_directory(data, 0):
        port = taken.getsockname()[1]
        done = examined("--port", port, "--data-dir", data, HURRAH_TLS_CERT=str(tmp_path / "no"))
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1].strip() == "The server cannot start: data, port, tls."
    found = lines(done)
    assert found["data"] == ("error", f"Another server uses {data}.")
    assert found["port"] == ("error", f"Cannot listen on 127.0.0.1:{port}: Address already in use.")


@pytest.mark.parametrize("content", [b"no database" * 100, None])
def test_a_database_that_cannot_be_used_is_an_error(tmp_path, content):
    path = tmp_path / "hurrah.db"
    if content is None:
        store = Store(path)
        store.close()
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 1000")
        database.close()
    else:
        path.write_bytes(content)
    before = sorted(tmp_path.iterdir())
    done = examined("--port", 0, "--data-dir", tmp_path)
    assert done.exit_code == 1
    assert lines(done)["data"][0] == "error"
    assert sorted(tmp_path.iterdir()) == before


def test_the_address_of_a_cluster_is_tried(tmp_path):
    pytest.importorskip("distributed")
    with socket.create_server(("127.0.0.1", 0)) as scheduler:
        address = f"tcp://127.0.0.1:{scheduler.getsockname()[1]}"
        found = lines(examined("--port", 0, "--data-dir", tmp_path, HURRAH_CLUSTER=address))
    assert found["cluster"] == ("ok", f"{address} answers")
    found = lines(examined("--port", 0, "--data-dir", tmp_path, HURRAH_CLUSTER=address))
    assert found["cluster"][0] == "note"


def test_a_pipe_gets_one_line_for_each_finding(tmp_path):
    directory = tmp_path / ("long-name-" * 20)
    environment = {"COLUMNS": "80", "HURRAH_DATA_DIR": str(directory)}
    result = CliRunner().invoke(app, ["doctor"], env=environment)
    *found, last = result.stdout.splitlines()
    assert last.startswith("The server can")
    assert {line.split()[0] for line in found} <= {"ok", "note", "error"}
    assert any(str(directory) in line for line in found)
