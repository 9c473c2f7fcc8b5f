"""The processes of the machine.

On Linux they are read from /proc: tests ask often, and `ps` would take a tenth of the time of those
that kill processes.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from tests.fork_server import NAME_CHARACTERS

LISTS_CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children").exists()


def state_of(pid):
    """Return the letter that `ps` shows for a process, such as T if it has stopped, or ""."""
    if sys.platform == "linux":
        return _stat(pid)[1]
    listing = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listing.stdout.strip()[:1]


def is_alive(pid):
    """Whether a process runs; a zombie does not."""
    return state_of(pid) not in {"", "Z"}


def is_stopped(pid):
    """Whether a process has stopped, as at a failpoint."""
    return state_of(pid) == "T"


def child_pids(parent, module):
    """Return the ids of the children of `parent` that run a module."""
    return [
        pid
        for pid, name, command in _children(parent)
        # Linux cuts the name off that a forked process gives itself.
        if name.startswith(module[:NAME_CHARACTERS]) or f" {module}" in command
    ]


def _children(parent):
    """Return the id, the name and the command of each child of a process."""
    if LISTS_CHILDREN:
        return [(pid, _stat(pid)[0], _command(pid)) for pid in _linux_children(parent)]
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,comm=,command="], capture_output=True, text=True, check=True
    )
    rows = (line.split(None, 3) for line in listing.stdout.splitlines())
    return [
        (int(pid), name, command)
        for pid, its_parent, name, command in rows
        if int(its_parent) == parent
    ]


def _linux_children(parent):
    """Return the ids of a process's children.

    Reading all of /proc instead would take ten milliseconds, each time that a test asks. The kernel
    may leave a child out while another one ends, so two readings must agree.
    """
    before = None
    while (found := _listed_children(parent)) != before:
        before = found
    return found


def _listed_children(parent):
    found = []
    with contextlib.suppress(FileNotFoundError):
        # Each thread has those that it started.
        for thread in list(Path(f"/proc/{parent}/task").iterdir()):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += (thread / "children").read_text(encoding="ascii").split()
    return sorted(map(int, found))


def _stat(pid):
    """Return the name and the state of a process; both are empty if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    # The name is in parentheses, and may contain some.
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return name, rest.split()[0]


def _command(pid):
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return command.replace(b"\0", b" ").decode(errors="replace")
