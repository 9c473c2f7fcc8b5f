"""Runs a command for which a browser is ready.

``python -m scripts.with_browser COMMAND ...`` becomes that command, with the path of a Chromium
that has just shown a page in ``HURRAH_BROWSER`` and whatever Playwright needs set; or it says in
one sentence what to do, and ends with status 1.
"""

import os
import sys
from typing import NoReturn

from scripts import browser, driver, machine

__all__ = ["main"]


def main(command: list[str]) -> NoReturn:
    """Become the command, with a browser ready for it.

    Parameters
    ----------
    command : list of str
        The program and its arguments.

    Raises
    ------
    SystemExit
        With 1 where no browser can be had, with 2 where there is no command.
    """
    if not command:
        machine.tell("Usage: python -m scripts.with_browser COMMAND ...")
        sys.exit(2)
    try:
        os.environ.update(driver.environment())
        os.environ["HURRAH_BROWSER"] = str(browser.find(os.environ))
    except machine.SetupError as error:
        sys.exit(str(error))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
