"""Processes of `python -m server`, forked from one that has imported it.

Importing the server takes more processor time than most tests. A forked process is a process like
any other: it has its own memory, open files and signals. On Linux the processes in which a forked
server trains and writes are forked from it as well. `tests/web/test_server.py`,
`tests/commands/test_output.py`, `tests/worker/test_worker.py` and others start real interpreters.
"""

import asyncio
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import resource
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
# The modules whose processes can be forked from a server. Importing a run uses SQLite, whose locks
# a thread of the server may hold during the fork.
CHILD_MODULES = ("server.worker", "server.inference")
# Linux shows so many characters of a process's name.
NAME_CHARACTERS = 15


def start_command(arguments, environment=None, *, stderr=None, root=ROOT, limits=None):
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
    limits : mapping of str to int, optional
        Limits of a forked process, as for `ForkedProcess`.
    """
    environment = environment or {}
    if root == ROOT and all(name.startswith("HURRAH_") for name in environment):
        return ForkedProcess(arguments, environment, stderr=stderr, limits=limits)
    return subprocess.Popen(
        [sys.executable, "-m", "server", *map(str, arguments)],
        cwd=root,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


class ForkedProcess:
    """A forked process, with the part of the interface of `subprocess.Popen` that tests use.

    Parameters
    ----------
    arguments : sequence
        The arguments of `python -m server`.
    environment : mapping of str to str
        Variables `HURRAH_*` that it has besides those of the tests.
    cwd : Path
        Its working directory.
    stdout, stderr : file, int or None
        Where its output and its errors go: a file, a file descriptor, `subprocess.PIPE`, or, with
        None, where those of the tests go. Its standard input is empty.
    limits : mapping of str to int, optional
        Limits of the system for it and its children, such as `RLIMIT_FSIZE` in bytes.
    """

    def __init__(
        self,
        arguments,
        environment=None,
        *,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=None,
        limits=None,
    ):
        own = {name: value for name, value in os.environ.items() if name.startswith("HURRAH_")}
        request = {
            "arguments": [*map(str, arguments)],
            "environment": own | (environment or {}),
            "directory": str(cwd),
            "limits": limits or {},
        }
        self._status, status = socket.socketpair()
        with status, contextlib.ExitStack() as ends:
            self.stdout, its_stdout = _stream(stdout, 1, ends)
            self.stderr, its_stderr = _stream(stderr, 2, ends)
            descriptors = [status.fileno(), its_stdout, its_stderr]
            socket.send_fds(_fork_server(), [json.dumps(request).encode()], descriptors)
        self._messages = self._status.makefile("r")
        self.pid = int(self._messages.readline())
        self.returncode = None
        self._lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

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


def _stream(target, inherited, ends):
    """Return the reading end of a pipe, or None, and the descriptor for the process.

    What `ends` closes is needed only until the process has it.
    """
    if target == subprocess.PIPE:
        reading, writing = os.pipe()
        ends.callback(os.close, writing)
        return os.fdopen(reading, encoding="utf-8"), writing
    if target == subprocess.DEVNULL:
        target = os.open(os.devnull, os.O_WRONLY)
        ends.callback(os.close, target)
    if target is None:
        target = inherited
    return None, target if isinstance(target, int) else target.fileno()


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

    for module in CHILD_MODULES:
        importlib.import_module(f"{module}.__main__")
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
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    for name, limit in request["limits"].items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    if sys.platform == "linux":
        asyncio.create_subprocess_exec = functools.partial(
            _create_forked, asyncio.create_subprocess_exec
        )
    sys.argv = ["server", *request["arguments"]]
    app = sys.modules["server.__main__"].app
    _run_and_exit(lambda: app(request["arguments"], prog_name="python -m server"))


async def _create_forked(create, executable, option, module, *arguments, env, **streams):
    """Create a child process of a server that is forked, in place of `create_subprocess_exec`."""
    if module not in CHILD_MODULES:
        return await create(executable, option, module, *arguments, env=env, **streams)

    def run_instead():
        # In the forked process, in place of executing the program.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        # What the server has must not be finalised here.
        gc.freeze()
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        # As Python sets them at its start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        os.environ.clear()
        os.environ.update(env)
        sys.modules["server.files.failpoints"]._reached.clear()
        sys.argv = [module, *arguments]
        # `child_pids` in tests/processes.py finds it by this name.
        Path("/proc/self/comm").write_text(module[:NAME_CHARACTERS], encoding="ascii")
        _run_and_exit(sys.modules[f"{module}.__main__"].main)

    return await create(
        executable, option, module, *arguments, env=env, preexec_fn=run_instead, **streams
    )


def _run_and_exit(main):
    """Run a program in this process, which ends with it."""
    status = 1
    try:
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False, errors="backslashreplace")
        main()
        status = 0
    except SystemExit as exit_:
        status = exit_.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


if __name__ == "__main__":
    _answer_requests(socket.socket(fileno=int(sys.argv[1])))
