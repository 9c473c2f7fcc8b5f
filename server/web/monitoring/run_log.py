"""One line of the log for each event of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from server.corpora.visible_text import without_controls
from server.spec.live_messages import LiveMessage
from server.spec.schemas import Run, RunState

__all__ = ["RunLog"]

log = logging.getLogger(__name__)

EVENTS = {
    RunState.QUEUED: "queued",
    RunState.PAUSED: "paused",
    RunState.FINISHED: "finished",
    RunState.STOPPED: "stopped",
    RunState.FAILED: "failed",
    RunState.INTERRUPTED: "interrupted",
}


class RunLog:
    """A `Publisher` that logs the changes of state and the checkpoints."""

    def __init__(self) -> None:
        self._states: dict[str, RunState] = {}

    def set_states(self, runs: Iterable[Run]) -> None:
        """Set the states of runs without logging them; later changes are logged."""
        self._states |= {run.id: run.state for run in runs}

    def publish(self, run: str, message: LiveMessage) -> None:
        """Log a message if it is a checkpoint, a return to one, or another state."""
        if message["type"] == "checkpoint":
            checkpoint = message["checkpoint"]
            # One of each run every half minute.
            level = logging.DEBUG if checkpoint.automatic else logging.INFO
            detail = f"{checkpoint.id} at update {checkpoint.update}"
            _log(run, "checkpoint", detail, level)
        elif message["type"] == "milestone" and message["milestone"].kind == "rollback":
            _log(run, "rollback", message["milestone"].text, logging.WARNING)
        elif message["type"] == "state":
            self._log_state(message["run_state"])

    def is_watched(self, run: str) -> bool:  # noqa: ARG002 - part of the interface
        """Return False: the content of messages is not used."""
        return False

    def restart(self, run: str) -> None:
        """Log nothing: a milestone says why the run went back."""

    def close(self, run: str) -> None:
        """Log that the run was deleted."""
        self._states.pop(run, None)
        _log(run, "deleted")

    def _log_state(self, run: Run) -> None:
        before = self._states.get(run.id)
        self._states[run.id] = run.state
        if run.state is before:
            return
        detail = f"update {run.update}"
        if run.smooth_loss is not None:
            detail += f", smooth loss {run.smooth_loss:.2f}"
        if run.error:
            detail += f", {run.error}"
        event = EVENTS.get(run.state, "resumed" if run.update else "started")
        level = logging.ERROR if run.state is RunState.FAILED else logging.INFO
        _log(run.id, event, detail, level)


def _log(run: str, event: str, detail: str = "", level: int = logging.INFO) -> None:
    # The detail may quote a stranger, who must not write lines of the log.
    text = f": {without_controls(detail)}" if detail else ""
    log.log(level, "run %s %s%s", run, event, text, extra={"run": run, "event": event})
