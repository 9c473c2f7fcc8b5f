"""Carries out the commands that look inside a network."""

from __future__ import annotations

from server.concurrency.json_lines import Message
from server.inference.inspection.health import (
    measure_network_health,
    measure_network_memory,
    measure_update_ratios,
)
from server.inference.inspection.intervention import write_held
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import (
    FindSpans,
    InspectionCommand,
    MeasureHealth,
    MeasureMemory,
    MeasureProbabilities,
    MeasureUpdateRatios,
    PredictCharacters,
    ProbeText,
    UnrollUpdate,
    WriteHeld,
)
from server.inference.inspection.probe import measure_probabilities, predict_characters, probe_text
from server.inference.inspection.spans import find_unit_spans
from server.inference.inspection.unrolled import unroll_update

__all__ = ["inspect"]


def inspect(  # noqa: PLR0911 - one case a command
    files: LoadedFiles, command: InspectionCommand
) -> Message:
    """Carry out a command and return the content of the reply.

    Raises
    ------
    DamagedArchiveError, OSError
        A model cannot be read.
    """
    match command:
        case ProbeText():
            return probe_text(files, command)
        case FindSpans():
            return find_unit_spans(files, command)
        case WriteHeld():
            return write_held(files, command)
        case UnrollUpdate():
            return unroll_update(files, command)
        case MeasureProbabilities():
            return measure_probabilities(files, command)
        case PredictCharacters():
            return predict_characters(files, command)
        case MeasureHealth():
            return measure_network_health(files, command)
        case MeasureMemory():
            return measure_network_memory(files, command)
        case MeasureUpdateRatios():
            return measure_update_ratios(files, command)
        case _:
            raise TypeError(f"{type(command).__name__} has no case here")
