"""Reports over HTTP, and the remarks that are stored with a run."""

import io
import zipfile

import httpx
import pytest

from tests.serving import PAGES, RunningServer

TOKEN = "a token for tests"
REMARKS = {
    "title": "Learning to write",
    "author": "Ada",
    "gradients": "They are right.",
    "loss": "It falls.",
    "evolution": "",
    "passage": "",
    "findings": "",
    "translation": "",
    "translated_update": None,
}


def small_run(server, **spec):
    corpus = server.upload(PAGES)["id"]
    run = server.create(
        corpus=corpus,
        hidden_size=10,
        sequence_length=10,
        max_updates=900,
        name="A small one",
        **spec,
    )
    return server.until_ended(run)


@pytest.fixture(scope="module")
def run(server):
    return small_run(server)


def remarks_path(run):
    return f"/api/runs/{run['id']}/report/remarks"


def report(server, run, format_name="md"):
    answer = server.client.get(f"/api/runs/{run['id']}/report?format={format_name}")
    assert answer.status_code == 200, answer.text
    return answer


def markdown(server, run):
    with zipfile.ZipFile(io.BytesIO(report(server, run).content)) as archive:
        assert archive.namelist() == ["report.md", "figures/loss.svg"]
        return archive.read("report.md").decode()


def test_a_report_has_every_part_with_the_runs_own_figures(server, run):
    text = markdown(server, run)
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert [heading[3:5] for heading in headings] == ["1.", "2.", "3.", "4.", "5.", "6."]
    assert text.startswith("# A small one\n")
    assert "| W | 10 × 10 |" in text
    assert "passed" in text
    assert "FAILED" not in text
    best = run["best"]
    assert f"The lowest point is {best['smooth_loss']:.2f} at update {best['update']:,}." in text
    (first, *_) = server.get(run, "samples")
    assert f"```text\n{first['text']}\n```" in text
    # It has read two epochs, but not enough updates for the later texts.
    assert "of 2 epochs" not in text
    assert "The run has made 900 updates, so the texts from update 10,000 on are missing." in text
    passage = server.post(
        run, "passages", {"source": "best", "length": 1_000, "temperature": 1.0, "seed": 0}
    )
    assert f"```text\n{passage['text']}\n```" in text
    share = server.get(run, "loss/explained")["share"]
    assert f"{share:.0%} (±" in text
    assert "--hidden-size 10 --sequence-length 10 --updates 900" in text


def test_the_html_file_is_sent_as_an_attachment(server, run):
    answer = report(server, run, "html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    disposition = f'attachment; filename="hurrah-{run["id"]}-report.html"'
    assert answer.headers["content-disposition"] == disposition
    assert '<h1 dir="auto">A small one</h1>' in answer.text
    server.problem(server.client.get(f"/api/runs/{run['id']}/report?format=pdf"), 422)
    server.problem(server.client.get("/api/runs/000000000000/report"), 404)


def test_remarks_are_stored_with_the_run_and_shown_in_the_report(server, run):
    path = remarks_path(run)
    empty = server.client.get(path).json()
    assert set(empty) == set(REMARKS)
    assert not any(empty.values())
    assert server.client.put(path, json=REMARKS).json() == REMARKS
    assert server.client.get(path).json() == REMARKS
    text = markdown(server, run)
    assert text.startswith("# Learning to write\n\nAda, ")
    assert text.count("### Remarks") == 2
    for body in (
        {"title": "x" * 201},
        {"loss": "x" * 5_001},
        {"translation": "x" * 20_001},
        {"author": "\ud800"},
        {"translated_update": -1},
        {"tittle": "x"},
    ):
        (field,) = body
        content = str(body).replace("'", '"').replace("\ud800", "\\ud800")
        answer = server.client.put(
            path, content=content, headers={"Content-Type": "application/json"}
        )
        assert server.problem(answer, 422)["errors"][0]["field"].endswith(field)
    assert server.client.get(path).json() == REMARKS
    server.problem(server.client.put(remarks_path({"id": "000000000000"}), json=REMARKS), 404)


def test_a_translation_of_an_earlier_passage_is_named_as_missing(server, run):
    translated = {"translation": "Es war einmal", "translated_update": run["best"]["update"]}
    server.client.put(remarks_path(run), json=translated)
    assert "```text\nEs war einmal\n```" in markdown(server, run)
    server.client.put(remarks_path(run), json=translated | {"translated_update": 3})
    text = markdown(server, run)
    assert "Es war einmal" not in text
    assert "The translation is of the passage of update 3, but" in text
    server.client.put(remarks_path(run), json={})


def test_a_run_that_has_not_begun_has_a_report_that_names_what_is_missing(server):
    run = server.create(paused=True, hidden_size=10)
    answer = report(server, run)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["report.md"]
        text = archive.read("report.md").decode()
    assert "The run has made 0 of the" in text
    assert "The run has made 0 updates, so the texts from update 10,000 on are missing." in text
    assert "this is the writing of an untrained network" in text


def test_remarks_survive_a_crash_and_viewers_only_read_them(tmp_path):
    limits = {
        "HURRAH_OPERATOR_TOKEN": TOKEN,
        "HURRAH_VIEWER_PASSAGES_PER_MINUTE": "1",
        "HURRAH_VIEWER_CHECKS_PER_MINUTE": "1",
    }
    operator = {"Authorization": f"Bearer {TOKEN}"}
    with RunningServer(tmp_path / "data", "--no-demo", **limits) as running:
        spec = {"hidden_size": 5, "paused": True}
        run = running.client.post("/api/runs", json=spec, headers=operator).json()
        path = remarks_path(run)
        running.problem(running.client.put(path, json=REMARKS), 401)
        assert running.client.put(path, json=REMARKS, headers=operator).status_code == 200
        running.kill()
    with RunningServer(tmp_path / "data", "--no-demo", **limits) as running:
        assert running.client.get(path).json() == REMARKS
        # A cached report is not counted again; another report is.
        for _ in range(3):
            assert report(running, run).status_code == 200
        refused = running.client.get(f"/api/runs/{run['id']}/report?format=html")
        assert "a minute from one address" in running.problem(refused, 429)["detail"]
        with httpx.Client(base_url=running.url, headers=operator, timeout=60) as client:
            assert client.get(f"/api/runs/{run['id']}/report?format=html").status_code == 200
            # A deleted run leaves nothing behind.
            assert client.delete(f"/api/runs/{run['id']}").status_code == 204
        running.problem(running.client.get(path), 404)
