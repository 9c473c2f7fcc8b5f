"""A passage with and without a unit held at a value."""

from __future__ import annotations

from server.concurrency.json_lines import Message
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import WriteHeld
from server.rnn.inspection.intervention import intervene
from server.rnn.sampling.hold import Hold

__all__ = ["write_held"]


def write_held(files: LoadedFiles, command: WriteHeld) -> Message:
    """Carry out a command.

    Raises
    ------
    DamagedArchiveError, OSError
        The model cannot be read.
    """
    model, vocabulary = files.model(command.path, command.which, command.corpus_path, command.spec)
    prime, unknown = vocabulary.split_known(command.prime)
    written = intervene(
        model,
        command.length,
        Hold(layer=command.layer, unit=command.unit, value=command.value),
        temperature=command.temperature,
        seed=command.seed,
        prime=vocabulary.encode(prime) if prime else None,
    )
    return {
        "update": model.update,
        "without": vocabulary.decode(written.without),
        "with": vocabulary.decode(written.held),
        "first_difference": written.first_difference,
        "unknown_characters": unknown,
    }
