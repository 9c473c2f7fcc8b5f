"""`hurrah doctor`: what is installed, and whether a server could start."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server import __version__
from server.files.directory_lock import DirectoryInUseError, lock_directory
from server.installation import IS_PACKAGE, STATIC, install_command
from server.rnn.backend.selection import fitting_kernel, load_numba
from server.runs.supervisor import DATABASE
from server.settings import WEBHOOK_SECRET_FILE, Settings
from server.spec.run_spec import NETWORK
from server.store.migrations import VERSION, NewerDatabaseError, check_version, read_version

__all__ = ["Finding", "examine", "print_findings"]

Verdict = Literal["ok", "note", "error"]

# Package, and what `make` and pip install it by.
EXTRAS = {"numba": "fast", "optuna": "sweep-install", "distributed": "cluster-install"}
STYLES: dict[Verdict, str] = {"ok": "green", "note": "yellow", "error": "bold red"}
LOW_SPACE_BYTES = 1_000_000_000
SCHEDULER_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result.

    Attributes
    ----------
    subject : str
        What was examined.
    verdict : "ok", "note" or "error"
        With "error" the server would not start.
    text : str
        What was found.
    """

    subject: str
    verdict: Verdict
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Examine this machine and the settings; nothing is changed.

    Parameters
    ----------
    settings : Settings
        The settings with which the server would start.

    Yields
    ------
    Finding
        In the order in which they are shown.
    """
    where = "installed in" if IS_PACKAGE else "a checkout in"
    yield Finding("Hurrah", "ok", f"{__version__}, {where} {Path(__file__).parents[2]}")
    python = f"{platform.python_version()}, {sys.executable}"
    yield Finding("Python", "ok", f"{python}, {platform.system()} {platform.machine()}")
    if not (STATIC / "bundles").is_dir():
        yield Finding("Files", "error", f"{STATIC} is not complete: install Hurrah again.")
    for package, extra in EXTRAS.items():
        yield _package(package, install_command(extra, package))
    yield _kernel()
    yield _blas()
    yield _cores(settings)
    yield from _data_directory(settings.data_dir)
    yield _port(settings)
    yield from _access(settings)
    if settings.metrics and importlib.util.find_spec("prometheus_client") is None:
        command = install_command("metrics-install", "prometheus-client")
        yield Finding("metrics", "error", f"HURRAH_METRICS needs prometheus_client: {command}.")
    if settings.webhook_url is not None:
        yield _webhook(settings.webhook_url, settings)
    if settings.cluster is not None:
        yield _cluster(settings)


def print_findings(findings: list[Finding], console: Console) -> bool:
    """Print what was found; return whether a server could start."""
    if not console.is_terminal:
        # One line each, however long, for programs that read them.
        width = max(len(finding.subject) for finding in findings)
        for each in findings:
            line = f"{each.verdict:5}  {each.subject:{width}}  {each.text}"
            console.print(Text(line), soft_wrap=True)
    else:
        console.print(_table(findings))
    failed = [finding.subject.lower() for finding in findings if finding.verdict == "error"]
    if failed:
        message = Text(f"The server cannot start: {', '.join(failed)}.", style="bold red")
    else:
        message = Text("The server can start.", style="bold green")
    console.print(message, soft_wrap=not console.is_terminal)
    return not failed


def _table(findings: list[Finding]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    for finding in findings:
        # Not markup: a path may contain square brackets.
        verdict = Text(finding.verdict, style=STYLES[finding.verdict])
        table.add_row(verdict, Text(finding.subject), Text(finding.text, overflow="fold"))
    return table


def _package(name: str, command: str) -> Finding:
    try:
        return Finding(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "ok", f"not installed; it is optional: {command}")


def _kernel() -> Finding:
    kernel = fitting_kernel(NETWORK)
    text = f"{kernel}, for the default network"
    try:
        metadata.version("numba")
    except metadata.PackageNotFoundError:
        return Finding("kernel", "ok", text)
    if load_numba() is None:
        return Finding("kernel", "note", f"{text}: Numba is installed, but cannot be imported.")
    return Finding("kernel", "ok", text)


def _blas() -> Finding:
    config: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
    blas = config.get("Build Dependencies", {}).get("blas", {})
    name = f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "")
    return Finding("NumPy", "ok", f"{np.__version__} with BLAS {name}, {threads} thread(s) a run")


def _cores(settings: Settings) -> Finding:
    # macOS has no affinity.
    allowed: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    cores = os.cpu_count() or 1 if allowed is None else len(allowed(0))
    runs = settings.max_training_runs
    text = f"{cores}, and {runs} runs may train at the same time"
    return Finding("cores", "note" if runs > max(2, cores) else "ok", text)


def _data_directory(directory: Path) -> Iterator[Finding]:
    existing = directory.absolute()
    while not existing.exists():
        existing = existing.parent
    try:
        free = shutil.disk_usage(existing).free
    except OSError as error:
        yield Finding("data", "error", f"Cannot use {directory}: {error.strerror}.")
        return
    problem = _directory_problem(existing)
    if problem is not None:
        yield Finding("data", "error", problem)
    elif existing != directory.absolute():
        yield Finding("data", "ok", f"{directory.absolute()}, which the first start creates")
    else:
        yield from _contents(directory)
    verdict: Verdict = "note" if free < LOW_SPACE_BYTES else "ok"
    yield Finding("disk space", verdict, f"{free / 1e9:,.1f} GB free")


def _directory_problem(directory: Path) -> str | None:
    if not directory.is_dir():
        return f"{directory} is not a directory."
    if not os.access(directory, os.W_OK | os.X_OK):
        return f"{directory} cannot be written."
    return None


def _contents(directory: Path) -> Iterator[Finding]:
    try:
        with tempfile.TemporaryFile(dir=directory) as probe:
            probe.write(b"\0")
        check_version(directory / DATABASE)
        version = read_version(directory / DATABASE)
        with lock_directory(directory, 0):
            pass
    except NewerDatabaseError as error:
        yield Finding("data", "error", str(error))
    except DirectoryInUseError:
        yield Finding("data", "error", f"Another server uses {directory}.")
    except sqlite3.DatabaseError as error:
        yield Finding("data", "error", f"Cannot use {directory / DATABASE}: {error}.")
    except OSError as error:
        yield Finding("data", "error", f"Cannot use {directory}: {error.strerror}.")
    else:
        yield Finding("data", "ok", str(directory.absolute()))
        if (directory / DATABASE).exists() and version < VERSION:
            text = f"has version {version}; the next start makes a backup and migrates it"
            yield Finding("database", "note", text)


def _port(settings: Settings) -> Finding:
    host = settings.host.strip("[]")
    address = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, settings.port))
            listener.listen(1)
    except OSError as error:
        return Finding("port", "error", f"Cannot listen on {address}: {error.strerror}.")
    return Finding("port", "ok", "a free one" if settings.port == 0 else f"{address} is free")


def _access(settings: Settings) -> Iterator[Finding]:
    if settings.on_loopback:
        # A proxy's clients would all be operators.
        behind_proxy = bool(settings.root_path or settings.allowed_hosts)
        lacking = behind_proxy and settings.operator_token is None
        text = "only from this machine; everyone on it may change runs"
        if lacking:
            text += ". Behind a proxy set HURRAH_OPERATOR_TOKEN."
        yield Finding("access", "note" if lacking else "ok", text)
    else:
        token = "the one that is set" if settings.operator_token else "a new one at each start"
        yield Finding("access", "ok", f"from other machines; operator token: {token}")
    yield Finding("root path", "ok", settings.root_path or "none")
    yield Finding("proxies", "ok", f"believed: {', '.join(settings.trusted_proxies) or 'none'}")
    for path in (settings.tls_cert, settings.tls_key):
        if path is not None and not os.access(path, os.R_OK):
            yield Finding("TLS", "error", f"{path} cannot be read.")


def _webhook(url: str, settings: Settings) -> Finding:
    # The path may be a secret.
    parts = urlsplit(url)
    key = "HURRAH_WEBHOOK_SECRET"
    if settings.webhook_secret is None:
        key = f"the key in {settings.data_dir / WEBHOOK_SECRET_FILE}"
    return Finding("webhook", "ok", f"{parts.scheme}://{parts.netloc}, signed with {key}")


def _cluster(settings: Settings) -> Finding:
    try:
        metadata.version("distributed")
    except metadata.PackageNotFoundError:
        command = install_command("cluster-install", "distributed")
        return Finding("cluster", "error", f"HURRAH_CLUSTER needs Dask: {command}.")
    for path in (settings.cluster_ca, settings.cluster_cert, settings.cluster_key):
        if path is not None and not path.is_file():
            return Finding("cluster", "error", f"There is no file {path}.")
    address = urlsplit(settings.cluster or "")
    try:
        with socket.create_connection(
            (address.hostname or "", address.port or 0), SCHEDULER_TIMEOUT_S
        ):
            return Finding("cluster", "ok", f"{settings.cluster} answers")
    except OSError as error:
        text = f"{settings.cluster} does not answer: {error.strerror or error}."
        return Finding("cluster", "note", f"{text} Runs wait until it does.")
