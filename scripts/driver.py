"""Sees to it that Playwright's driver, through which the tests drive a browser, starts.

It is a Node.js that comes with Playwright and needs ``libatomic.so.1``, which a machine with only
its stock packages lacks.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts import machine

__all__ = ["LIBRARY", "environment", "starts"]

LIBRARY = "libatomic1"
# The variable by which Playwright takes another Node.js than its own.
NODE = "PLAYWRIGHT_NODEJS_PATH"


def starts(given: Mapping[str, str]) -> bool:
    """Tell whether the driver starts in the given environment.

    Parameters
    ----------
    given : mapping of str to str
        All of the environment it would have.

    Returns
    -------
    bool
        True if it has told its version.
    """
    command = [sys.executable, "-m", "playwright", "--version"]
    return subprocess.run(command, env=given, capture_output=True, check=False).returncode == 0


def environment() -> dict[str, str]:
    """Return what has to be set for the driver to start, after bringing what it lacks.

    Returns
    -------
    dict of str to str
        Empty where it starts as it is, which is nearly everywhere.

    Raises
    ------
    SetupError
        It does not start, whatever is done.
    """
    ours = dict(os.environ)
    launcher = machine.CACHE / "driver" / "node"
    unpacked = {NODE: str(launcher)}
    if starts(ours):
        return {}
    if launcher.exists() and starts(ours | unpacked):
        return unpacked
    if machine.has_apt() and machine.may_install():
        machine.install(LIBRARY)
        if starts(ours):
            return {}
    elif machine.has_apt():
        unpack_beside(launcher)
        if starts(ours | unpacked):
            return unpacked
    raise machine.SetupError(
        f"Playwright's driver does not start, often for want of {LIBRARY}: "
        f"`{sys.executable} -m playwright --version` tells why."
    )


def unpack_beside(launcher: Path) -> None:
    """Bring the library without root, and write a launcher for the driver's Node.js that knows it.

    Raises
    ------
    SetupError
        The library cannot be fetched.
    """
    root = launcher.parent / "root"
    machine.unpack(LIBRARY, root)
    ask = "import pathlib, playwright as p; print(pathlib.Path(p.__file__).parent)"
    package = Path(machine.run([sys.executable, "-c", ask]).strip())
    libraries = {"LD_LIBRARY_PATH": machine.library_path(root)}
    machine.write_launcher(launcher, package / "driver" / "node", libraries)
