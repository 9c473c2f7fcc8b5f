"""Where a training is followed, and from where it is told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import IO, cast

from rich.console import Console

__all__ = ["Terminal"]

HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminal:
    """What is shown of a training on standard output, and the signals that end it.

    Attributes
    ----------
    console : rich.console.Console
        Where things are shown.
    told_to_end : bool
        Whether a signal said so: Ctrl-C, `kill`, or a terminal that was closed.
    lost : OSError or None
        Why nothing more can be shown; None while it can.
    """

    def __init__(self) -> None:
        self.told_to_end = False
        self.lost: OSError | None = None
        self.console = Console(file=cast("IO[str]", _Output(sys.stdout, self._lose)))

    @property
    def is_over(self) -> bool:
        """Whether a training is to leave a checkpoint and end, at its next update."""
        return self.told_to_end or self.lost is not None

    @contextlib.contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Let signals end the training between two updates, never inside one."""
        before = {
            number: signal.signal(number, self._end)
            for number in HEEDED
            # `nohup` has it ignored, for a training that is to outlive its terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, *_: object) -> None:
        self.told_to_end = True

    def _lose(self, error: OSError) -> None:
        self.lost = error


class _Output:
    """A stream that may be gone at any write: a closed terminal, a pipe that nobody reads.

    An error there would end the training inside an update, when what it learnt is not yet kept.
    """

    def __init__(self, stream: IO[str], lose: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._lose = lose

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._lose(error)
        # What is buffered must go somewhere: the interpreter flushes it as it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
