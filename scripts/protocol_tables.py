"""The tables of docs/protocol.md: the fields of a run's spec, and the WebSocket messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from scripts.typescript import fields_of
from server.spec.description import default_of, schema_of
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
    schema, default = schema_of(name), _literal(default_of(name))
    parts = schema.get("anyOf", [schema])
    values = [text for part in parts for text in _values(part)]
    meaning = about.explanation
    if about.null is not None:
        values.append("null")
        meaning += f" Null: {about.null.phrase or about.null.label}."
    if about.default_by is not None:
        by = ", ".join(
            f"{_literal(value)} with {other}" for other, value in about.default_by.defaults.items()
        )
        default = f"by `{about.default_by.field}`: {by}"
    changes = [*(["in a run"] if about.change else []), *(["in a fork"] if about.fork else [])]
    cells = [f"`{name}`", _alternatives(values), default, ", ".join(changes) or "no", meaning]
    return f"| {' | '.join(cells)} |"


def _values(schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        return [_literal(value) for value in schema["enum"]]
    if schema["type"] == "array":
        characters = schema["items"]["maxLength"]
        return [f"a list of up to {schema['maxItems']} words of up to {characters} characters"]
    if schema["type"] == "string":
        characters = schema.get("maxLength")
        return ["text" if characters is None else f"text of up to {characters} characters"]
    if schema["type"] == "boolean":
        return ["true", "false"]
    kind = {"integer": "an integer", "number": "a number"}[schema["type"]]
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = [f"{words} {_figure(schema[key])}" for key, words in bounds.items() if key in schema]
    if "minimum" in schema and "maximum" in schema:
        limits = [f"from {_figure(schema['minimum'])} to {_figure(schema['maximum'])}"]
    return [f"{kind} {' and '.join(limits)}".strip()]


def _alternatives(values: Sequence[str]) -> str:
    *others, last = values
    return f"{', '.join(others)} or {last}" if others else last


def _figure(value: float) -> str:
    return f"{value:,.15g}" if isinstance(value, float) else f"{value:,}"


def _literal(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f'"{value}"' if isinstance(value, str) else f"{value:,}"
