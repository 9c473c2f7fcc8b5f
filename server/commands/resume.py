"""What a folder of `train` holds to go on from, and with which settings it goes on."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from server.checkpoints.npz import Arrays, DamagedArchiveError, Meta, read_archive
from server.spec.fork_spec import CHANGEABLE
from server.spec.run_spec import RunSpec, SpecError

__all__ = ["ResumeState", "TrainingError", "read_kept"]


class TrainingError(Exception):
    """It can't be done, or can't go on; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class ResumeState:
    """A checkpoint to go on from.

    Attributes
    ----------
    path : pathlib.Path
        Its file.
    arrays, meta : dict
        What the file holds.
    spec : RunSpec
        How it was trained so far.
    """

    path: Path
    arrays: Arrays
    meta: Meta
    spec: RunSpec

    def unfit(self, reason: object) -> TrainingError:
        """Return what to say when it can't be gone on from."""
        return TrainingError(f"It can't go on from {self.path}: {str(reason).rstrip('.')}.")

    def spec_with(self, asked: RunSpec, given: AbstractSet[str]) -> RunSpec:
        """Return how to go on: as so far, but for what was asked for by name.

        Parameters
        ----------
        asked : RunSpec
            What the command line comes to, defaults included.
        given : set of str
            The fields of it that were given; a default is nobody's wish.

        Raises
        ------
        SpecError
            A field is given that differs, and that the checkpoint has grown with.
        """
        changes = {}
        for field in sorted(given):
            value, before = getattr(asked, field), getattr(self.spec, field)
            if value == before:
                continue
            if field not in CHANGEABLE:
                has = "none" if before is None else before
                raise SpecError(field, f"can't be another when going on: the checkpoint has {has}.")
            changes[field] = value
        return self.spec.model_copy(update=changes)


def read_kept(path: Path) -> ResumeState:
    """Read a checkpoint to go on from.

    Raises
    ------
    TrainingError
        There is none, or none that can be read.
    """
    try:
        arrays, meta = read_archive(path)
        return ResumeState(path, arrays, meta, RunSpec.model_validate(meta.get("spec")))
    except FileNotFoundError:
        raise TrainingError(f"There is no {path.name} in {path.parent} to go on from.") from None
    except DamagedArchiveError as error:
        raise TrainingError(f"It can't go on from {path}: {error}.") from error
    except ValidationError as error:
        raise TrainingError(
            f"It can't go on from {path}: this version can't read its settings."
        ) from error
