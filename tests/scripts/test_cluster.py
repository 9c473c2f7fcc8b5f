"""`make cluster`: what it says and how it ends. Processes take the place of Dask's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts import cluster


def test_an_address_that_is_not_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cluster.main("8786") == 2
    assert "The address must be like tcp://127.0.0.1:8786" in capsys.readouterr().err


@pytest.mark.process
def test_a_worker_that_ends_leaves_the_others_until_all_have_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: dict[str, subprocess.Popen[bytes]] = {}

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        is_scheduler = arguments[0] == "scheduler"
        name = "scheduler" if is_scheduler else arguments[arguments.index("--name") + 1]
        process = subprocess.Popen(
            [sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True
        )
        started[name] = process
        return process

    said: list[str] = []

    def wait(_: float) -> None:
        # The first worker is killed at once, the second one when the first end has been reported.
        said.append(capsys.readouterr().out)
        killed = "second" if 'The worker "first" has ended.' in "".join(said) else "first"
        started[killed].kill()
        started[killed].wait()

    monkeypatch.setattr(cluster, "_dask", start)
    monkeypatch.setattr("time.sleep", wait)
    assert cluster.main() == 1
    said.append(capsys.readouterr().out)
    text = "".join(said)
    assert text.index('"first" has ended') < text.index('"second" has ended')
    assert "All workers have ended." in text
    assert started["scheduler"].returncode is not None
