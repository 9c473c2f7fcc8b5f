"""The cost of taking a run along: `python -m benchmarks transfer [UPDATES ...]`.

A run with a synthetic history is exported by one server and imported by another.
"""

from __future__ import annotations

import http.client
import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.server.server_process import LIMIT_S, ServerProcess, memory_bytes, peak_bytes
from benchmarks.server.synthetic_history import create_run
from benchmarks.verdicts import Verdict

__all__ = ["transfer"]

LENGTHS = (100_000, 10_000_000)
EXPORT_LIMIT_S = 5.0
"""For a run of 100,000 updates."""
GROWTH_LIMIT_BYTES = 30e6
"""Of a server, whatever the length: buffers, SQLite's cache, and modules loaded at first use."""
PIECE_BYTES = 2**20
BOUNDARY = "hurrah"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one length took.

    Attributes
    ----------
    file_bytes : int
        Size of the file.
    export_s, first_byte_s, import_s : float
        Until the file was received, until its first byte was, and until the import was answered.
    export_growth_bytes, import_growth_bytes : float
        Peak memory of the server beyond that at its start.
    """

    file_bytes: int
    export_s: float
    first_byte_s: float
    import_s: float
    export_growth_bytes: float
    import_growth_bytes: float


def transfer(arguments: list[str], console: Console) -> list[Verdict]:
    """Measure, print the figures, and return their verdicts.

    Parameters
    ----------
    arguments : list of str
        Lengths in updates.
    console : rich.console.Console
        The output.
    """
    lengths = [int(word) for word in arguments] or list(LENGTHS)
    found = {length: _measure(length) for length in lengths}
    table = Table(title="A whole run as one file")
    for column in ("updates", "file", "first byte", "export", "import", "server, export / import"):
        table.add_column(column, justify="right")
    for length, each in found.items():
        table.add_row(
            f"{length:,}",
            f"{each.file_bytes / 1e6:,.1f} MB",
            f"{each.first_byte_s:.2f} s",
            f"{each.export_s:.2f} s",
            f"{each.import_s:.2f} s",
            f"+{each.export_growth_bytes / 1e6:.0f} / +{each.import_growth_bytes / 1e6:.0f} MB",
        )
    console.print(table)
    verdicts = []
    for length, each in found.items():
        growth = max(each.export_growth_bytes, each.import_growth_bytes)
        what = f"At {length:,} updates, growth of a server, MB"
        verdicts.append(Verdict(what, growth / 1e6, "under", GROWTH_LIMIT_BYTES / 1e6))
        if length <= LENGTHS[0]:
            what = f"At {length:,} updates, export, s"
            verdicts.append(Verdict(what, each.export_s, "under", EXPORT_LIMIT_S))
    return verdicts


def _measure(length: int) -> Figures:
    directory = Path(tempfile.mkdtemp(prefix="hurrah-transfer-"))
    try:
        synthetic = create_run(directory / "origin", length)
        file = directory / "run.hurrah"
        with ServerProcess(synthetic.data_dir) as server:
            before = memory_bytes(server.pid)
            start_s = time.perf_counter()
            with (
                server.open("GET", f"/runs/{synthetic.run}/export") as answer,
                file.open("wb") as to,
            ):
                to.write(answer.read(1))
                first_byte_s = time.perf_counter() - start_s
                shutil.copyfileobj(answer, to, PIECE_BYTES)
            export_s = time.perf_counter() - start_s
            export_growth = peak_bytes(server.pid) - before
        with ServerProcess(directory / "target") as server:
            before = memory_bytes(server.pid)
            start_s = time.perf_counter()
            run = _import(server, file)
            import_s = time.perf_counter() - start_s
            import_growth = peak_bytes(server.pid) - before
            if run["update"] != length:
                raise RuntimeError(f"the import ended at update {run['update']}")
        size = file.stat().st_size
        return Figures(size, export_s, first_byte_s, import_s, export_growth, import_growth)
    finally:
        shutil.rmtree(directory)


def _import(server: ServerProcess, file: Path) -> dict[str, object]:
    """Upload a file piece by piece, and return the run."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
    connection.putrequest("POST", "/api/runs/import")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    size = len(head) + file.stat().st_size + len(tail)
    connection.putheader("Content-Length", str(size))
    connection.endheaders(head)
    with file.open("rb") as content:
        while piece := content.read(PIECE_BYTES):
            connection.send(piece)
    connection.send(tail)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    if answer.status != 201:
        raise RuntimeError(f"the import failed: {body}")
    run: dict[str, object] = body
    return run
