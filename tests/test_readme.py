"""The README is short, and begins with the two commands."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_two_commands_come_first() -> None:
    first_block = README.split("```")[1]
    commands = [line.split("#")[0].strip() for line in first_block.splitlines()[1:]]
    assert [command for command in commands if command] == ["make run", "make test"]


def test_it_is_what_a_newcomer_needs() -> None:
    assert len(README.splitlines()) <= 90


def test_it_leads_to_every_part_of_the_documentation() -> None:
    readers = ("install", "views", "course", "lecture", "operations", "protocol", "architecture")
    assert [page for page in readers if f"](docs/{page}.md)" not in README] == []
