"""The terminal of a training: its output, and the signals that stop it."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import IO, cast

from rich.console import Console

from server.corpora.visible_text import escape_controls

__all__ = ["TrainingConsole", "replace_unprintable", "write_result"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def replace_unprintable(*streams: IO[str]) -> None:
    """Replace characters that a stream's encoding lacks by question marks; raise nothing."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def write_result(text: str) -> OSError | None:
    """Write text and a line end to standard output; return the error if it cannot be written.

    A terminal gets control characters as escapes; a file or a pipe gets the exact text.
    """
    errors: list[OSError] = []
    if sys.stdout.isatty():
        text = escape_controls(text)
    output = _Output(sys.stdout, errors.append)
    output.write(f"{text}\n")
    output.flush()
    return errors[0] if errors else None


class TrainingConsole:
    """Standard output of a training, and the signals that stop it.

    Attributes
    ----------
    console : rich.console.Console
        Writes to standard output.
    stop_requested : bool
        Whether a signal was received: Ctrl-C, `kill`, or a closed terminal.
    output_error : OSError or None
        The error that ended output to the terminal; None while output works.
    """

    def __init__(self) -> None:
        self.stop_requested = False
        self.output_error: OSError | None = None
        self.console = Console(file=cast("IO[str]", _Output(sys.stdout, self._set_output_error)))

    @property
    def should_stop(self) -> bool:
        """Whether the training should save a checkpoint and stop after the current update."""
        return self.stop_requested or self.output_error is not None

    @contextlib.contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Make signals stop the training between two updates, never within one."""
        before = {
            number: signal.signal(number, self._request_stop)
            for number in STOP_SIGNALS
            # Under `nohup` SIGHUP is ignored: the training outlives its terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _request_stop(self, *_: object) -> None:
        self.stop_requested = True

    def _set_output_error(self, error: OSError) -> None:
        self.output_error = error


class _Output:
    """A stream that may fail at any write: the terminal or the reading end of the pipe closed.

    An exception would interrupt the training within an update, before its state can be saved.
    """

    def __init__(self, stream: IO[str], on_error: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._on_error = on_error

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._discard_output(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._discard_output(error)

    def _discard_output(self, error: OSError) -> None:
        self._on_error(error)
        # The interpreter flushes the stream's buffer at exit, which would fail again.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
