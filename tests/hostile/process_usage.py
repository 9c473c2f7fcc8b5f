"""Open files and memory of a process."""

import subprocess
import time
from pathlib import Path

import httpx

from tests.hostile import raw
from tests.serving import LIMIT_S, NO_CERTIFICATES


def open_files(pid):
    """Return the number of open file descriptors."""
    directory = Path(f"/proc/{pid}/fd")
    if directory.exists():
        return len(list(directory.iterdir()))
    listing = subprocess.run(
        ["lsof", "-a", "-p", str(pid), "-d", "0-999999"], capture_output=True, text=True, check=True
    )
    return len(listing.stdout.splitlines()) - 1


def files_without_connections(server, for_s=0.3):
    """Return the number of open files of a server without connections; its client is a new one."""
    server.client.close()
    server.client = httpx.Client(
        base_url=server.url,
        headers=server.client.headers,
        timeout=LIMIT_S,
        verify=NO_CERTIFICATES,
    )

    def read():
        # A server that has closed this one has noticed which connections were closed before.
        with raw.connect(server) as connection:
            connection.sendall(raw.head(server, "GET /healthz HTTP/1.1", "Connection: close"))
            assert raw.statuses(raw.until_closed(connection)) == [200]
        return open_files(server.process.pid)

    return steady(read, for_s)


def resident_bytes(pid):
    """Return the resident memory."""
    shown = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    return int(shown.stdout) * 1024


def steady(read, for_s=0.3):
    """Call `read` until its value has not changed for a while; return the value."""
    value, since_s = read(), time.monotonic()
    while time.monotonic() - since_s < for_s:
        time.sleep(0.02)
        if (now := read()) != value:
            value, since_s = now, time.monotonic()
    return value
