"""TypeScript declarations of the server's types: Pydantic models, dataclasses and TypedDicts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from pydantic import BaseModel

__all__ = ["declarations", "fields_of"]

SCALARS: dict[Any, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    NoneType: "null",
    Any: "unknown",
}

Note = Callable[[type], None]
"""Is called with each type that has a declaration of its own."""


def declarations(types: Iterable[type], bases: dict[type, type]) -> str:
    """Return the declarations of types and of all types that they contain.

    Parameters
    ----------
    types : iterable of type
        Models, dataclasses, TypedDicts and enumerations.
    bases : dict of type to type
        For each type that extends another one, that other type. It is declared too.

    Raises
    ------
    TypeError
        A field has a type that JSON cannot represent, or that this module does not support.
    """
    pending = [*dict.fromkeys(bases.values()), *types]
    done: dict[type, str] = {}
    while pending:
        each = pending.pop(0)
        if each not in done:
            done[each] = _declaration(each, bases.get(each), pending.append)
    return "\n\n".join(done.values()) + "\n"


def fields_of(each: type) -> dict[str, Any]:
    """Return the type of each field, by its name in JSON."""
    if issubclass(each, BaseModel):
        return {
            field.serialization_alias or field.alias or name: field.annotation
            for name, field in each.model_fields.items()
        }
    if is_dataclass(each) or is_typeddict(each):
        return get_type_hints(each)
    raise TypeError(f"{each} has no fields")


def _declaration(each: type, base: type | None, note: Note) -> str:
    summary = (each.__doc__ or "").partition("\n")[0].replace("``", "`")
    if issubclass(each, Enum):
        values = " | ".join(json.dumps(member.value) for member in each)
        return f"/** {summary} */\ntype {each.__name__} = {values};"
    lines = [f"  {name}: {_expression(hint, note)};" for name, hint in fields_of(each).items()]
    extends = f" extends {base.__name__}" if base else ""
    return "\n".join([f"/** {summary} */", f"interface {each.__name__}{extends} {{", *lines, "}"])


def _expression(hint: Any, note: Note) -> str:  # noqa: ANN401, PLR0911 - any type, each its own way
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is None:
        return _name(hint, note)
    if origin is Annotated:
        return _expression(arguments[0], note)
    if origin is Literal:
        return " | ".join(map(json.dumps, arguments))
    if origin not in {Union, UnionType, dict, list, tuple}:
        raise TypeError(f"{hint} has no counterpart in TypeScript")
    inner = [_expression(each, note) for each in arguments if each is not ...]
    if origin in {Union, UnionType}:
        return " | ".join(dict.fromkeys(inner))
    if origin is dict:
        return f"Record<{', '.join(inner)}>"
    if origin is tuple and ... not in arguments:
        return f"[{', '.join(inner)}]"
    is_union = get_origin(arguments[0]) in {Union, UnionType, Literal}
    return f"({inner[0]})[]" if is_union else f"{inner[0]}[]"


def _name(hint: Any, note: Note) -> str:  # noqa: ANN401 - any type
    if hint in SCALARS:
        return SCALARS[hint]
    if not isinstance(hint, type):
        raise TypeError(f"{hint} has no counterpart in TypeScript")
    note(hint)
    return hint.__name__
