"""The WebSocket of a remote worker's agent; see docs/decisions/cluster.md."""

from __future__ import annotations

import contextlib

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from server.cluster.remote_worker import SocketClosedError
from server.web.dependencies import ServicesDep
from server.web.http.problems import problem
from server.web.live.backpressure import EXTENSION, ViewerProtocol

__all__ = ["router"]

router = APIRouter()


class AgentSocket:
    """A WebSocket as `RemoteWorker` uses it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def send(self, message: bytes) -> None:
        """Send a binary message; raises `SocketClosedError`."""
        try:
            await self._websocket.send_bytes(message)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            raise SocketClosedError from error

    async def receive(self) -> bytes:
        """Return the next message, empty if it is text; raises `SocketClosedError`."""
        try:
            message = await self._websocket.receive()
        except RuntimeError as error:
            raise SocketClosedError from error
        if message["type"] == "websocket.disconnect":
            raise SocketClosedError
        return message.get("bytes") or b""

    async def close(self, code: int, reason: str) -> None:
        """Close the connection; does nothing if it is closed."""
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError, OSError):
            return


def _is_certified(websocket: WebSocket) -> bool:
    """Whether the other side has a certificate of the cluster, or a proxy has encrypted."""
    protocol: ViewerProtocol = websocket.scope["extensions"][EXTENSION]
    transport = protocol.transport
    encrypted = transport.get_extra_info("sslcontext") is not None
    return not encrypted or bool(transport.get_extra_info("peercert"))


async def _refuse(websocket: WebSocket, sentence: str) -> None:
    """Refuse a WebSocket before it is accepted; the agent may have disconnected already."""
    with contextlib.suppress(OSError):
        await problem(403, sentence)(websocket.scope, websocket.receive, websocket.send)


@router.websocket("/ws/workers/{run_id}")
async def connect_worker(websocket: WebSocket, run_id: str, services: ServicesDep) -> None:
    """Connect an agent that has the token of the run's placement."""
    if services.settings.cluster_ca is not None and not _is_certified(websocket):
        await _refuse(websocket, "The machine has no certificate of the cluster.")
        return
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    cluster = services.cluster
    worker = cluster.find(run_id, token) if cluster and scheme.lower() == "bearer" else None
    if worker is None:
        await _refuse(websocket, "There is no placement with this token.")
        return
    try:
        await websocket.accept()
    except OSError:
        return  # The agent has disconnected already.
    await worker.serve(AgentSocket(websocket))
