"""Commands and events between the server and its child processes, as dataclasses.

On the line, a command is a JSON object that names its class and has its fields, such as
``{"do": "Step", "updates": 10, "id": 3}``; an event is ``{"event": "Report", ...}``. A command
without an `id` is not answered. The types are in `server.worker.messages` and
`server.inference.messages`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TypeVar

from server.concurrency.json_lines import Message

__all__ = [
    "Command",
    "Event",
    "UnknownMessageError",
    "decode_command",
    "decode_event",
    "encode_command",
    "encode_event",
]


class UnknownMessageError(ValueError):
    """There is no command or event of this name with these fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Base class of the commands to a child process; the fields hold JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base class of the events that a child process sends; the fields hold JSON values."""


C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)


def encode_command(command: Command, number: int | None = None) -> Message:
    """Return a command as a JSON object; with a number, it is answered under that number."""
    message = {"do": type(command).__name__, **_values(command)}
    return message if number is None else message | {"id": number}


def decode_command(message: Message, types: Iterable[type[C]]) -> C:
    """Return the command, one of `types`, that a JSON object stands for.

    Raises
    ------
    UnknownMessageError
        It is none of them, or its fields are wrong.
    """
    values = {name: value for name, value in message.items() if name not in {"do", "id"}}
    return _decode("command", message.get("do"), values, types)


def encode_event(event: Event) -> Message:
    """Return an event as a JSON object."""
    return {"event": type(event).__name__, **_values(event)}


def decode_event(message: Message, types: Iterable[type[E]]) -> E:
    """Return the event, one of `types`, that a JSON object stands for.

    Raises
    ------
    UnknownMessageError
        It is none of them, or its fields are wrong.
    """
    values = {name: value for name, value in message.items() if name != "event"}
    return _decode("event", message.get("event"), values, types)


T = TypeVar("T", bound=Command | Event)


def _decode(kind: str, name: object, values: Message, types: Iterable[type[T]]) -> T:
    found = {each.__name__: each for each in types}.get(str(name))
    if found is None:
        raise UnknownMessageError(f"there is no {kind} {name!r}")
    try:
        return found(**values)
    except TypeError as error:
        raise UnknownMessageError(f"the {kind} {name!r} has the wrong fields: {error}") from error


def _values(message: Command | Event) -> Message:
    return {field.name: getattr(message, field.name) for field in fields(message)}
