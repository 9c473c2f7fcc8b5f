"""A run's spec in a JSON file, for `train --spec`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from server.spec.field_messages import field_message
from server.spec.run_spec import SPEC_FIELDS, RunSpec

__all__ = ["SpecFile", "SpecFileError", "read_spec_file"]

MAX_BYTES = 1_000_000


class SpecFileError(ValueError):
    """The file has no valid spec; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class SpecFile:
    """The fields of a spec that a file sets.

    Attributes
    ----------
    values : dict
        The fields that ``train`` uses.
    unused : tuple of str
        The fields that the file sets and ``train`` does not use.
    """

    values: Mapping[str, Any]
    unused: tuple[str, ...]


def read_spec_file(path: Path) -> SpecFile:
    """Read a spec, or a run as the API returns it, whose spec is then read.

    Parameters
    ----------
    path : pathlib.Path
        A JSON file of at most `MAX_BYTES`.

    Raises
    ------
    SpecFileError
        The file is not a spec, or a field is unknown or has a value that is not allowed.
    OSError
        The file cannot be read.
    """
    fields = _read_object(path)
    if isinstance(fields.get("spec"), dict):
        fields = fields["spec"]
    try:
        spec = RunSpec.model_validate(fields)
    except ValidationError as error:
        raise SpecFileError(f"{path}: {_sentence(error)}") from error
    used = {name: value for name, value in fields.items() if _is_used(name)}
    unused = [
        name
        for name in fields
        if not _is_used(name) and getattr(spec, name) != RunSpec.model_fields[name].default
    ]
    return SpecFile(used, tuple(unused))


def _is_used(name: str) -> bool:
    return SPEC_FIELDS[name].command_line != "unused"


def _read_object(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise SpecFileError(f"{path}: a spec has at most {MAX_BYTES:,} bytes.")
    try:
        # RecursionError: arrays in arrays. The byte-order mark is of editors on Windows.
        fields = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SpecFileError(f"{path}: not valid JSON.") from error
    if not isinstance(fields, dict):
        raise SpecFileError(f"{path}: a spec is a JSON object.")
    return fields


def _sentence(error: ValidationError) -> str:
    """Return the first error in a sentence."""
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return f"{field!r} is not a field of a spec."
    return f"{field}: {field_message(first)}.".removeprefix(": ")
