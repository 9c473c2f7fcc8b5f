"""The server process: start, signals and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from types import FrameType
from urllib.parse import quote

import uvicorn

from server.files.directory_lock import DirectoryInUseError, lock_directory
from server.files.durable import make_directory
from server.runs.supervisor import DATABASE
from server.settings import Settings
from server.store.database import Store
from server.store.migrations import MigrationError, NewerDatabaseError, check_version
from server.web.app import create_app
from server.web.http.http_protocol import http_protocol_class
from server.web.live.backpressure import ViewerProtocol

__all__ = ["run"]

# The part of the 10 s for a shutdown that open connections may take.
CONNECTION_SHUTDOWN_S = 2
MAX_CLIENT_MESSAGE_BYTES = 65_536
# How long a previous server on the same directory may still take to end.
DIRECTORY_LOCK_TIMEOUT_S = 2.0
# A lecture hall opens the page within a second.
BACKLOG = 1_024
# Connections accepted in one go. Each is an open file before it is counted.
ACCEPTED_AT_ONCE = 64
PRIVATE_UMASK = 0o077
# With less free disk space than this the server could do nothing useful.
PROBE_BYTES = 65_536


class CannotStartError(RuntimeError):
    """The server cannot start; the message is one sentence for the terminal."""


class Server(uvicorn.Server):
    """A uvicorn server that prints its address and leaves signals to `SignalHandler`."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and print the address once connections are accepted."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)
        if self.started:
            print(self._greeting(sockets), flush=True)  # noqa: T201 - promised in docs/protocol.md

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers.

        At a second signal uvicorn would exit before the runs are checkpointed. It would also raise
        the signal again after the shutdown, which makes the exit status that of a killed process.
        """
        yield

    def _greeting(self, sockets: list[socket.socket] | None) -> str:
        port = sockets[0].getsockname()[1] if sockets else self.config.port
        host = self._settings.host
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        token = self._settings.token()
        query = "" if token is None else f"?token={quote(token)}"
        return f"Hurrah is listening on http://{host}:{port}/{query}"


class SignalHandler:
    """Handles SIGINT and SIGTERM for the whole life of the process.

    The first signal starts the shutdown; further ones change nothing, so that a second Ctrl-C does
    not interrupt the checkpoints.
    """

    def __init__(self) -> None:
        self._server: Server | None = None
        self._received = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._received = True
        if self._server is not None:
            # uvicorn checks this ten times a second.
            self._server.should_exit = True

    def attach(self, server: Server) -> None:
        """Stop this server at a signal, or at once if there was one already."""
        self._server = server
        server.should_exit = self._received

    @staticmethod
    def ignore() -> None:
        """Ignore signals from now on: one during Python's own cleanup would kill the process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def run(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM.

    Returns
    -------
    int
        Exit status: 0 after a signal, 1 if the server could not start.
    """
    signal_handler = SignalHandler()
    # Texts and models may be private: other users of the machine must not read them.
    os.umask(PRIVATE_UMASK)
    with contextlib.ExitStack() as stack:
        try:
            _lock_data_directory(settings, stack)
            listener = stack.enter_context(_listen(settings))
        except CannotStartError as error:
            print(error, file=sys.stderr)  # noqa: T201 - the command's error message
            return 1
        _serve(settings, listener, signal_handler)
    return 0


def _serve(settings: Settings, listener: socket.socket, signal_handler: SignalHandler) -> None:
    config = uvicorn.Config(
        create_app(settings),
        # uvicorn logs a warning for every malformed request.
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=CONNECTION_SHUTDOWN_S,
        forwarded_allow_ips=_trusted_proxies(),
        http=http_protocol_class(settings),
        ws=ViewerProtocol,
        ws_max_size=MAX_CLIENT_MESSAGE_BYTES,
        # asyncio accepts up to `backlog` connections in one go. `startup` sets the real backlog.
        backlog=ACCEPTED_AT_ONCE,
        # Compressing for three hundred viewers would cost more than the bytes it saves.
        ws_per_message_deflate=False,
    )
    server = Server(config, settings)
    signal_handler.attach(server)

    async def serve() -> None:
        await server.serve(sockets=[listener])
        signal_handler.ignore()
        # Everything is stored. `asyncio.run` would wait for the threads that read or describe a
        # text for a request that is cancelled, which may take minutes and has no effect.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0 if server.started else 1)

    asyncio.run(serve())


def _trusted_proxies() -> list[str]:
    """Return the addresses of proxies whose forwarded headers are believed.

    A dual-stack socket reports an IPv4 client by its IPv4-mapped IPv6 address, so that form is
    added.
    """
    trusted = []
    for address in os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").split(","):
        trusted.append(address.strip())
        with contextlib.suppress(ValueError):
            network = ipaddress.IPv4Network(address.strip())
            trusted.append(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
    return trusted


def _lock_data_directory(settings: Settings, stack: contextlib.ExitStack) -> None:
    """Create and lock the data directory: the database has one owner."""
    try:
        make_directory(settings.data_dir)
        stack.enter_context(lock_directory(settings.data_dir, DIRECTORY_LOCK_TIMEOUT_S))
        # Checked first: nothing may change in the directory of a newer version.
        check_version(settings.data_dir / DATABASE)
        # Uploads wait here, not in a temporary directory, which may be small or read-only.
        tempfile.tempdir = str(settings.data_dir.absolute())
        with tempfile.TemporaryFile(dir=settings.data_dir) as probe:
            probe.write(bytes(PROBE_BYTES))
        Store(settings.data_dir / DATABASE).close()
    except (NewerDatabaseError, MigrationError) as error:
        raise CannotStartError(str(error)) from error
    except sqlite3.DatabaseError as error:
        database = settings.data_dir / DATABASE
        raise CannotStartError(f"Cannot use {database}: {error}.") from error
    except DirectoryInUseError as error:
        raise CannotStartError(f"Another server uses {settings.data_dir}.") from error
    except OSError as error:
        raise CannotStartError(f"Cannot use {settings.data_dir}: {error.strerror}.") from error


def _listen(settings: Settings) -> socket.socket:
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only for sockets created with an explicit protocol. With it
    # on, every response waits some 40 ms for the client to acknowledge the response's headers.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, settings.port))
        # Two sockets can be bound to a port as long as none listens; only this shows it is free.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStartError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}."
        ) from error
    return listener
