"""The reference's code beside its equations, both typeset, for the Gradients page.

The code is read from the modules, so the page shows what runs.
"""

from __future__ import annotations

import ast
import inspect
import io
import keyword
import re
import tokenize
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from markupsafe import Markup

from server.course.equations import (
    ADAGRAD,
    CLIP,
    LAYER,
    LAYER_BACK,
    LOSS,
    OPTIMIZER,
    OUTPUT,
    OUTPUT_BACK,
)
from server.rnn.cells import CELLS
from server.rnn.reference import network

__all__ = [
    "MethodPart",
    "method_of",
    "network_method",
    "reference_module",
    "typeset",
    "update_equations",
]

FUNCTIONS = {"tanh", "softmax", "log", "clip", "loss", "max", "min", "σ"}
TOKEN = re.compile(
    r"(?P<name>[A-Za-zβεημρσθ]+|∑)|(?P<number>\d+)|(?P<script>[_^](?:\{[^}]*\}|\w))|(?P<other>[\s\S])"
)
OPERATORS = {"*": "⊙", "-": "−"}


@dataclass(frozen=True, slots=True)
class MethodPart:
    """A function of the reference beside its equations.

    Attributes
    ----------
    title : str
        What it computes.
    module : str
        The name of its module.
    equations : list of Markup
        HTML, one a line.
    code : Markup
        Its source without the docstring.
    """

    title: str
    module: str
    equations: list[Markup]
    code: Markup


def reference_module(name: str) -> ModuleType | None:
    """Return the module of the reference with this name."""
    modules = (network, *(cell.reference for cell in CELLS.values()))
    return next((m for m in modules if _short(m) == name), None)


@cache
def method_of(cell: str) -> list[MethodPart]:
    """Return the parts of a cell's layer."""
    module = CELLS[cell].reference
    return [
        _part("One layer, forward", module.forward, LAYER.get(cell, ())),
        _part("One layer, back through time", module.backward, LAYER_BACK.get(cell, ())),
    ]


@cache
def network_method() -> list[MethodPart]:
    """Return the parts of the network around the layers."""
    return [
        _part("Output", network.forward, OUTPUT),
        _part("Loss", network.losses, LOSS),
        _part("Back through the output and all layers", network.backward, OUTPUT_BACK),
        _part("AdaGrad", network.train, ADAGRAD),
    ]


@cache
def update_equations() -> dict[str, dict[str, list[Markup]]]:
    """Return the equations of an update, by its part and then by the setting that they are of.

    The parts are "forward", "backward" and "sum" (by cell; "" is the output), "loss", "clip" (by
    mode), and "step" (by optimizer).
    """
    back = {**LAYER_BACK, "": OUTPUT_BACK}
    parts: dict[str, dict[str, Sequence[str]]] = {
        "forward": {**LAYER, "": OUTPUT},
        "loss": {"": LOSS},
        "backward": {
            cell: [line for line in lines if "∑" not in line] for cell, lines in back.items()
        },
        "sum": {cell: [line for line in lines if "∑" in line] for cell, lines in back.items()},
        "clip": {**CLIP},
        "step": {**OPTIMIZER},
    }
    return {
        part: {key: [typeset(line) for line in lines] for key, lines in of_part.items()}
        for part, of_part in parts.items()
    }


def _part(title: str, function: Callable[..., object], equations: tuple[str, ...]) -> MethodPart:
    module = inspect.getmodule(function)
    return MethodPart(
        title, _short(module), [typeset(equation) for equation in equations], _code(function)
    )


def _short(module: ModuleType | None) -> str:
    return module.__name__.rsplit(".", 1)[-1] if module else ""


def typeset(equation: str) -> Markup:
    """Return an equation as HTML; few systems have a font for MathML's scripts and brackets.

    Parameters
    ----------
    equation : str
        Names with scripts such as ``h_{t-1}`` and ``W^T``; ``*`` is the product of entries.
    """
    found: list[tuple[Markup, dict[str, Markup]]] = []
    for match in TOKEN.finditer(equation):
        kind, text = match.lastgroup, match[0]
        if kind == "script":
            inner = TOKEN.finditer(text[1:].strip("{}"))
            symbols = [_symbol(each.lastgroup, each[0]) for each in inner]
            found[-1][1][text[0]] = Markup("").join(symbols)
        else:
            found.append((_symbol(kind, text), {}))
    return Markup("").join(base + _scripts(scripts) for base, scripts in found)


def _symbol(kind: str | None, text: str) -> Markup:
    if text == "T":
        return Markup("⊤")
    if kind != "name" or text in FUNCTIONS or text == "∑":
        return Markup("{}").format(OPERATORS.get(text, text))
    if len(text) == 2 and text[0] == "d":
        return Markup("d<i>{}</i>").format(text[1])
    return Markup("<i>{}</i>").format(text)


def _scripts(scripts: dict[str, Markup]) -> Markup:
    low, high = scripts.get("_"), scripts.get("^")
    if low and high:
        both = Markup('<span class="scripts"><sup>{}</sup><sub>{}</sub></span>')
        return both.format(high, low)
    if low:
        return Markup("<sub>{}</sub>").format(low)
    return Markup("<sup>{}</sup>").format(high) if high else Markup("")


def _code(function: Callable[..., object]) -> Markup:
    """Return the source without its docstring, with keywords, strings and comments marked."""
    source = inspect.getsource(function)
    lines = source.splitlines(keepends=True)
    definition = ast.parse(source).body[0]
    if isinstance(definition, ast.FunctionDef) and ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    source = "".join(lines)
    pieces, line, column = [], 1, 0
    lines = source.splitlines(keepends=True)

    def text_to(end: tuple[int, int]) -> str:
        nonlocal line, column
        text = ""
        while (line, column) < end and line <= len(lines):
            stop = end[1] if line == end[0] else len(lines[line - 1])
            text += lines[line - 1][column:stop]
            line, column = (line, stop) if line == end[0] else (line + 1, 0)
        return text

    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        pieces.append(Markup("{}").format(text_to(token.start)))
        name = _class(token)
        text = text_to(token.end)
        pieces.append(
            Markup('<span class="{}">{}</span>').format(name, text)
            if name
            else Markup("{}").format(text)
        )
    return Markup("").join(pieces).rstrip()


def _class(token: tokenize.TokenInfo) -> str | None:
    if token.type == tokenize.COMMENT:
        return "code-comment"
    if token.type == tokenize.STRING:
        return "code-string"
    if token.type == tokenize.NAME and keyword.iskeyword(token.string):
        return "code-keyword"
    return None
