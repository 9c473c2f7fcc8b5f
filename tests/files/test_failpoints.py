"""A thread that reaches a failpoint stops exactly there."""

import os
import signal
import subprocess
import sys

from tests.serving import ROOT

# Eight threads that alternate on the processor, so that another thread would probably handle a
# signal sent to the process.
PROGRAM = """
import os, sys, threading
from server.files.failpoints import failpoint

def idle():
    while True:
        os.getpid()

sys.setswitchinterval(1e-5)
for _ in range(8):
    threading.Thread(target=idle, daemon=True).start()

def work():
    failpoint("here")
    os.write(1, b"past")

threading.Thread(target=work).start()
threading.Event().wait()
"""


def test_the_thread_stops_exactly_at_the_failpoint():
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env=os.environ | {"HURRAH_STOP_AT": "here"},
            stdout=subprocess.PIPE,
        )
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            os.set_blocking(process.stdout.fileno(), False)
            assert process.stdout.read() is None
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
