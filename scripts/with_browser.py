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


def set_environment() -> None:
    """Set the environment variables that name the browser, and install it if it is missing.

    Raises
    ------
    SetupError
        There is none, and it cannot be installed.
    """
    os.environ.update(driver.environment())
    os.environ["HURRAH_BROWSER"] = str(browser.find(os.environ))


def main(command: list[str]) -> NoReturn:
    """Replace this process by the command, with a working browser.

    Raises
    ------
    SystemExit
        As `machine.replace_process`.
    """
    machine.replace_process(command, "scripts.with_browser", set_environment)


if __name__ == "__main__":
    main(sys.argv[1:])
