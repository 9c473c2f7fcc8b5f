"""Listening, saying so, and ending well."""

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
from server.files.durable import make_folder
from server.runs.supervisor import DATABASE
from server.settings import Settings
from server.store.database import Store
from server.store.migrations import MigrationError, NewerDatabaseError, check_version
from server.web.app import create_app
from server.web.http.http_protocol import protocol_for
from server.web.live.backpressure import ViewerProtocol

__all__ = ["run"]

# Of the 10 s in which the process must end, what open connections may take.
GRACE_S = 2
MAX_VIEWER_MESSAGE_BYTES = 65_536
# How long the server before this one may take to leave.
PREDECESSOR_PATIENCE_S = 2.0
# A lecture hall opens the page within a second.
BACKLOG = 1_024
# Each is an open file before anybody has counted it.
ACCEPTED_AT_ONCE = 64
PRIVATE_UMASK = 0o077
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
        for listener in sockets or []:
            listener.listen(BACKLOG)
        if self.started:
            print(self._greeting(sockets), flush=True)  # noqa: T201 - what the command is to print

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `SignalHandler`.

        uvicorn leaves in haste when told a second time, before any run has its checkpoint, and
        raises the signal again once it has ended, which would make the exit status that of a killed
        process.
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
    """What happens at SIGINT and SIGTERM, from the start to the last moment of the process.

    However often one is told, impatient people press Ctrl-C twice: it ends once, and well.
    """

    def __init__(self) -> None:
        self._server: Server | None = None
        self._asked = False
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if self._server is not None:
            # It looks ten times a second.
            self._server.should_exit = True

    def of(self, server: Server) -> None:
        """End this server when asked, or now if that was so already."""
        self._server = server
        server.should_exit = self._asked

    @staticmethod
    def is_over() -> None:
        """Heed no signal any more: Python itself would end by it while it clears up."""
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)


def run(settings: Settings) -> int:
    """Serve until told to end.

    Returns
    -------
    int
        Exit status: 0 when it ended as told, 1 when it could not start.
    """
    ending = SignalHandler()
    # What is kept here may be private: other users of the machine have no business with it.
    os.umask(PRIVATE_UMASK)
    with contextlib.ExitStack() as held:
        try:
            _claim(settings, held)
            listener = held.enter_context(_listen(settings))
        except CannotStartError as error:
            print(error, file=sys.stderr)  # noqa: T201 - the command's own words
            return 1
        return _serve(settings, listener, ending)


def _serve(settings: Settings, listener: socket.socket, ending: SignalHandler) -> int:
    config = uvicorn.Config(
        create_app(settings),
        # What strangers send that is no HTTP is worth no line each.
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        forwarded_allow_ips=_trusted_proxies(),
        http=protocol_for(settings),
        ws=ViewerProtocol,
        ws_max_size=MAX_VIEWER_MESSAGE_BYTES,
        # asyncio accepts as many connections in one go as it believes the line to be long.
        backlog=ACCEPTED_AT_ONCE,
        # Three hundred compressors cost more than the bytes they save.
        ws_per_message_deflate=False,
    )
    server = Server(config, settings)
    ending.of(server)
    asyncio.run(server.serve(sockets=[listener]))
    ending.is_over()
    return 0 if server.started else 1


def _trusted_proxies() -> list[str]:
    """Return the addresses whose word is taken for where a request comes from.

    A socket of IPv6 that listens for both kinds knows an address of IPv4 by another name.
    """
    trusted = []
    for each in os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").split(","):
        trusted.append(each.strip())
        with contextlib.suppress(ValueError):
            network = ipaddress.IPv4Network(each.strip())
            trusted.append(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
    return trusted


def _claim(settings: Settings, held: contextlib.ExitStack) -> None:
    """Make the data directory this process's own; one database has one owner."""
    try:
        make_folder(settings.data_dir)
        held.enter_context(lock_directory(settings.data_dir, PREDECESSOR_PATIENCE_S))
        # First of all: nothing may change in the directory of a newer version.
        check_version(settings.data_dir / DATABASE)
        with tempfile.TemporaryFile(dir=settings.data_dir) as probe:
            probe.write(bytes(PROBE_BYTES))
        Store(settings.data_dir / DATABASE).close()
    except (NewerDatabaseError, MigrationError) as error:
        raise CannotStartError(str(error)) from error
    except sqlite3.DatabaseError as error:
        database = settings.data_dir / DATABASE
        raise CannotStartError(f"Can't use {database}: {error}.") from error
    except DirectoryInUseError as error:
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
