"""`report`: of a run in a data directory, and of a directory that `train` left."""

import io
import re
import shlex
import zipfile

import pytest

from tests.serving import PAGES, until
from tests.training import run_command


@pytest.fixture(scope="module")
def run(server):
    corpus = server.upload(PAGES, name="Some pages")["id"]
    run = server.create(
        corpus=corpus, hidden_size=10, sequence_length=10, max_updates=900, sample_length=200
    )
    run = server.until_ended(run)
    # Then its last checkpoint is saved, and nothing changes any more.
    until(lambda: not server.worker_pids())
    return run


def markdown(path):
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        return archive.read("report.md").decode()


def part(text, number):
    """Return a part of a report."""
    return re.search(rf"^## {number}\..*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[0]


def test_a_report_beside_a_running_server_and_of_its_repetition(server, run, tmp_path):
    served = server.client.get(f"/api/runs/{run['id']}/report?format=md").content
    (tmp_path / "served.zip").write_bytes(served)
    served = markdown(tmp_path / "served.zip")
    before = sorted(path for path in server.data_dir.rglob("*"))
    out = tmp_path / "run.zip"
    done = run_command(
        *("report", run["id"], "--format", "md", "--out", out, "--data-dir", server.data_dir)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"The report is in {out}.\n"
    # It reads a copy of the database, and the models that are there.
    assert markdown(out) == served
    assert sorted(path for path in server.data_dir.rglob("*")) == before

    # The command in the report makes the same losses.
    book = tmp_path / "CORPUS.txt"
    book.write_text(PAGES, encoding="utf-8")
    command = shlex.split(re.search(r"python -m server train .*", served)[0])
    trained = run_command(*command[3:], cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "again" / "losses.csv").read_bytes() == server.losses_csv(run)

    # So the report of the directory is the same, but for the texts' names and the watched words.
    again = tmp_path / "again.zip"
    done = run_command(
        *("report", tmp_path / "again", "--format", "md", "--out", again, "--text", book)
    )
    assert (done.returncode, done.stderr) == (0, "")
    repeated = markdown(again)
    for number in (1, 2, 3, 4):
        assert part(repeated, number) == part(served, number)
    assert "nats per sequence, 2" in part(repeated, 5)

    # Without the text it says what is not known.
    done = run_command("report", tmp_path / "again", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    html = (tmp_path / "hurrah-again-report.html").read_text(encoding="utf-8")
    assert "Name it with --text." in html
    assert f"{run['best']['smooth_loss']:.2f} at update {run['best']['update']:,}" in html

    other = tmp_path / "other.txt"
    other.write_text(PAGES[::-1], encoding="utf-8")
    done = run_command("report", tmp_path / "again", "--text", other)
    assert done.returncode == 1
    assert "other.txt is not the text of the training in" in done.stderr


def test_what_is_no_run_is_refused_in_one_sentence(tmp_path):
    for words, status, sentence in (
        (
            ["nothing"],
            1,
            "nothing is neither the id of a run nor a directory with a checkpoint.npz.",
        ),
        (["000000000000", "--data-dir", tmp_path], 1, f"There is no hurrah.db in {tmp_path}."),
        (["nothing", "--format", "pdf"], 2, "pdf"),
    ):
        done = run_command("report", *words)
        assert done.returncode == status
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
    (tmp_path / "checkpoint.npz").write_bytes(b"not an archive")
    done = run_command("report", tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
