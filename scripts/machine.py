"""What this machine offers to those that set something up: programs, packages, a place for both.

Standard library only, so that it can tell what is missing wherever it runs.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = [
    "CACHE",
    "SetupError",
    "has_apt",
    "install",
    "library_path",
    "may_install",
    "run",
    "tell",
    "unpack",
    "write_launcher",
]

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"


class SetupError(Exception):
    """Something cannot be had; the message says what a person can do about it."""


def tell(sentence: str) -> None:
    """Say what is going on, on standard error."""
    print(sentence, file=sys.stderr)


def run(command: list[str]) -> str:
    """Run a program to its end and return what it wrote to standard output.

    Parameters
    ----------
    command : list of str
        The program and its arguments; it gets no standard input.

    Returns
    -------
    str
        Its standard output; its standard error goes where ours goes.

    Raises
    ------
    SetupError
        It is missing or ends with another status than 0.
    """
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"{shlex.join(command)} did not work.") from error


def has_apt() -> bool:
    """Tell whether this is Debian, Ubuntu or one of their kind."""
    return shutil.which("apt-get") is not None


def may_install() -> bool:
    """Tell whether packages can be installed without asking anyone for a password.

    Returns
    -------
    bool
        True for root, and where ``sudo`` asks for nothing.
    """
    if os.geteuid() == 0:
        return True
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0


def install(package: str) -> None:
    """Install a package with apt-get; may be called where `may_install` holds.

    Raises
    ------
    SetupError
        apt-get could not do it.
    """
    run([str(ROOT / "scripts" / "apt-install"), package])


def unpack(package: str, folder: Path) -> None:
    """Unpack a package, and those it needs that are not installed, into a folder, without root.

    apt works as anyone on lists and an archive folder of its own, and checks signatures as ever.

    Parameters
    ----------
    package : str
        Name of a Debian or Ubuntu package.
    folder : Path
        What will stand for ``/``; emptied first.

    Raises
    ------
    SetupError
        The packages cannot be fetched or unpacked.
    """
    tell(f"Unpacking {package} into {folder.relative_to(ROOT)}, which needs no root ...")
    apt = folder.with_name(folder.name + "-apt")
    for place in (folder, apt):
        shutil.rmtree(place, ignore_errors=True)
    for place in (folder, apt / "lists" / "partial", apt / "archives" / "partial"):
        place.mkdir(parents=True)
    settings = [f"Dir::State::lists={apt / 'lists'}", f"Dir::Cache={apt}", "Debug::NoLocking=1"]
    apt_get = ["apt-get", "-qq", *(f"-o{setting}" for setting in settings)]
    run([*apt_get, "update"])
    run([*apt_get, "install", "-y", "--no-install-recommends", "--download-only", package])
    for archive in sorted((apt / "archives").glob("*.deb")):
        run(["dpkg", "-x", str(archive), str(folder)])
    shutil.rmtree(apt)


def library_path(folder: Path) -> str:
    """Return where the libraries are that were unpacked into a folder.

    Some stand in folders of their own, which an installed package would know by their absolute path
    or reach through a link made on installing. The common ones come first.

    Parameters
    ----------
    folder : Path
        What stands for ``/`` in what was unpacked.

    Returns
    -------
    str
        A value for ``LD_LIBRARY_PATH``.
    """
    found = {library.parent for library in folder.glob("**/*-linux-gnu*/**/lib*.so*")}
    return ":".join(str(place) for place in sorted(found, key=lambda it: (len(it.parts), it)))


def write_launcher(launcher: Path, program: Path, environment: Mapping[str, str]) -> None:
    """Write a program that starts another with some variables set.

    Parameters
    ----------
    launcher : Path
        The file to write; its folder is there.
    program : Path
        What it starts, with the arguments it was given itself.
    environment : mapping of str to str
        The variables.
    """
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    start = f'exec {shlex.quote(str(program))} "$@"'
    launcher.write_text("\n".join(["#!/bin/sh", *exports, start, ""]), encoding="utf-8")
    launcher.chmod(0o755)
