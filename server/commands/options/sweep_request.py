"""The sweep that the options of `python -m server sweep`, or a file, describe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from server.spec.description import option_of, parameter_of
from server.spec.field_messages import field_message
from server.spec.run_spec import SPEC_FIELDS, SpecError
from server.sweeps.schemas import SweepSpec

__all__ = ["SweepOptionError", "option_error", "sweep_spec"]

MAX_BYTES = 1_000_000
RANGE = ".."
LOGARITHMIC = ":log"
SAMPLER_OPTIONS = {"seed": "--sampler-seed", "parameters": "--vary"}
"""Fields of a sweep whose options have other names."""


class SweepOptionError(ValueError):
    """The options, or the file, describe no sweep; the message is one sentence."""


def sweep_spec(
    file: Path | None,
    own: Mapping[str, Any],
    fields: dict[str, Any],
    vary: Sequence[str],
) -> SweepSpec:
    """Return the sweep that a file and the options describe.

    Parameters
    ----------
    file : pathlib.Path or None
        A sweep as JSON; the options override it.
    own : mapping
        The options that were given for fields of the sweep.
    fields : dict
        Those for fields of the runs' spec.
    vary : sequence of str
        The words after ``--vary``.

    Raises
    ------
    SweepOptionError
        The file cannot be read, or a field is not valid.
    """
    found = {} if file is None else _read_object(file)
    found |= {"seed" if name == "sampler_seed" else name: value for name, value in own.items()}
    if isinstance(spec := found.get("spec", {}), dict):
        found["spec"] = spec | fields
    if vary:
        found["parameters"] = _varied(vary)
    try:
        return SweepSpec.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # The third part is the name of a model.
        where = [str(part) for part in (*first["loc"][:2], *first["loc"][3:4])]
        raise option_error(SpecError(".".join(where), field_message(first))) from error


def option_error(error: SpecError) -> SweepOptionError:
    """Return an error that names the option of a field."""
    place, _, name = error.field.partition(".")
    if place == "spec" and name:
        option = option_of(name)
    elif place == "parameters" and name:
        option = f"--vary {name}"
    else:
        option = SAMPLER_OPTIONS.get(place, f"--{place.replace('_', '-')}")
    return SweepOptionError(f"{option}: {error.message.rstrip('.')}.")


def _varied(words: Sequence[str]) -> dict[str, Any]:
    """Return the parameters that ``--vary`` describes.

    Parameters
    ----------
    words : sequence of str
        Such as ``cell=rnn,gru``, ``dropout=0..0.5`` or ``learning_rate=0.01..0.3:log``. A field may
        also have the name of its option, such as ``hidden-size`` or ``updates``.

    Raises
    ------
    SweepOptionError
        One is not of this form, or a field is named twice.
    """
    parameters: dict[str, Any] = {}
    fields = {parameter_of(name): name for name in SPEC_FIELDS}
    for word in words:
        name, _, values = word.partition("=")
        field = name.strip().replace("-", "_")
        field = fields.get(field, field)
        if not (field and values.strip()):
            raise SweepOptionError(
                f"--vary {word}: must be FIELD=VALUE,VALUE,... or FIELD=LOW..HIGH, and :log after a"
                " range that is logarithmic."
            )
        if field in parameters:
            raise SweepOptionError(f"--vary {word}: {field} is named twice.")
        listed = [_value(each) for each in values.split(",")]
        parameters[field] = _range(values) or {"values": listed}
    return parameters


def _range(text: str) -> dict[str, Any] | None:
    """Return a range of numbers; None if the text is none."""
    ends = text.removesuffix(LOGARITHMIC).split(RANGE)
    numbers = [_value(end) for end in ends]
    if len(numbers) != 2 or not all(_is_number(number) for number in numbers):
        return None
    low, high = numbers
    return {"low": low, "high": high, "log": text.endswith(LOGARITHMIC)}


def _value(text: str) -> Any:  # noqa: ANN401 - a number, a text, true, false or null
    text = text.strip()
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, list | dict) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SweepOptionError(f"{path}: {error.strerror}.") from error
    try:
        # RecursionError: arrays in arrays. The byte-order mark is of editors on Windows.
        fields = json.loads(content.decode("utf-8-sig")) if len(content) <= MAX_BYTES else None
    except (ValueError, RecursionError) as error:
        raise SweepOptionError(f"{path}: not valid JSON.") from error
    if not isinstance(fields, dict):
        raise SweepOptionError(f"{path}: a sweep is a JSON object of at most {MAX_BYTES:,} bytes.")
    return fields
