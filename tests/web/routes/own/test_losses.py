"""Losses of one's own over HTTP: beside a run, kept with it, and exported."""

import json

import pytest

from server.analysis.own_losses import MAX_FILE_BYTES
from tests.serving import PAGES, RunningServer

SMALL = {"hidden_size": 5, "sample_length": 20, "sample_every": 10_000, "max_updates": 3_000}
TOKEN = "the-operators-token"
SETTINGS = {"HURRAH_OPERATOR_TOKEN": TOKEN, "HURRAH_VIEWER_DOWNLOADS_PER_MINUTE": "5"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    with RunningServer(data_dir, "--no-demo", **SETTINGS) as running:
        running.client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield running


@pytest.fixture(scope="module")
def run(server):
    corpus = server.upload(PAGES, "A tale")["id"]
    return server.until_ended(server.create(corpus=corpus, **SMALL))


def send(server, run, method, data, name="mine.csv", **headers):
    files = {"file": (name, data, "text/csv")}
    url = f"/api/runs/{run['id']}/own-losses"
    return server.client.request(method, url, files=files, headers=headers)


def rows_of(server, run):
    """The run's own losses, as update and loss."""
    lines = server.losses_csv(run).decode().splitlines()[1:]
    return [(int(cells[0]), float(cells[3])) for cells in (line.split(",") for line in lines)]


def test_losses_are_put_beside_a_run_and_kept_with_it(server, run):
    own = server.losses_csv(run)
    # The run's own file: no difference, also where the smooth loss is computed here.
    answer = send(server, run, "POST", own)
    assert answer.status_code == 200, answer.text
    same = "Yours and this run differ by less than 0.1 at all 3,000 updates that both have."
    assert answer.json()["comparison"]["text"].startswith(same)
    assert answer.json()["comparison"]["greatest"] == pytest.approx(0, abs=1e-9)
    rows = rows_of(server, run)
    losses = "".join(f"{update};{loss!r}\n".replace(".", ",") for update, loss in rows)
    found = send(server, run, "POST", "update;loss\n" + losses).json()
    assert found["comparison"]["text"].startswith(same)
    assert found["comparison"]["greatest"] == pytest.approx(0, abs=1e-9)
    assert "computed with the run's factor" in found["remarks"][0]

    # Nothing is stored until it is asked for; then it is, and survives a crash.
    url = f"/api/runs/{run['id']}/own-losses"
    assert server.run(run)["own_losses"] is None
    server.problem(server.client.get(url), 404)
    apart = "update,loss\n" + "".join(
        f"{update},{loss + 3000 * (update == 12)!r}\n" for update, loss in rows
    )
    kept = send(server, run, "PUT", apart, name="a\u202e.csv")
    assert kept.status_code == 200, kept.text
    text = kept.json()["comparison"]["text"]
    assert text.startswith(
        "Yours and this run part by 0.1 at update 12. Early AdaGrad is chaotic: compare from update"
        " 1,000. From update 1,000 on yours is"
    )
    about = server.run(run)["own_losses"]
    assert (about["rows"], about["file"]) == (3_000, "a .csv")
    server.kill()
    server.__init__(server.data_dir, "--no-demo", **SETTINGS)
    server.client.headers["Authorization"] = f"Bearer {TOKEN}"
    assert server.client.get(url).json() == kept.json()
    assert server.run(run)["own_losses"] == about

    # A viewer sees them, may lay over others, and changes nothing.
    assert server.client.get(url, headers={"Authorization": ""}).json() == kept.json()
    assert send(server, run, "POST", own, Authorization="").status_code == 200
    assert send(server, run, "PUT", own, Authorization="").status_code == 401
    assert server.client.delete(url, headers={"Authorization": ""}).status_code == 401
    for _ in range(8):
        if (limited := send(server, run, "POST", own, Authorization="")).status_code == 429:
            break
    assert limited.status_code == 429
    assert int(limited.headers["Retry-After"]) > 0

    report = server.client.get(f"/api/runs/{run['id']}/report?format=html").text
    assert "The thin blue line is the author's own smooth loss, a .csv." in report
    assert '"name":"own"' in report.replace(": ", ":")

    # They go with the run, and not with a fork.
    archive = server.client.get(f"/api/runs/{run['id']}/export").content
    imported = server.client.post("/api/runs/import", files={"file": ("r.hurrah", archive)}).json()
    assert imported["own_losses"] == about
    theirs = server.client.get(f"/api/runs/{imported['id']}/own-losses").json()
    assert theirs == kept.json()
    fork = server.post(
        run, "fork", {"checkpoint": "latest", "spec": {"paused": True, "max_updates": 4_000}}
    )
    assert fork["own_losses"] is None

    # The file that is removed can be put back as it was.
    file = server.client.get(f"{url}/file")
    assert file.headers["content-type"].startswith("text/csv")
    for _ in range(2):
        assert server.client.delete(url).status_code == 204
    assert server.run(run)["own_losses"] is None
    server.problem(server.client.get(url), 404)
    server.problem(server.client.get(f"{url}/file"), 404)
    again = send(server, run, "PUT", file.content).json()
    assert again["comparison"] == kept.json()["comparison"]
    assert again["curve"] == kept.json()["curve"]
    assert server.client.delete(f"/api/runs/{run['id']}").status_code == 204
    server.problem(server.client.get(url), 404)


def test_other_files_change_nothing(server):
    corpus = server.client.get("/api/corpora").json()[-1]["id"]
    run = server.create(corpus=corpus, paused=True, **SMALL)
    kept = send(server, run, "PUT", "update,loss\n5,100\n").json()
    assert "no update in common yet" in kept["comparison"]["text"]
    for data, status in [
        (b"", 422),
        (b"\x89PNG\0", 422),
        (b"update,loss\n1,\n", 422),
        (b"loss\n" + b"1\n" * 250_001, 422),
        (b"1" * (MAX_FILE_BYTES + 20_000), 413),
    ]:
        server.problem(send(server, run, "PUT", data), status)
        server.problem(send(server, run, "POST", data), status)
    server.problem(send(server, {"id": "0" * 12}, "POST", b"loss\n1\n"), 404)
    server.problem(server.client.put(f"/api/runs/{run['id']}/own-losses", json={}), 415)
    assert server.client.get(f"/api/runs/{run['id']}/own-losses").json() == kept
    archive = server.client.get(f"/api/runs/{run['id']}/export").content
    assert json.loads(server.client.get(f"/api/runs/{run['id']}").text)["own_losses"]["rows"] == 1
    assert b"own_losses.f64" in archive
