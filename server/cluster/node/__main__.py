"""The agent of one placement: ``python -m server.cluster.node``, started by `train`."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from server.cluster.node.agent import Agent
from server.cluster.node.directories import scratch_directory
from server.cluster.node.link import Link
from server.cluster.node.task import Assignment, NodeTls


def main() -> None:
    """Read the assignment, and connect the server with a worker until the placement ends."""
    logging.basicConfig(format="%(asctime)s hurrah agent: %(message)s")
    given = json.load(sys.stdin)
    assignment = Assignment(url=given["url"], token=given["token"], ca=given["ca"])
    node = NodeTls(certificate=given["certificate"], key=given["key"])
    try:
        with scratch_directory() as directory:
            asyncio.run(Agent(Link(assignment, node), directory).run())
    except Exception as error:
        # The task passes it on to the server.
        sys.stdout.write(str(error) or type(error).__name__)
        raise


if __name__ == "__main__":
    main()
