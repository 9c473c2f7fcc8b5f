"""The worker process: ``python -m server.worker``."""

from __future__ import annotations

import os
from pathlib import Path

from server.concurrency.json_lines import JsonLineChannel
from server.files.directory_lock import lock_directory
from server.worker.worker import Worker

# How long the worker before this one may take to leave.
PREDECESSOR_PATIENCE_S = 10.0
# A worker ends within 5 s of its server; a checkpoint of the largest network takes less.
LEAVING_S = 4.5
# Training takes all that is left, but gives way to the server and to the browser that looks on:
# where cores are few, they would wait for it at every turn.
NICENESS = 5


def main() -> None:
    """Wait for the start command, then train."""
    os.nice(NICENESS)
    line = JsonLineChannel(patience_s=LEAVING_S)
    if start := line.take():
        # Whoever takes the run over, after this server, waits until the last checkpoint is written.
        with lock_directory(Path(start["folder"]), PREDECESSOR_PATIENCE_S):
            worker = Worker(line, start)
            worker.come_to(start["come_to"])
            worker.report()
            line.send({"answer": start["id"]})
            worker.run()
    line.close()


if __name__ == "__main__":
    main()
