"""Open files and memory of a process."""

import subprocess
import time
from pathlib import Path


def open_files(pid):
    """Return the number of open file descriptors."""
    directory = Path(f"/proc/{pid}/fd")
    if directory.exists():
        return len(list(directory.iterdir()))
    listing = subprocess.run(
        ["lsof", "-a", "-p", str(pid), "-d", "0-999999"], capture_output=True, text=True, check=True
    )
    return len(listing.stdout.splitlines()) - 1


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
