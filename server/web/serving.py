"""Listening, saying so, and ending well."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from urllib.parse import quote

import uvicorn

from server.runs.archive import make_folder
from server.runs.claim import FolderInUseError, claimed
from server.runs.store import Store
from server.runs.supervisor import DATABASE
from server.settings import Settings
from server.web.app import create_app
from server.web.connections import protocol_for
from server.web.viewer_protocol import ViewerProtocol

__all__ = ["run"]

# Of the 10 s in which the process must end, what open connections may take.
GRACE_S = 2
MAX_VIEWER_MESSAGE_BYTES = 65_536
# How long the server before this one may take to leave.
PREDECESSOR_PATIENCE_S = 2.0
# A lecture hall opens the page within a second.
BACKLOG = 1_024
# Less room than this and nothing could be done.
PROBE_BYTES = 65_536


class CannotStartError(RuntimeError):
    """The server can't start; the message is one sentence for a person."""


class Server(uvicorn.Server):
    """A server that says where it listens, and for which a signal is a normal way to end."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and print the address once it is listened on."""
        await super().startup(sockets)
        if self.started:
            print(self._greeting(sockets), flush=True)  # noqa: T201 - what the command is to print

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave when told to.

        uvicorn raises the signal again once it has ended, which would make the exit status that of
        a killed process.
        """
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self.handle_exit, name, None)
        yield

    def _greeting(self, sockets: list[socket.socket] | None) -> str:
        port = sockets[0].getsockname()[1] if sockets else self.config.port
        host = self._settings.host
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        token = self._settings.token()
        query = "" if token is None else f"?token={quote(token)}"
        return f"Hurrah is listening on http://{host}:{port}/{query}"


def run(settings: Settings) -> int:
    """Serve until told to end.

    Returns
    -------
    int
        Exit status: 0 when it ended as told, 1 when it could not start.
    """
    with contextlib.ExitStack() as held:
        try:
            _claim(settings, held)
            listener = held.enter_context(_listen(settings))
        except CannotStartError as error:
            print(error, file=sys.stderr)  # noqa: T201 - the command's own words
            return 1
        return _serve(settings, listener)


def _serve(settings: Settings, listener: socket.socket) -> int:
    config = uvicorn.Config(
        create_app(settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        http=protocol_for(settings),
        ws=ViewerProtocol,
        ws_max_size=MAX_VIEWER_MESSAGE_BYTES,
        backlog=BACKLOG,
        # Three hundred compressors cost more than the bytes they save.
        ws_per_message_deflate=False,
    )
    server = Server(config, settings)
    asyncio.run(server.serve(sockets=[listener]))
    return 0 if server.started else 1


def _claim(settings: Settings, held: contextlib.ExitStack) -> None:
    """Make the data directory this process's own; one database has one owner."""
    try:
        make_folder(settings.data_dir)
        held.enter_context(claimed(settings.data_dir, PREDECESSOR_PATIENCE_S))
        with tempfile.TemporaryFile(dir=settings.data_dir) as probe:
            probe.write(bytes(PROBE_BYTES))
        Store(settings.data_dir / DATABASE).close()
    except sqlite3.DatabaseError as error:
        database = settings.data_dir / DATABASE
        raise CannotStartError(f"Can't use {database}: {error}.") from error
    except FolderInUseError as error:
        raise CannotStartError(f"Another server uses {settings.data_dir}.") from error
    except OSError as error:
        raise CannotStartError(f"Can't use {settings.data_dir}: {error.strerror}.") from error


def _listen(settings: Settings) -> socket.socket:
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only for sockets that name their protocol; with it on,
    # every answer waits some 40 ms for the client's acknowledgement of its own headers.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, settings.port))
        # Only this tells that the port is free: two may be bound to it, as long as none listens.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStartError(
            f"Can't listen on {settings.host}:{settings.port}: {error.strerror}."
        ) from error
    return listener
