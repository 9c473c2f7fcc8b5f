"""What Pydantic says about a wrong field, in words that continue a sentence after its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["field_message"]

MESSAGES = {
    "missing": "is required",
    "dict_type": "must be a JSON object",
    "extra_forbidden": "is not a field that can be set here",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "list_type": "must be a list",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "string_type": "must be a string",
    "string_unicode": "must not contain half of a surrogate pair",
}


def field_message(error: Mapping[str, Any]) -> str:
    """Return the message of one of the errors of a `ValidationError`."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in MESSAGES:
        return MESSAGES[kind]
    if kind in {"too_short", "too_long"}:
        least = kind == "too_short"
        limit = context["min_length" if least else "max_length"]
        entries = "entry" if limit == 1 else "entries"
        return f"must have at {'least' if least else 'most'} {limit} {entries}"
    message: str = error["msg"]
    message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return message.replace("String should have", "must have").rstrip(".")
