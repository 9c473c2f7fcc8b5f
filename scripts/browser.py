"""Finds the browser that the tests drive, or brings one.

Tried in this order:

1. the browser that ``HURRAH_BROWSER`` names, and then no other;
2. a Chromium or Chrome that is installed, or was brought here before;
3. on Debian, the ``chromium`` package: installed where that needs no password, and otherwise
   unpacked into ``.cache/chromium``, which needs no rights at all;
4. elsewhere, the build that Playwright knows how to fetch.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from scripts import machine

__all__ = ["find", "works", "write_launcher"]

UNPACKED = machine.CACHE / "chromium"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_APPLICATIONS = (
    "Chromium.app/Contents/MacOS/Chromium",
    "Google Chrome.app/Contents/MacOS/Google Chrome",
)
ADVICE = (
    "The tests need Chromium or Chrome: install one, or name one with "
    "HURRAH_BROWSER=/path/to/chromium."
)
START_TIMEOUT_S = 60


def works(browser: str | Path) -> bool:
    """Tell whether a browser really shows a page.

    A file of the right name proves nothing: Ubuntu's ``chromium-browser`` may be a script that asks
    for a snap, and an unpacked one may miss a library.

    Parameters
    ----------
    browser : str or Path
        The program to try.

    Returns
    -------
    bool
        True if it has started without a window and has given back the page it was handed.
    """
    with tempfile.TemporaryDirectory(prefix="hurrah-browser-", ignore_cleanup_errors=True) as home:
        command = [str(browser), "--headless", "--no-sandbox", "--disable-gpu"]
        command += ["--no-first-run", f"--user-data-dir={home}", "--dump-dom"]
        try:
            shown = subprocess.run(
                [*command, "data:text/html,<p>hurrah"],
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=START_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return shown.returncode == 0 and "<p>hurrah</p>" in shown.stdout


def installed() -> Iterator[Path]:
    """Yield the browsers that stand in the usual places, best first.

    Yields
    ------
    Path
        A file that may or may not be a working browser.
    """
    for name in NAMES:
        if found := shutil.which(name):
            yield Path(found)
    for applications in (Path("/Applications"), Path.home() / "Applications"):
        for application in MAC_APPLICATIONS:
            if (applications / application).exists():
                yield applications / application
    yield UNPACKED / "chromium"


def on_debian() -> bool:
    """Tell whether this is Debian itself, whose ``chromium`` package is a real browser.

    Returns
    -------
    bool
        False on Ubuntu, whose package of the same purpose only asks for a snap.
    """
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return "ID=debian" in lines and machine.has_apt()


def write_launcher(folder: Path) -> Path:
    """Write the program that starts an unpacked Chromium with its libraries and fonts.

    Parameters
    ----------
    folder : Path
        Where to write it; what was unpacked is in its ``root``.

    Returns
    -------
    Path
        The launcher.
    """
    root, fonts, launcher = folder / "root", folder / "fonts.conf", folder / "chromium"
    fonts.write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n'
        f"<fontconfig><dir>{escape(str(root))}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>"
        f"<cachedir>{escape(str(folder))}/fonts</cachedir></fontconfig>\n",
        encoding="utf-8",
    )
    machine.write_launcher(
        launcher,
        root / "usr/lib/chromium/chromium",
        {"LD_LIBRARY_PATH": machine.library_path(root), "FONTCONFIG_FILE": str(fonts)},
    )
    return launcher


def fetch_with_playwright() -> Path:
    """Return the path of the build that Playwright was made for, fetching it if need be.

    Returns
    -------
    Path
        The browser that Playwright would start by itself.

    Raises
    ------
    SetupError
        It cannot be fetched.
    """
    python = sys.executable
    ask = "from playwright.sync_api import sync_playwright as s\nwith s() as p: "
    answer = machine.run([python, "-c", f"{ask}print(p.chromium.executable_path)"])
    browser = Path(answer.strip())
    if not browser.exists():
        machine.tell("Letting Playwright fetch a Chromium ...")
        machine.run([python, "-m", "playwright", "install", "chromium"])
    return browser


def bring() -> Path:
    """Install, unpack or fetch a browser, whichever this machine allows.

    Returns
    -------
    Path
        Where it ought to be now.

    Raises
    ------
    SetupError
        None can be had.
    """
    if not on_debian():
        return fetch_with_playwright()
    if machine.may_install():
        machine.install("chromium")
        return Path("/usr/bin/chromium")
    machine.unpack("chromium", UNPACKED / "root")
    return write_launcher(UNPACKED)


def find(environment: Mapping[str, str]) -> Path:
    """Find a browser that works, or bring one.

    Parameters
    ----------
    environment : mapping of str to str
        Where ``HURRAH_BROWSER`` may name the one to use.

    Returns
    -------
    Path
        A Chromium that has just shown a page.

    Raises
    ------
    SetupError
        There is none and none can be had.
    """
    if named := environment.get("HURRAH_BROWSER"):
        if works(named):
            return Path(named)
        raise machine.SetupError(f"HURRAH_BROWSER={named} is not a Chromium that starts.")
    for browser in installed():
        if works(browser):
            return browser
    try:
        browser = bring()
    except machine.SetupError as error:
        raise machine.SetupError(f"{error} {ADVICE}") from error
    if works(browser):
        return browser
    raise machine.SetupError(f"{browser} does not start. {ADVICE}")
