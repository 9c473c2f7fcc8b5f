"""The Dask task: it starts the agent of one placement, and waits for its end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TypedDict

import server

__all__ = ["Assignment", "NodeTls", "train"]


class Assignment(TypedDict):
    """What an agent needs to know.

    Attributes
    ----------
    url : str
        The address of the WebSocket of the run.
    token : str
        The token of the placement.
    ca : str or None
        The certificate of the authority that signed the server's, in PEM; None: as the system.
    """

    url: str
    token: str
    ca: str | None


class NodeTls(TypedDict):
    """Files of this machine's certificate for the cluster, in PEM; None without TLS."""

    certificate: str | None
    key: str | None


async def train(assignment: Assignment) -> None:
    """Train a run on this machine.

    The agent is a process in a session of its own: it outlives a Dask worker that ends because its
    scheduler is gone. It gets the token by a pipe, which no other process can read.

    Raises
    ------
    RuntimeError
        The agent ended with an error; the log of the Dask worker has its traceback.
    """
    path = [str(Path(server.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    agent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server.cluster.node",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
        start_new_session=True,
    )
    output, _ = await agent.communicate(json.dumps({**assignment, **_node_tls()}).encode())
    if agent.returncode:
        status = f"it ended with status {agent.returncode}"
        raise RuntimeError(output.decode(errors="replace").strip() or status)


def _node_tls() -> NodeTls:
    """Return the certificate with which the Dask worker of this task identifies itself."""
    from distributed import get_worker  # noqa: PLC0415 - the server does without Dask

    try:
        config = get_worker().security.get_tls_config_for_role("worker")  # type: ignore[no-untyped-call]
    except ValueError:
        config = {}
    return {"certificate": config.get("cert"), "key": config.get("key")}
