"""Processes of `python -m server`, forked from one that has imported it.

Importing the server takes more processor time than most tests. A forked process is a process like
any other: it has its own memory, open files and signals. `tests/web/test_server.py`,
`tests/test_settings.py` and others start the command itself.
"""

import atexit
import functools
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAX_REQUEST_BYTES = 65_536


def start_command(arguments, environment=None, *, stderr=None, root=ROOT):
    """Start `python -m server` with a pipe for its standard output.

    Parameters
    ----------
    arguments : sequence
        Its arguments.
    environment : mapping of str to str
        Variables that it has besides those of the tests. With one that is not `HURRAH_*`, which
        Python or NumPy might read at their start, the process is not forked.
    stderr : file or None
        Where its errors go; by default, where those of the tests go.
    root : Path
        The directory with the server's sources. If it is another, the process is not forked.
    """
    arguments = [*map(str, arguments)]
    environment = environment or {}
    if root == ROOT and all(name.startswith("HURRAH_") for name in environment):
        return ForkedProcess(
            arguments,
            {name: value for name, value in os.environ.items() if name.startswith("HURRAH_")}
            | environment,
            2 if stderr is None else stderr.fileno(),
        )
    return subprocess.Popen(
        [sys.executable, "-m", "server", *arguments],
        cwd=root,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


class ForkedProcess:
    """A forked process, with the part of the interface of `subprocess.Popen` that tests use."""

    def __init__(self, arguments, environment, stderr):
        self._status, status = socket.socketpair()
        output, stdout = os.pipe()
        request = {"arguments": arguments, "environment": environment}
        descriptors = [status.fileno(), stdout, stderr]
        socket.send_fds(_fork_server(), [json.dumps(request).encode()], descriptors)
        status.close()
        os.close(stdout)
        self.stdout = os.fdopen(output, encoding="utf-8")
        self._messages = self._status.makefile("r")
        self.pid = int(self._messages.readline())
        self.returncode = None
        self._lock = threading.Lock()

    def poll(self):
        return self._returncode_within(0)

    def wait(self, timeout=None):
        if self._returncode_within(timeout) is None:
            raise subprocess.TimeoutExpired("server", timeout)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def _returncode_within(self, timeout):
        # Two threads may wait at the same time.
        if self.returncode is None and self._lock.acquire(
            timeout=-1 if timeout is None else timeout
        ):
            try:
                self._receive_returncode(timeout)
            finally:
                self._lock.release()
        return self.returncode

    def _receive_returncode(self, timeout):
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._status, selectors.EVENT_READ)
                if selector.select(timeout):
                    self.returncode = int(self._messages.readline())
                    self._messages.close()
                    self._status.close()


@functools.cache
def _fork_server():
    """Start the process to fork from, and return a socket for requests to it."""
    channel, other = socket.socketpair()
    with other:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", str(other.fileno())],
            pass_fds=[other.fileno()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def stop():
        channel.close()
        process.wait()

    atexit.register(stop)
    return channel


def _answer_requests(channel):
    import server.__main__  # noqa: PLC0415
    import server.web.server  # noqa: PLC0415

    # The shipped text and the static files are the same for all: they are described once.
    library = server.corpora.library
    library.describe = functools.lru_cache(maxsize=1)(library.describe)
    with tempfile.TemporaryDirectory() as directory:
        library.CorpusLibrary(ROOT / "data" / "corpora", Path(directory))
    server.web.routes.pages.static_files()
    gc.collect()
    gc.freeze()
    while True:
        request, descriptors, *_ = socket.recv_fds(channel, MAX_REQUEST_BYTES, 3)
        if not request:
            return
        if os.fork() == 0:
            channel.close()
            _run_and_report(json.loads(request), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _reap()


def _reap():
    """Reap the watchers that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _run_and_report(request, status, stdout, stderr):
    """Fork the process, and report its id and its exit status."""
    if (pid := os.fork()) == 0:
        os.close(status)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.close(stdout)
        os.close(stderr)
        _run(request)
    os.close(stdout)
    os.close(stderr)
    with os.fdopen(status, "w") as messages:
        print(pid, file=messages, flush=True)
        _, ended = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(ended), file=messages, flush=True)
    os._exit(0)


def _run(request):
    """Run the command in this process."""
    status = 1
    try:
        os.environ.update(request["environment"])
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False, errors="backslashreplace")
        sys.modules["server.__main__"].app(request["arguments"], prog_name="python -m server")
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _answer_requests(socket.socket(fileno=int(sys.argv[1])))
