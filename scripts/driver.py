"""Makes Playwright's driver start; the tests control the browser through it.

The driver is a Node.js that comes with Playwright. It needs ``libatomic.so.1``, which a minimal
Debian lacks.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts import machine

__all__ = ["LIBRARY", "environment", "starts"]

LIBRARY = "libatomic1"
# With this variable, Playwright uses another Node.js than its own.
NODE = "PLAYWRIGHT_NODEJS_PATH"


def starts(given: Mapping[str, str]) -> bool:
    """Return whether the driver starts in the given environment.

    Parameters
    ----------
    given : mapping of str to str
        The complete environment.

    Returns
    -------
    bool
        True if it printed its version.
    """
    command = [sys.executable, "-m", "playwright", "--version"]
    return subprocess.run(command, env=given, capture_output=True, check=False).returncode == 0


def environment() -> dict[str, str]:
    """Return the variables with which the driver starts, after installing what it lacks.

    Returns
    -------
    dict of str to str
        Empty if it starts without any, as on nearly every machine.

    Raises
    ------
    SetupError
        It does not start.
    """
    ours = dict(os.environ)
    launcher = machine.CACHE / "driver" / "node"
    unpacked = {NODE: str(launcher)}
    if starts(ours):
        return {}
    if launcher.exists() and starts(ours | unpacked):
        return unpacked
    if machine.has_apt() and machine.can_install():
        machine.install(LIBRARY)
        if starts(ours):
            return {}
    elif machine.has_apt():
        unpack_beside(launcher)
        if starts(ours | unpacked):
            return unpacked
    raise machine.SetupError(
        f"Playwright's driver does not start, often because {LIBRARY} is missing: "
        f"`{sys.executable} -m playwright --version` prints the reason."
    )


def unpack_beside(launcher: Path) -> None:
    """Unpack the library without root, and write a script that starts Node.js with it.

    Raises
    ------
    SetupError
        The library cannot be downloaded.
    """
    root = launcher.parent / "root"
    machine.unpack(LIBRARY, root)
    ask = "import pathlib, playwright as p; print(pathlib.Path(p.__file__).parent)"
    package = Path(machine.run([sys.executable, "-c", ask]).strip())
    libraries = {"LD_LIBRARY_PATH": machine.library_path(root)}
    machine.write_launcher(launcher, package / "driver" / "node", libraries)
