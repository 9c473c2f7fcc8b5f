"""The tables of docs/protocol.md: the fields of a run's spec, and the WebSocket messages."""

from __future__ import annotations

from typing import get_args

from scripts.typescript import fields_of
from server.spec.description import allowed_values, default_of, literal
from server.spec.live_messages import Envelope, ServerMessage
from server.spec.run_spec import SPEC_FIELDS
from server.spec.spec_field import SpecField

__all__ = ["message_table", "spec_table"]


def message_table() -> str:
    """Return the table of the messages: type, fields beside the envelope, and docstring."""
    head = ["| type | fields | meaning |", "|---|---|---|"]
    return "\n".join([*head, *map(_message_row, get_args(ServerMessage))])


def _message_row(message: type) -> str:
    fields = fields_of(message)
    (name,) = get_args(fields["type"])
    names = ", ".join(f"`{field}`" for field in fields if field not in fields_of(Envelope))
    meaning = " ".join((message.__doc__ or "").split()).replace("``", "`").replace("|", "\\|")
    return f"| `{name}` | {names}{' ' if names else ''}| {meaning} |"


def spec_table() -> str:
    """Return the table of a run's spec: a row for each field, in Markdown."""
    head = ["| field | values | default | may change | meaning |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(name, about) for name, about in SPEC_FIELDS.items())])


def _row(name: str, about: SpecField) -> str:
    default = literal(default_of(name))
    meaning = about.explanation
    if about.null is not None:
        meaning += f" Null: {about.null.phrase or about.null.label}."
    if about.default_by is not None:
        by = ", ".join(
            f"{literal(value)} with {other}" for other, value in about.default_by.defaults.items()
        )
        default = f"by `{about.default_by.field}`: {by}"
    changes = [*(["in a run"] if about.change else []), *(["in a fork"] if about.fork else [])]
    cells = [f"`{name}`", allowed_values(name), default, ", ".join(changes) or "no", meaning]
    return f"| {' | '.join(cells)} |"
