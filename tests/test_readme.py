"""The README agrees with the code."""

import re
from pathlib import Path

from server.__main__ import app
from server.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_two_commands_come_first() -> None:
    first_block = README.split("```")[1]
    commands = [line.split("#")[0].strip() for line in first_block.splitlines()[1:]]
    assert [command for command in commands if command] == ["make run", "make test"]


def test_every_make_command_in_it_exists() -> None:
    named = set(re.findall(r"`make ([a-z]+)", README))
    assert named <= set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE))


def test_every_server_command_in_it_exists() -> None:
    named = set(re.findall(r"python -m server ([a-z]+)", README))
    assert named <= {
        command.name or getattr(command.callback, "__name__", "")
        for command in app.registered_commands
    }


def test_every_linked_page_exists() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_settings_are_the_servers_settings() -> None:
    listed = dict(re.findall(r"^\| `HURRAH_([A-Z_]+)` \| (.+?) \|", README, flags=re.MULTILINE))
    assert {name.lower() for name in listed} == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        stated = listed[name.upper()]
        if stated.startswith("`"):
            default = str(field.get_default(call_default_factory=True))
            assert stated.strip("`").lower() == default.lower()


def test_its_descriptions_are_those_of_the_settings() -> None:
    rows = re.findall(r"^\| `HURRAH_([A-Z_]+)` \| .+? \| (.+) \|$", README, flags=re.MULTILINE)
    assert {name.lower(): description for name, description in rows} == {
        name: field.description for name, field in Settings.model_fields.items()
    }
