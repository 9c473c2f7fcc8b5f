"""`python -m server report`: write the report of a run to a file."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from server.corpora.decoding import decode_text
from server.files.durable import replacing
from server.installation import CORPORA
from server.report.data_directory import open_data_directory
from server.report.offline import RunNotFoundError
from server.report.rendering import FORMATS, Format, make_report
from server.report.training_directory import CHECKPOINT, open_training

__all__ = ["report_filename", "write_report"]

RUN_ID = re.compile(r"[0-9a-f]{12}")


def report_filename(run: str, name: Format) -> Path:
    """Return the file of a report, in the current directory."""
    return Path(f"hurrah-{Path(run).resolve().name}-report.{FORMATS[name].ending}")


def write_report(run: str, name: Format, out: Path, *, data_dir: Path, text: Path | None) -> None:
    """Write the report of a run.

    Parameters
    ----------
    run : str
        An id in the data directory, or a directory that `train` left.
    name : {"html", "md"}
        The format.
    out : pathlib.Path
        The file.
    data_dir : pathlib.Path
        The data directory of a server, which may be running.
    text : pathlib.Path or None
        The text of a training; a run in a data directory knows its own.

    Raises
    ------
    RunNotFoundError
        There is no such run, or it cannot be read.
    NotTextError
        The text is not one.
    OSError
        A file cannot be read or written.
    """
    content = None if text is None else decode_text(text.read_bytes()).text
    named = "" if text is None else text.name
    report = asyncio.run(_report(run, name, data_dir, content, named))
    with replacing(out) as file:
        file.write(report)


async def _report(run: str, name: Format, data_dir: Path, text: str | None, named: str) -> bytes:
    directory = Path(run)
    if (directory / CHECKPOINT).exists():
        async with open_training(directory, text, named) as sources:
            return await make_report(sources, name)
    if not RUN_ID.fullmatch(run):
        raise RunNotFoundError(
            f"{run} is neither the id of a run nor a directory with a {CHECKPOINT}."
        )
    async with open_data_directory(data_dir, run, CORPORA) as sources:
        return await make_report(sources, name)
