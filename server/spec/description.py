"""The spec's fields as the page and the command line need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from server.rnn.cells import CELLS
from server.spec.run_spec import FORK_FORM, NEW_RUN_FORM, SPEC_FIELDS, RunSpec
from server.spec.spec_field import SpecField

__all__ = [
    "MAX_SAFE_INTEGER",
    "allowed_values",
    "default_of",
    "form_description",
    "literal",
    "option_of",
    "parameter_of",
    "schema_of",
    "script_description",
]

# The greatest integer that JavaScript, and so the page, represents exactly.
MAX_SAFE_INTEGER = 2**53 - 1

# The part of a schema by which the page checks a value.
SCHEMA_KEYS = (
    *("type", "enum", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
    *("minLength", "maxLength", "maxItems", "items"),
)

FORMS = {"new": NEW_RUN_FORM, "fork": FORK_FORM}

Description = dict[str, Any]


@cache
def _properties() -> dict[str, Description]:
    properties: dict[str, Description] = RunSpec.model_json_schema()["properties"]
    return properties


def schema_of(name: str) -> Description:
    """Return the JSON schema of a field, where it is not null."""
    schema = _properties()[name]
    parts = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def _parts(name: str) -> list[Description]:
    schema = schema_of(name)
    parts: list[Description] = schema.get("anyOf", [schema])
    return parts


def allowed_values(name: str) -> str:
    """Return what a field may be, in words such as "an integer from 1 to 4"."""
    values = [text for part in _parts(name) for text in _values(part)]
    if SPEC_FIELDS[name].null is not None:
        values.append("null")
    return _alternatives(values)


def default_of(name: str) -> Any:  # noqa: ANN401 - as many types as there are fields
    """Return the default of a field, where no other field decides it."""
    return RunSpec.model_fields[name].default


def parameter_of(field: str) -> str:
    """Return the name of a field as a parameter of ``train``."""
    about = SPEC_FIELDS.get(field)
    return field if about is None or about.option is None else about.option


def option_of(field: str) -> str:
    """Return the option of ``train`` that sets a field, such as "--hidden-size"."""
    return f"--{parameter_of(field).replace('_', '-')}"


def form_description() -> Description:
    """Return what the templates need to render the forms.

    Returns
    -------
    dict
        ``fields``: label, explanations, control, attributes, choices, default and null of each
        field by name. ``forms``: the names of each form's fields, as in `FormLayout`.
    """
    return {
        "fields": {name: _for_template(name, about) for name, about in SPEC_FIELDS.items()},
        "forms": FORMS,
        "cells": list(CELLS),
    }


def script_description() -> Description:
    """Return what the page's scripts need to read and fill the forms and to compare runs.

    Returns
    -------
    dict
        ``fields``: in the spec's order. ``forms``: the names of each form's fields, as in
        `FormLayout`. ``cells``: for each registered cell, the numbers from which a network's
        parameters are counted.
    """
    return {
        "fields": [_for_script(name, about) for name, about in SPEC_FIELDS.items()],
        "forms": {form: asdict(layout) for form, layout in FORMS.items()},
        "cells": {
            name: {"gates": cell.gates, "extra_parameters": len(cell.extra_parameters)}
            for name, cell in CELLS.items()
        },
    }


def _for_template(name: str, about: SpecField) -> Description:
    schema, default = schema_of(name), default_of(name)
    return {
        "label": about.label,
        "explanation": about.explanation,
        "fork_explanation": about.fork_explanation or about.explanation,
        "control": _control(schema, about),
        "attributes": _attributes(schema, about),
        "choices": list((about.choices or dict)().items()),
        "default": f"{default:.15g}" if isinstance(default, float) else default,
        "null": about.null,
    }


def _for_script(name: str, about: SpecField) -> Description:
    return {
        "name": name,
        "label": about.label,
        "control": _control(schema_of(name), about),
        "choices": list((about.choices or dict)()),
        "display": about.display,
        "default": default_of(name),
        "default_by": about.default_by and asdict(about.default_by),
        "null": about.null
        and {
            "label": about.null.label,
            "phrase": about.null.phrase or about.null.label,
            "option_of": about.null.option_of,
        },
        "column": about.column and asdict(about.column),
        "allowed": allowed_values(name),
        "schemas": [
            {key: part[key] for key in SCHEMA_KEYS if key in part} for part in _parts(name)
        ],
    }


def _control(schema: Description, about: SpecField) -> str:
    """Return the kind of control that sets a field: select, number, words, checkbox or text."""
    if about.choices is not None:
        return "select"
    kinds = {"integer": "number", "number": "number", "array": "words", "boolean": "checkbox"}
    return kinds.get(schema["type"], "text")


def _attributes(schema: Description, about: SpecField) -> dict[str, str]:
    """Return the attributes of an input element that follow from a field's type and range."""
    attributes = {}
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    greatest = schema.get("maximum") if about.form_max is None else about.form_max
    if least is not None:
        attributes["min"] = f"{least:g}"
    if greatest is not None and greatest <= MAX_SAFE_INTEGER:
        attributes["max"] = f"{greatest:.15g}"
    if schema.get("type") in {"integer", "number"}:
        attributes["step"] = "1" if schema["type"] == "integer" else "any"
    if "maxLength" in schema:
        attributes["maxlength"] = str(schema["maxLength"])
    return attributes


def _values(schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        return [literal(value) for value in schema["enum"]]
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


def literal(value: object) -> str:
    """Return a value as it is written in JSON, with thousands separators."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f'"{value}"' if isinstance(value, str) else f"{value:,}"
