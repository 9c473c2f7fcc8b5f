"""Runs a command with a working browser.

``python -m scripts.with_browser COMMAND ...`` replaces itself by that command. ``HURRAH_BROWSER``
is set to the path of a Chromium that has just displayed a page, and the variables that Playwright
needs are set. If there is no such browser, it prints what to do and exits with status 1.
"""

import os
import sys
from typing import NoReturn

from scripts import browser, driver, machine

__all__ = ["main"]


def main(command: list[str]) -> NoReturn:
    """Replace this process by the command, with a working browser.

    Parameters
    ----------
    command : list of str
        The program and its arguments.

    Raises
    ------
    SystemExit
        With status 1 if there is no browser, with status 2 if there is no command.
    """
    if not command:
        machine.log("Usage: python -m scripts.with_browser COMMAND ...")
        sys.exit(2)
    try:
        os.environ.update(driver.environment())
        os.environ["HURRAH_BROWSER"] = str(browser.find(os.environ))
    except machine.SetupError as error:
        sys.exit(str(error))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
