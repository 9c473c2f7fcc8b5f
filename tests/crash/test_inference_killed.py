"""No sample is lost however often the inference process is killed."""

import contextlib
import os
import signal

import pytest

from tests.crash.reference_run import ReferenceRun
from tests.processes import child_pids, is_stopped
from tests.serving import PAGES, until

SMALL = {"hidden_size": 12, "sequence_length": 8, "sample_every": 20, "sample_length": 30}
# Each sample is tried with two processes before it is tried again later.
DEATHS = 4


@pytest.mark.parametrize("then", ["stays", "rests"])
def test_no_sample_is_lost_when_the_inference_process_is_killed_repeatedly(serve, then):
    # Each process stops before its first sample.
    server = serve("--no-demo", HURRAH_STOP_AT="sample.measure")
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, paused=True, max_updates=100, **SMALL)
    killed = set()

    def signal_stopped(number):
        for pid in set(child_pids(server.process.pid, "server.inference")) - killed:
            if is_stopped(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                if number == signal.SIGKILL:
                    killed.add(pid)

    def kill():
        signal_stopped(signal.SIGKILL)
        return len(killed) >= DEATHS

    def all_samples():
        signal_stopped(signal.SIGCONT)
        found = server.get(run, "samples")
        return len(found) == len(reference.samples) and found

    server.post(run, "step", {"updates": 50})
    until(kill)
    if then == "rests":
        server.post(run, "stop")
        assert server.run(run)["state"] == "stopped"
    # A run that is stopped writes a last sample.
    end = {"max_updates": 50} if then == "rests" else {}
    reference = ReferenceRun(PAGES, run["spec"] | end)
    reference.train_to(50)
    kept = until(all_samples)
    assert {each["update"]: each["text"] for each in kept} == reference.samples
