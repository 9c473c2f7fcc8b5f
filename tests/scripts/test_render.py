from scripts.render import PROTOCOL, TYPES, render_protocol, render_types


def test_the_rendered_tables_are_up_to_date() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")
    assert render_protocol(text) == text, "run make format"


def test_the_rendered_types_are_up_to_date() -> None:
    text = TYPES.read_text(encoding="utf-8")
    assert render_types(text) == text, "run make format"


def test_a_missing_row_is_added_and_an_outdated_one_is_replaced() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `viewers` |"))
    removed = text.replace(f"{row}\n", "")
    assert "| `viewers` | `viewers` | The number of viewers has changed. |" in render_protocol(
        removed
    )
    assert render_protocol(text.replace(row, "| `gone` | | never |")) == render_protocol(removed)
