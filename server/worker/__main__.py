"""The worker process: ``python -m server.worker``."""

from __future__ import annotations

import os
from pathlib import Path

from server.concurrency.json_lines import JsonLineChannel, Message
from server.concurrency.typed_messages import UnknownMessageError
from server.files.directory_lock import lock_directory
from server.worker.messages import Start, parse_command
from server.worker.worker import Worker

PREDECESSOR_TIMEOUT_S = 10.0
"""How long the run's previous worker may take to exit."""
SERVER_GONE_TIMEOUT_S = 4.5
"""A worker exits within 5 s of its server; a checkpoint of the largest network takes less."""
NICENESS = 5
"""Training uses all processor time that is left, but on a machine with few cores the server and the
browser would otherwise wait for it again and again."""


def main() -> None:
    """Wait for the first command, then train."""
    os.nice(NICENESS)
    channel = JsonLineChannel(timeout_s=SERVER_GONE_TIMEOUT_S)
    if message := channel.receive():
        try:
            _run(channel, message)
        except UnknownMessageError as error:
            channel.send_reply(message.get("id", 0), {"refused": str(error)})
    channel.close()


def _run(channel: JsonLineChannel, message: Message) -> None:
    start = parse_command(message)
    if not isinstance(start, Start):
        raise UnknownMessageError("the first command must be 'Start'")
    # The run's next worker waits for the lock, until this one has written its last checkpoint.
    with lock_directory(Path(start.directory), PREDECESSOR_TIMEOUT_S):
        worker = Worker(channel, start)
        worker.fast_forward(start.fast_forward_to)
        worker.report()
        channel.send_reply(message["id"], {})
        worker.run()


if __name__ == "__main__":
    main()
