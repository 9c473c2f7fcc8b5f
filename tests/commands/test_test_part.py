"""`train --test`: the test part is measured on request."""

import json

from tests.serving import PAGES
from tests.training import run_command, short_training


def test_the_test_part_is_measured_on_request_and_a_second_time_with_a_warning(tmp_path):
    book, out = tmp_path / "book.txt", tmp_path / "out"
    book.write_text(PAGES, encoding="utf-8")
    command = short_training(book, out, 60, "--test")
    wrong = run_command(*command)
    assert wrong.returncode == 2
    assert "--test-fraction" in wrong.stderr
    out = tmp_path / "other"
    done = run_command(*short_training(book, out, 60, "--test", "--test-fraction", 0.1))
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "test.json").read_text())
    assert f"Test part: {result['nats']:.4f} nats per character" in done.stdout
    assert (result["times"], result["by"]) == (1, "smooth_loss")
    assert "Warning" not in done.stdout
    again = run_command("train", book, "--out", out, "--resume", "--test")
    assert "Warning: the test part was measured at" in " ".join(again.stdout.split())
    assert "It has been measured 2 times" in " ".join(again.stdout.split())
    assert json.loads((out / "test.json").read_text())["nats"] == result["nats"]
    report = run_command("report", out, "--text", book, "--out", tmp_path / "report.html")
    assert report.returncode == 0, report.stderr
    assert "loss on the test part" in (tmp_path / "report.html").read_text()
