"""Finds Firefox and WebKit for ``make test-browsers``, or installs them.

``python -m scripts.other_browsers COMMAND ...`` replaces itself by that command if both browsers
are installed. On Debian and similar systems it installs what is missing. Otherwise it prints what
is missing and exits with status 1.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from scripts import machine

__all__ = ["PROGRAMS", "find", "main"]


@dataclass(frozen=True)
class Program:
    """A program that the tests start.

    Attributes
    ----------
    commands : tuple of str
        Names or paths, best first.
    package : str
        Debian's package.
    """

    commands: tuple[str, ...]
    package: str


PROGRAMS = {
    "firefox": Program(
        ("firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"),
        "firefox-esr",
    ),
    "webkit": Program(("WebKitWebDriver",), "webkit2gtk-driver"),
    # MiniBrowser, which WebKitWebDriver starts, needs a display.
    "xvfb": Program(("Xvfb",), "xvfb"),
}


def find(name: str) -> Path:
    """Return the path of a program.

    Parameters
    ----------
    name : str
        A key of `PROGRAMS`.

    Returns
    -------
    Path
        An installed program.

    Raises
    ------
    SetupError
        It is not installed.
    """
    for command in PROGRAMS[name].commands:
        if found := shutil.which(command):
            return Path(found)
    raise machine.SetupError(f"{PROGRAMS[name].commands[0]} is missing.")


def missing() -> list[str]:
    """Return the names of the programs that are not installed."""
    names = []
    for name in PROGRAMS:
        try:
            find(name)
        except machine.SetupError:
            names.append(name)
    return names


def install_missing() -> None:
    """Install what is missing.

    Raises
    ------
    SetupError
        Something is missing and cannot be installed.
    """
    absent = missing()
    if absent and machine.has_apt():
        for name in absent:
            machine.install(PROGRAMS[name].package)
        absent = missing()
    if absent:
        programs = ", ".join(PROGRAMS[name].commands[0] for name in absent)
        raise machine.SetupError(
            f"Missing: {programs}. `make test-browsers` needs Firefox, and WebKitGTK's driver "
            "with Xvfb, which only Linux has."
        )


def main(command: list[str]) -> NoReturn:
    """Replace this process by the command, with both browsers installed.

    Raises
    ------
    SystemExit
        As `machine.replace_process`.
    """
    machine.replace_process(command, "scripts.other_browsers", install_missing)


if __name__ == "__main__":
    main(sys.argv[1:])
