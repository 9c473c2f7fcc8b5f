"""Options that follow from descriptions; those of `train` set fields of the spec."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

import typer

from server.spec.description import default_of, parameter_of, schema_of
from server.spec.run_spec import SPEC_FIELDS

__all__ = ["spec_values", "with_options", "with_spec_options"]

TYPES = {"integer": int, "number": float, "string": str, "boolean": bool}

Command = TypeVar("Command", bound=Callable[..., object])


def with_spec_options(command: Command) -> Command:
    """Give a command whose last parameter is `**options` an option for each field of the spec."""
    return with_options(command, map(_parameter, _fields()))


def with_options(command: Command, options: Iterable[inspect.Parameter]) -> Command:
    """Give a command whose last parameter is `**options` these options.

    Parameters
    ----------
    command : callable
        The command.
    options : iterable of inspect.Parameter
        Parameters that are given by keyword and annotated for Typer.
    """
    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())[:-1]
    parameters = [*own, *options]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def spec_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the spec's fields that the options stand for.

    Parameters
    ----------
    options : mapping
        The values of all options, by parameter. None leaves a field to its default.
    """
    values = {field: options[parameter_of(field)] for field in _fields()}
    return {
        field: None if value == 0 and _zero_is_null(field) else value
        for field, value in values.items()
        if value is not None
    }


def _fields() -> list[str]:
    return [field for field, about in SPEC_FIELDS.items() if about.command_line == "option"]


def _zero_is_null(field: str) -> bool:
    null = SPEC_FIELDS[field].null
    return null is not None and null.zero


def _parameter(field: str) -> inspect.Parameter:
    about, kind = SPEC_FIELDS[field], TYPES[schema_of(field)["type"]]
    # A default that depends on another option is found once all options are known.
    default = None if about.default_by else default_of(field)
    return inspect.Parameter(
        parameter_of(field),
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[
            kind if default is not None else kind | None, typer.Option(help=_help(field))
        ],
    )


def _help(field: str) -> str:
    about, notes = SPEC_FIELDS[field], []
    if about.choices is not None:
        notes.append(f"one of {', '.join(map(str, about.choices()))}")
    if _zero_is_null(field) and about.null is not None:
        notes.append(f"0: {about.null.phrase or about.null.label}")
    if about.default_by is not None:
        defaults = about.default_by.defaults.items()
        by = ", ".join(f"{value} with {other}" for other, value in defaults)
        notes.append(f"default: {by}")
    return f"{about.explanation} ({'; '.join(notes)})" if notes else about.explanation
