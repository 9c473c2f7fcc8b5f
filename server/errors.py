"""What can be wrong with a request about runs."""

from __future__ import annotations

__all__ = [
    "ConflictError",
    "DamagedCheckpointError",
    "LimitReachedError",
    "TooBusyError",
    "UnknownCheckpointError",
    "UnknownMilestoneError",
    "UnknownModelError",
    "UnknownRunError",
    "UnknownSavedPassageError",
]


class UnknownRunError(LookupError):
    """There is no such run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"There is no run {run!r}.")


class UnknownCheckpointError(LookupError):
    """The run has no such checkpoint."""

    def __init__(self, checkpoint: str) -> None:
        super().__init__(f"The run has no checkpoint {checkpoint!r}.")


class UnknownModelError(LookupError):
    """A model that wrote something is no longer there."""

    def __init__(self, update: int | None = None) -> None:
        which = "that wrote this" if update is None else f"of update {update:,} that wrote this"
        super().__init__(f"The very model {which} is no longer there.")


class UnknownSavedPassageError(LookupError):
    """There is no such passage in the gallery."""

    def __init__(self, kept: str) -> None:
        super().__init__(f"There is no kept passage {kept!r}.")


class UnknownMilestoneError(LookupError):
    """The run has no such milestone."""

    def __init__(self, milestone: str) -> None:
        super().__init__(f"The run has no milestone {milestone!r}.")


class DamagedCheckpointError(RuntimeError):
    """The file of a checkpoint is not what was written."""

    def __init__(self, update: int) -> None:
        super().__init__(f"The checkpoint of update {update:,} is damaged: it can't be read.")


class ConflictError(RuntimeError):
    """The run is not in a state in which this can be done; the message says why."""


class LimitReachedError(ConflictError):
    """There may be no more of something; the message names the limit."""


class TooBusyError(RuntimeError):
    """Too many ask for the same at once; the message names the limit.

    Attributes
    ----------
    retry_after_s : int
        When it may be worth while to ask again.
    """

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
