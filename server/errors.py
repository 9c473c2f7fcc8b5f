"""Exceptions that a request about a run can cause; the web turns them into problem responses."""

from __future__ import annotations

__all__ = [
    "ConflictError",
    "DamagedCheckpointError",
    "LimitReachedError",
    "TooBusyError",
    "UnknownCheckpointError",
    "UnknownGameError",
    "UnknownGroupError",
    "UnknownLectureError",
    "UnknownMilestoneError",
    "UnknownModelError",
    "UnknownOwnLossesError",
    "UnknownRunError",
    "UnknownSavedPassageError",
    "UnknownSweepError",
]


class UnknownRunError(LookupError):
    """There is no such run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"There is no run {run!r}.")


class UnknownCheckpointError(LookupError):
    """The run has no such checkpoint."""

    def __init__(self, checkpoint: str) -> None:
        super().__init__(f"The run has no checkpoint {checkpoint!r}.")


class UnknownGameError(LookupError):
    """There is no such game, or it has ended.

    Parameters
    ----------
    ended : bool
        Whether the game is known to have ended.
    """

    def __init__(self, *, ended: bool = False) -> None:
        unknown = "There is no such game. A restart of the server ends all games."
        super().__init__("The game has ended." if ended else unknown)


class UnknownGroupError(LookupError):
    """There is no such group of runs."""

    def __init__(self, group: str) -> None:
        super().__init__(f"There is no group {group!r}.")


class UnknownLectureError(LookupError):
    """There is no such lecture, or it has ended."""

    def __init__(self) -> None:
        super().__init__("There is no such lecture, or it has ended.")


class UnknownModelError(LookupError):
    """The model that wrote a passage no longer exists."""

    def __init__(self, update: int | None = None) -> None:
        which = "that wrote this" if update is None else f"of update {update:,} that wrote this"
        super().__init__(f"The model {which} no longer exists.")


class UnknownOwnLossesError(LookupError):
    """No losses of the user are kept with a run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"No losses of yours are kept with the run {run!r}.")


class UnknownSavedPassageError(LookupError):
    """There is no such saved passage."""

    def __init__(self, passage: str) -> None:
        super().__init__(f"There is no saved passage {passage!r}.")


class UnknownSweepError(LookupError):
    """There is no such sweep."""

    def __init__(self, sweep: str) -> None:
        super().__init__(f"There is no sweep {sweep!r}.")


class UnknownMilestoneError(LookupError):
    """The run has no such milestone."""

    def __init__(self, milestone: str) -> None:
        super().__init__(f"The run has no milestone {milestone!r}.")


class DamagedCheckpointError(RuntimeError):
    """The file of a checkpoint is damaged."""

    def __init__(self, update: int) -> None:
        super().__init__(f"The checkpoint of update {update:,} is damaged: it cannot be read.")


class ConflictError(RuntimeError):
    """The request conflicts with the state of the run; the message says why."""


class LimitReachedError(ConflictError):
    """A limit on how many there may be of something is reached; the message names it."""


class TooBusyError(RuntimeError):
    """Too many requests of a kind at once; the message names the limit.

    Attributes
    ----------
    retry_after_s : int
        Seconds after which a retry may succeed.
    """

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
