"""What depends on how the program was installed: in a checkout, or as a package by pip.

The wheel has the files that the program reads in ``server/resource_files``; pyproject.toml copies
them there. In a checkout they are beside ``server``.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = [
    "COMMAND",
    "CORPORA",
    "IS_PACKAGE",
    "METHOD",
    "STATIC",
    "TEMPLATES",
    "default_data_dir",
    "install_command",
]

_SERVER = Path(__file__).parent
_IN_PACKAGE = _SERVER / "resource_files"

IS_PACKAGE = _IN_PACKAGE.is_dir()
"""Whether this is a package that pip installed, not a checkout."""
COMMAND = "hurrah" if IS_PACKAGE else "python -m server"
"""The command whose subcommands are `serve`, `train` and others."""

_ROOT = _IN_PACKAGE if IS_PACKAGE else _SERVER.parent

STATIC = _ROOT / "static"
"""Directory of the style sheets, scripts, fonts and images."""
TEMPLATES = _ROOT / "templates"
"""Directory of the templates of the pages."""
CORPORA = _ROOT / "data" / "corpora"
"""Directory of the texts that come with the program."""
METHOD = _ROOT / "docs" / "course.md"
"""The method of the course."""


def default_data_dir() -> Path:
    """Return the directory of runs and uploaded texts if none is set.

    Returns
    -------
    pathlib.Path
        ``data`` in the working directory for a checkout; for a package, the directory in which the
        operating system keeps the data of a user's programs.
    """
    if not IS_PACKAGE:
        return Path("data")
    from platformdirs import user_data_dir  # noqa: PLC0415 - a checkout does not use it

    return Path(user_data_dir("hurrah", appauthor=False))


def install_command(extra: str, package: str) -> str:
    """Return the command that installs an extra.

    Parameters
    ----------
    extra : str
        Its name in the Makefile.
    package : str
        The package that it consists of.
    """
    if not IS_PACKAGE:
        return f"make {extra}"
    # pipx makes an environment for each program, and this file in it.
    is_from_pipx = (Path(sys.prefix) / "pipx_metadata.json").is_file()
    return f"pipx inject hurrah {package}" if is_from_pipx else f"pip install {package}"
