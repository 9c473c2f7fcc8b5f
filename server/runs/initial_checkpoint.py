"""The checkpoint at update 0 of a run that starts from given weights."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from server.checkpoints.array_files import read_array_file
from server.checkpoints.checkpoint_format import checkpoint_contents, new_trainer
from server.checkpoints.given_parameters import GivenParameters, recognise_parameters
from server.checkpoints.npz import Arrays, Meta
from server.checkpoints.unflushed import HistoryDelta, UnconfirmedHistory
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec, SpecError, printable
from server.spec.schemas import MAX_FILE_NAME_CHARACTERS, GivenWeights

__all__ = ["GivenFile", "InitialCheckpoint", "initial_checkpoint", "spec_for"]


NO_NAME = "weights"


@dataclass(frozen=True, slots=True)
class GivenFile:
    """The parameters of a file, and its name."""

    name: str
    parameters: GivenParameters

    @classmethod
    def read(cls, file: IO[bytes], name: str) -> GivenFile:
        """Read a file.

        Raises
        ------
        ArrayFileError
            It cannot be read.
        ParametersError
            It has no parameters of a network.
        """
        try:
            shown = printable(name)[:MAX_FILE_NAME_CHARACTERS]
        except ValueError:
            shown = ""
        return cls(shown or NO_NAME, recognise_parameters(read_array_file(file)))


@dataclass(frozen=True, slots=True)
class InitialCheckpoint:
    """A checkpoint's contents, and how they came from the file."""

    arrays: Arrays
    meta: Meta
    about: GivenWeights


def spec_for(spec: RunSpec, fields: AbstractSet[str], given: GivenParameters) -> RunSpec:
    """Return a spec with the sizes of the parameters.

    Parameters
    ----------
    spec : RunSpec
        The spec.
    fields : set of str
        Its fields that were chosen; the others are defaults.
    given : GivenParameters
        The parameters.

    Raises
    ------
    SpecError
        Other sizes were chosen.
    pydantic.ValidationError
        The sizes are larger than a spec's may be.
    """
    sizes = given.architecture
    own = {"cell": sizes.cell, "hidden_size": sizes.hidden_size, "layers": sizes.layers}
    for field, value in own.items():
        if field in fields and getattr(spec, field) != value:
            raise SpecError(field, f"must be {value}, as in the file of the weights")
    return RunSpec.model_validate(spec.model_dump(include=set(fields)) | own)


def initial_checkpoint(spec: RunSpec, corpus_path: Path, given: GivenFile) -> InitialCheckpoint:
    """Return the checkpoint from which a run starts, instead of random weights.

    Parameters
    ----------
    spec : RunSpec
        The complete spec of the run, with the sizes of the parameters.
    corpus_path : pathlib.Path
        Its text, in UTF-8.
    given : GivenFile
        The parameters.

    Raises
    ------
    ParametersError
        They do not fit the text or the type of the numbers.
    server.rnn.training.trainer.TextTooShortError
        The text is too short.
    """
    text = corpus_path.read_bytes().decode()
    vocabulary, fields = Vocabulary.from_text(text), spec.model_dump(mode="json")
    parameters = given.parameters.for_vocabulary(vocabulary).of_type(spec.dtype)
    trainer = new_trainer(vocabulary.encode(text), vocabulary, fields)
    parameters.copy_to(trainer)
    arrays, meta = checkpoint_contents(trainer, vocabulary, fields)
    history, unflushed = UnconfirmedHistory().contents(HistoryDelta(1, 0, np.empty(0)))
    about = GivenWeights(file=given.name, remarks=parameters.remarks)
    # The first sample is still to be written.
    return InitialCheckpoint(arrays | history, meta | unflushed | {"sampled": False}, about)
