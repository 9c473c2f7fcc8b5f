"""Renders the parts of docs/protocol.md and types/wire.d.ts that follow from the server's types.

``python -m scripts.render`` (part of ``make format``) updates both files: the table of the spec's
fields, the table of the WebSocket messages, and the messages' TypeScript types.
"""

import re
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from server.spec.description import table_for_documentation
from server.spec.live_messages import Curve, Envelope, LiveMessage, SnapshotContent

__all__ = ["main", "render_protocol", "render_types"]

ROOT = Path(__file__).resolve().parent.parent
PROTOCOL = ROOT / "docs" / "protocol.md"
TYPES = ROOT / "types" / "wire.d.ts"

BEGIN = "// Rendered from server/spec/live_messages.py by `make format`.\n"
END = "// End of the rendered part.\n"
SPEC_HEAD = "| field | values | default |"
MESSAGE_HEAD = "| type | fields | sent |"
# Types that have another name in the page, and those of JSON.
NAMES = {Curve: "CurvePart", int: "number", float: "number", str: "string", bool: "boolean"}


def _replace_table(text: str, head: str, table: str) -> str:
    """Replace the Markdown table that begins with `head`."""
    before, found, rest = text.partition(head)
    if not found:
        raise LookupError(head)
    after = re.split(r"\n(?!\|)", rest, maxsplit=1)[1]
    return f"{before}{table}\n{after}"


def _message_rows(text: str) -> list[str]:
    """Return a row for each type of message; the descriptions in `text` are preserved."""
    described = dict(re.findall(r"^\| `(\w+)` \| [^|]*\| (.+) \|$", text, flags=re.MULTILINE))
    rows = [_row("snapshot", [*SnapshotContent.model_fields, "viewers"], described["snapshot"])]
    for message in get_args(LiveMessage):
        hints = get_type_hints(message)
        (name,) = get_args(hints["type"])
        fields = [field for field in hints if field not in get_type_hints(Envelope)]
        new = (message.__doc__ or "").partition("\n")[0]
        rows.append(_row(name, fields, described.get(name, new)))
    return rows


def _row(name: str, fields: Sequence[str], description: str) -> str:
    cells = [f"`{name}`", ", ".join(f"`{field}`" for field in fields), description]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def render_protocol(text: str) -> str:
    """Return docs/protocol.md with its rendered tables up to date."""
    text = _replace_table(text, SPEC_HEAD, table_for_documentation())
    _, _, websocket = text.partition("## WebSocket")
    table = "\n".join([MESSAGE_HEAD, "|---|---|---|", *_message_rows(websocket)])
    return _replace_table(text, MESSAGE_HEAD, table)


def _in_typescript(hint: Any) -> str:  # noqa: ANN401 - a type hint has no type of its own
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in {Union, types.UnionType}:
        return " | ".join(map(_in_typescript, arguments))
    if origin is list:
        of = _in_typescript(arguments[0])
        return f"({of})[]" if "|" in of else f"{of}[]"
    return "null" if hint is type(None) else NAMES.get(hint) or str(hint.__name__)


def render_types(text: str) -> str:
    """Return types/wire.d.ts with the messages' types up to date."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise LookupError(BEGIN)
    parts = []
    for message in get_args(LiveMessage):
        fields = [
            f"  {name}: {_in_typescript(hint)};" for name, hint in get_type_hints(message).items()
        ]
        head = f"interface {message.__name__} extends MessageHead {{"
        parts.append("\n".join([head, *fields, "}\n"]))
    names = ["SnapshotMessage", *(message.__name__ for message in get_args(LiveMessage))]
    union = "type ServerMessage =\n" + "\n".join(f"  | {name}" for name in names) + ";\n"
    return before + begin + "\n" + "\n".join([*parts, union]) + end + after


def main() -> None:
    """Update both files."""
    for path, render in ((PROTOCOL, render_protocol), (TYPES, render_types)):
        text = path.read_text(encoding="utf-8")
        if (rendered := render(text)) != text:
            path.write_text(rendered, encoding="utf-8")
            print(f"Updated {path.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
