"""The state from which `train --resume` continues, and the spec it continues with."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from server.checkpoints.npz import Arrays, DamagedArchiveError, Meta, read_archive
from server.spec.fork_spec import CHANGEABLE
from server.spec.run_spec import RunSpec, SpecError

__all__ = ["ResumeState", "TrainingError", "read_resume_state"]


class TrainingError(Exception):
    """The training cannot start or continue; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class ResumeState:
    """A checkpoint from which a training continues.

    Attributes
    ----------
    path : pathlib.Path
        The checkpoint's file.
    arrays, meta : dict
        The file's arrays and description.
    spec : RunSpec
        The spec of the training so far.
    """

    path: Path
    arrays: Arrays
    meta: Meta
    spec: RunSpec

    def error(self, reason: object) -> TrainingError:
        """Return the error that this checkpoint cannot be resumed."""
        return TrainingError(f"Cannot resume from {self.path}: {str(reason).rstrip('.')}.")

    def spec_with(self, requested: RunSpec, given: AbstractSet[str]) -> RunSpec:
        """Return the spec to continue with: the checkpoint's, with the options that were given.

        Parameters
        ----------
        requested : RunSpec
            The command line's spec, defaults included.
        given : set of str
            The fields that were given as options. A default changes nothing.

        Raises
        ------
        SpecError
            A given field differs, and is fixed by the checkpoint.
        """
        changes = {}
        for field in sorted(given):
            value, before = getattr(requested, field), getattr(self.spec, field)
            if value == before:
                continue
            if field not in CHANGEABLE:
                made_with = "none" if before is None else before
                raise SpecError(
                    field,
                    f"cannot be changed by --resume: the checkpoint was made with {made_with}.",
                )
            changes[field] = value
        return self.spec.model_copy(update=changes)


def _complete_spec(meta: Meta) -> object:
    """Return a checkpoint's spec; before it named the smoothing, the factor was always 0.999."""
    spec = meta.get("spec")
    return {"loss_smoothing": 0.999} | spec if isinstance(spec, dict) else spec


def read_resume_state(path: Path) -> ResumeState:
    """Read a checkpoint to continue from.

    Raises
    ------
    TrainingError
        There is none, or it cannot be read.
    """
    try:
        arrays, meta = read_archive(path)
        return ResumeState(path, arrays, meta, RunSpec.model_validate(_complete_spec(meta)))
    except FileNotFoundError:
        raise TrainingError(f"There is no {path.name} in {path.parent} to resume.") from None
    except DamagedArchiveError as error:
        raise TrainingError(f"Cannot resume from {path}: {error}.") from error
    except ValidationError as error:
        raise TrainingError(
            f"Cannot resume from {path}: this version cannot read its settings."
        ) from error
