"""The parts of commands and of their failures that all services have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.errors import ConflictError
from server.inspection.models import InspectedModel
from server.runs.run_controller import RunController

__all__ = ["model_fields", "raising_conflict", "run_fields"]


def run_fields(controller: RunController) -> dict[str, Any]:
    """Return the fields of a command that say which run it is about."""
    return {
        "spec": controller.run.spec.model_dump(mode="json"),
        "corpus_path": str(controller.corpus_path),
    }


def model_fields(controller: RunController, model: InspectedModel) -> dict[str, Any]:
    """Return the fields of a command that say which model of a run it is about."""
    path = None if model.located.path is None else str(model.located.path)
    return {"path": path, "which": model.located.which, **run_fields(controller)}


@contextlib.contextmanager
def raising_conflict(failure: str) -> Iterator[None]:
    """Replace the failure of a command by a `ConflictError`.

    Parameters
    ----------
    failure : str
        What was not done, such as "The text could not be read"; the cause follows it.

    Raises
    ------
    ConflictError
        The inference process refused the command, or ended before it replied.
    """
    try:
        yield
    except (ChildRefusedError, ChildExitedError) as error:
        raise ConflictError(f"{failure}: {error}.") from error
