"""The agent's connection to the server."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosedError

from server.cluster.node.link import DisconnectedError, Link


class ClosedSocket:
    async def send(self, message):
        raise ConnectionClosedError(None, None)


def test_a_sender_waits_as_soon_as_the_connection_is_closed():
    """Otherwise one that tries again would never let the link notice."""

    async def inside():
        assignment = {"url": "ws://127.0.0.1:1", "token": "t", "ca": None}
        link = Link(assignment, {"certificate": None, "key": None})
        link._socket = ClosedSocket()
        link.connected.set()
        with pytest.raises(DisconnectedError):
            await link.send({"type": "alive"})
        assert not link.connected.is_set()

    asyncio.run(inside())
