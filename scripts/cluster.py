"""`make cluster`: a Dask scheduler and two workers on this machine, until Ctrl-C.

They are the commands `dask scheduler` and `dask worker` of this environment. The workers are
stopped before the scheduler, so that the server learns that they have left.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
ADDRESS = "tcp://127.0.0.1:8786"
ADDRESS_FORM = re.compile(r"tcp://(?P<host>.+):(?P<port>[0-9]{1,5})")
WORKERS = ("first", "second")
# Only warnings, so that the command for the server stays in view.
QUIET = os.environ | {"DASK_LOGGING__DISTRIBUTED": "warning"}
STOP_TIMEOUT_S = 10.0
CHECK_EVERY_S = 0.2


def main(address: str = ADDRESS) -> int:
    """Start the processes, and stop them at a signal, or when the scheduler or all workers end.

    A worker that ends by itself, such as by `kill -9`, is reported, and the others go on.

    Returns
    -------
    int
        Exit status: 0 after a signal, 1 if the scheduler or all workers have ended by themselves,
        2 for an address that is not one.
    """
    parts = ADDRESS_FORM.fullmatch(address)
    if parts is None:
        print(f"The address must be like {ADDRESS}, but it is {address!r}.", file=sys.stderr)
        return 2
    stop_requested = False

    def request_stop(*_: object) -> None:
        nonlocal stop_requested
        stop_requested = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, request_stop)
    threads = max(1, (os.cpu_count() or 1) // len(WORKERS))
    scheduler = _dask(
        "scheduler", "--host", parts["host"], "--port", parts["port"], "--no-dashboard"
    )
    workers = {
        name: _dask("worker", address, "--name", name, "--nthreads", str(threads), "--no-dashboard")
        for name in WORKERS
    }
    slots = "1 slot" if threads == 1 else f"{threads} slots"
    print(
        f"A scheduler at {address} and {len(WORKERS)} workers with {slots} each. Start the server"
        f" in another terminal:\n\n  HURRAH_CLUSTER={address} make run\n\n"
        "Ctrl-C ends the cluster.",
        flush=True,
    )
    while not stop_requested and workers and scheduler.poll() is None:
        time.sleep(CHECK_EVERY_S)
        for name in [name for name, process in workers.items() if process.poll() is not None]:
            del workers[name]
            print(f'The worker "{name}" has ended.', flush=True)
    if not stop_requested:
        print("The scheduler has ended." if workers else "All workers have ended.", flush=True)
    for process in [*workers.values(), scheduler]:
        _stop(process)
    return 0 if stop_requested else 1


def _dask(*arguments: str) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C in the terminal reaches only this process. `python -m dask`
    # finds the package `server` in the working directory; the command `dask` does not.
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments], cwd=ROOT, env=QUIET, start_new_session=True
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        # With its nanny ends the worker that it watches.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
