"""The server process: start, signals and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import sqlite3
import ssl
import sys
import tempfile
from collections.abc import Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from server.cluster.scheduler import is_installed
from server.files.directory_lock import DirectoryInUseError, lock_directory
from server.files.durable import make_directory
from server.installation import install_command
from server.runs.supervisor import DATABASE
from server.settings import WEBHOOK_SECRET_FILE, Settings
from server.store.database import Store
from server.store.migrations import MigrationError, NewerDatabaseError, check_version
from server.web.app import create_app
from server.web.greeting import greeting, is_read_at_once
from server.web.http.http_protocol import http_protocol_class
from server.web.lifespan import cluster_settings
from server.web.live.backpressure import ViewerProtocol
from server.web.monitoring.logs import configure_logs
from server.web.monitoring.webhook import signing_key

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
# After each write to a socket the event loop waits for the thread of the database to let it go on.
# At Python's 5 ms, three hundred workers' reports would be late.
THREAD_SWITCH_S = 0.0002
# With less free disk space than this the server could do nothing useful.
PROBE_BYTES = 65_536


class CannotStartError(RuntimeError):
    """The server cannot start; the message is one sentence for the terminal."""


class Server(uvicorn.Server):
    """A uvicorn server that prints its address and leaves signals to `SignalHandler`."""

    def __init__(self, app: FastAPI, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._app = app
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and print the address once connections are accepted."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)
        if self.started:
            print(self._greeting(sockets), flush=True)  # noqa: T201 - promised in docs/protocol.md

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Checkpoint the runs in a cluster while their machines are connected, then shut down."""
        if (services := getattr(self._app.state, "services", None)) is not None:
            await services.supervisor.save_remote_runs()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers.

        At a second signal uvicorn would exit before the runs are checkpointed. It would also raise
        the signal again after the shutdown, which makes the exit status that of a killed process.
        """
        yield

    def _greeting(self, sockets: list[socket.socket] | None) -> str:
        port = sockets[0].getsockname()[1] if sockets else self.config.port
        return greeting(self._settings, port, tls=self.config.is_ssl, terminal=is_read_at_once())


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
    configure_logs(settings)
    sys.setswitchinterval(THREAD_SWITCH_S)
    # Texts and models may be private: other users of the machine must not read them.
    os.umask(PRIVATE_UMASK)
    with contextlib.ExitStack() as stack:
        try:
            _check_cluster(settings)
            _check_metrics(settings)
            _lock_data_directory(settings, stack)
            _check_webhook(settings)
            tls = _tls_context(settings)
            listener = stack.enter_context(_listen(settings))
            # The machines of a cluster are told the real one.
            settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        except CannotStartError as error:
            print(error, file=sys.stderr)  # noqa: T201 - the command's error message
            return 1
        _serve(settings, listener, tls, signal_handler)
    return 0


def _serve(
    settings: Settings,
    listener: socket.socket,
    tls: ssl.SSLContext | None,
    signal_handler: SignalHandler,
) -> None:
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        # uvicorn logs a warning for every malformed request.
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=CONNECTION_SHUTDOWN_S,
        # `ForwardedHeaders` does that.
        proxy_headers=False,
        http=http_protocol_class(settings),
        ws=ViewerProtocol,
        ws_max_size=MAX_CLIENT_MESSAGE_BYTES,
        # asyncio accepts up to `backlog` connections in one go. `startup` sets the real backlog.
        backlog=ACCEPTED_AT_ONCE,
        # Compressing for three hundred viewers would cost more than the bytes it saves.
        ws_per_message_deflate=False,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    server = Server(app, config, settings)
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


def _tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the context with the server's certificate; None without one.

    Clients may have a certificate of the cluster's authority. Only the machines of the cluster need
    one: browsers have none.
    """
    if settings.tls_cert is None:
        if settings.tls_key is not None:
            raise CannotStartError("HURRAH_TLS_KEY is set, but HURRAH_TLS_CERT is not.")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = settings.tls_cert
    try:
        # Without a password, so that OpenSSL does not ask for one on the terminal.
        context.load_cert_chain(path, settings.tls_key, password="")
        if settings.cluster_ca is not None:
            path = settings.cluster_ca
            context.load_verify_locations(path)
            context.verify_mode = ssl.CERT_OPTIONAL
    except OSError as error:
        raise CannotStartError(
            f"Cannot use the certificate {path}: {error.strerror or error}."
        ) from error
    return context


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


def _check_cluster(settings: Settings) -> None:
    """Check the settings of the cluster, if there is one."""
    if settings.cluster is None:
        return
    if not is_installed():
        command = install_command("cluster-install", "distributed")
        raise CannotStartError(f"HURRAH_CLUSTER needs Dask: run `{command}`.")
    try:
        cluster_settings(settings)
    except ValueError as error:
        raise CannotStartError(str(error)) from error


def _check_metrics(settings: Settings) -> None:
    if settings.metrics and importlib.util.find_spec("prometheus_client") is None:
        command = install_command("metrics-install", "prometheus-client")
        raise CannotStartError(f"HURRAH_METRICS needs prometheus_client: run `{command}`.")


def _check_webhook(settings: Settings) -> None:
    """Check that there is a key to sign with, or make one."""
    if settings.webhook_url is None:
        return
    try:
        signing_key(settings)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or f"it {error}"
        raise CannotStartError(
            f"Cannot use {settings.data_dir / WEBHOOK_SECRET_FILE}: {reason}."
        ) from error


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
