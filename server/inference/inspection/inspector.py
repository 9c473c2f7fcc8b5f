"""Carries out the commands that look inside a network."""

from __future__ import annotations

from server.concurrency.json_lines import Message
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import InspectionCommand, ProbeText
from server.inference.inspection.probe import probe_text

__all__ = ["inspect"]


def inspect(files: LoadedFiles, command: InspectionCommand) -> Message:
    """Carry out a command and return the content of the reply.

    Raises
    ------
    DamagedArchiveError, OSError
        A model cannot be read.
    """
    match command:
        case ProbeText():
            return probe_text(files, command)
        case _:
            raise TypeError(f"{type(command).__name__} has no case here")
