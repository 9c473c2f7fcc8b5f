"""The Dask task that starts an agent."""

import asyncio
import os

import pytest

from server.cluster.node import task

pytestmark = pytest.mark.process


def test_the_error_of_an_agent_is_that_of_its_task(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "_node_tls", lambda: {"certificate": None, "key": None})
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    root = tmp_path / f"hurrah-{os.getuid()}"
    root.mkdir(mode=0o777)
    root.chmod(0o777)
    assignment = {"url": "ws://127.0.0.1:1/ws/workers/a", "token": "t", "ca": None}
    with pytest.raises(RuntimeError, match=f"^{root} is not private$"):
        asyncio.run(task.train(assignment))
