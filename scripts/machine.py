"""Programs and packages of this machine, for the scripts that set up the tests.

Standard library only, so that it can report what is missing on any machine.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

__all__ = [
    "CACHE",
    "SetupError",
    "can_install",
    "has_apt",
    "install",
    "library_path",
    "log",
    "replace_process",
    "run",
    "unpack",
    "write_launcher",
]

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"


class SetupError(Exception):
    """Something is missing; the message says what to do."""


def log(sentence: str) -> None:
    """Print a sentence to standard error."""
    print(sentence, file=sys.stderr)


def run(command: list[str]) -> str:
    """Run a program and return its standard output.

    Parameters
    ----------
    command : list of str
        The program and its arguments. Its standard input is empty.

    Returns
    -------
    str
        Its standard output. Its standard error is that of this process.

    Raises
    ------
    SetupError
        It is missing, or its exit status is not 0.
    """
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"{shlex.join(command)} did not work.") from error


def replace_process(command: list[str], script: str, prepare: Callable[[], object]) -> NoReturn:
    """Replace this process by the command, once everything is prepared.

    Parameters
    ----------
    command : list of str
        The program and its arguments.
    script : str
        The script's module, for its usage.
    prepare : callable
        Finds or installs what the command needs; raises `SetupError`.

    Raises
    ------
    SystemExit
        With status 1 if something is missing, with status 2 if there is no command.
    """
    if not command:
        log(f"Usage: python -m {script} COMMAND ...")
        sys.exit(2)
    try:
        prepare()
    except SetupError as error:
        sys.exit(str(error))
    os.execvp(command[0], command)


def has_apt() -> bool:
    """Return whether this is Debian, Ubuntu or a similar system."""
    return shutil.which("apt-get") is not None


def can_install() -> bool:
    """Return whether packages can be installed without a password.

    Returns
    -------
    bool
        True for root, and if ``sudo`` needs no password.
    """
    if os.geteuid() == 0:
        return True
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0


def install(package: str) -> None:
    """Install a package with apt-get; requires `can_install`.

    Raises
    ------
    SetupError
        apt-get failed.
    """
    run([str(ROOT / "scripts" / "apt-install"), package])


def unpack(package: str, directory: Path) -> None:
    """Unpack a package and its missing dependencies into a directory, without root.

    apt-get works for any user with its own lists and archive directory, and verifies signatures.

    Parameters
    ----------
    package : str
        Name of a Debian or Ubuntu package.
    directory : Path
        Takes the place of ``/``; emptied first.

    Raises
    ------
    SetupError
        The packages cannot be downloaded or unpacked.
    """
    log(f"Unpacking {package} into {directory.relative_to(ROOT)} ...")
    apt = directory.with_name(directory.name + "-apt")
    for place in (directory, apt):
        shutil.rmtree(place, ignore_errors=True)
    for place in (directory, apt / "lists" / "partial", apt / "archives" / "partial"):
        place.mkdir(parents=True)
    settings = [f"Dir::State::lists={apt / 'lists'}", f"Dir::Cache={apt}", "Debug::NoLocking=1"]
    apt_get = ["apt-get", "-qq", *(f"-o{setting}" for setting in settings)]
    run([*apt_get, "update"])
    run([*apt_get, "install", "-y", "--no-install-recommends", "--download-only", package])
    for archive in sorted((apt / "archives").glob("*.deb")):
        run(["dpkg", "-x", str(archive), str(directory)])
    shutil.rmtree(apt)


def library_path(directory: Path) -> str:
    """Return the directories of the libraries that were unpacked into a directory.

    Some libraries are in directories of their own, which an installed package finds by absolute
    path or through a link made during installation. The common directories come first.

    Parameters
    ----------
    directory : Path
        Takes the place of ``/`` for the unpacked files.

    Returns
    -------
    str
        A value for ``LD_LIBRARY_PATH``.
    """
    found = {library.parent for library in directory.glob("**/*-linux-gnu*/**/lib*.so*")}
    return ":".join(str(place) for place in sorted(found, key=lambda it: (len(it.parts), it)))


def write_launcher(launcher: Path, program: Path, environment: Mapping[str, str]) -> None:
    """Write a script that starts a program with some variables set.

    Parameters
    ----------
    launcher : Path
        The file to write; its directory exists.
    program : Path
        The program to start, with the script's own arguments.
    environment : mapping of str to str
        The variables.
    """
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    start = f'exec {shlex.quote(str(program))} "$@"'
    launcher.write_text("\n".join(["#!/bin/sh", *exports, start, ""]), encoding="utf-8")
    launcher.chmod(0o755)
