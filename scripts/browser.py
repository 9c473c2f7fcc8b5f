"""Finds the browser for the tests, or installs one.

Candidates, in this order:

1. the browser that ``HURRAH_BROWSER`` names; if it is set, no other is tried;
2. an installed Chromium or Chrome, or one that was unpacked before;
3. on Debian, the package ``chromium-headless-shell``: installed if that needs no password, else
   unpacked into ``.cache/chromium``, which needs no root;
4. on other systems, the build that Playwright downloads.

The headless shell is Chromium without the window around the page. A page takes less than half of
the processor time in it, so it comes before a Chromium with windows.
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
PACKAGE = "chromium-headless-shell"

NAMES = (PACKAGE, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
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
    """Return whether a browser displays a page.

    The name of a file is not enough: Ubuntu's ``chromium-browser`` may be a script that asks for a
    snap, and an unpacked browser may lack a library.

    Parameters
    ----------
    browser : str or Path
        The program to try.

    Returns
    -------
    bool
        True if it started without a window and returned the page that it was given.
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
    """Yield the browsers in the usual places, best first.

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
    """Return whether this is Debian, which has Chromium as a package.

    Returns
    -------
    bool
        False on Ubuntu, whose package only asks for a snap.
    """
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return "ID=debian" in lines and machine.has_apt()


def write_launcher(directory: Path) -> Path:
    """Write a script that starts an unpacked Chromium with its libraries and fonts.

    Parameters
    ----------
    directory : Path
        Where to write it; its subdirectory ``root`` has the unpacked files.

    Returns
    -------
    Path
        The launcher.
    """
    root, fonts, launcher = directory / "root", directory / "fonts.conf", directory / "chromium"
    fonts.write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n'
        f"<fontconfig><dir>{escape(str(root))}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>"
        f"<cachedir>{escape(str(directory))}/fonts</cachedir></fontconfig>\n",
        encoding="utf-8",
    )
    machine.write_launcher(
        launcher,
        root / "usr/lib/chromium" / PACKAGE,
        {"LD_LIBRARY_PATH": machine.library_path(root), "FONTCONFIG_FILE": str(fonts)},
    )
    return launcher


def download_with_playwright() -> Path:
    """Return the path of the build that belongs to Playwright; download it if necessary.

    Returns
    -------
    Path
        The browser that Playwright starts by default.

    Raises
    ------
    SetupError
        The download fails.
    """
    python = sys.executable
    ask = "from playwright.sync_api import sync_playwright as s\nwith s() as p: "
    answer = machine.run([python, "-c", f"{ask}print(p.chromium.executable_path)"])
    browser = Path(answer.strip())
    if not browser.exists():
        machine.log("Playwright downloads a Chromium ...")
        machine.run([python, "-m", "playwright", "install", "chromium"])
    return browser


def install() -> Path:
    """Install, unpack or download a browser, depending on the machine.

    Returns
    -------
    Path
        The expected path of the browser.

    Raises
    ------
    SetupError
        There is no way to get one.
    """
    if not on_debian():
        return download_with_playwright()
    if machine.can_install():
        machine.install(PACKAGE)
        return Path("/usr/bin") / PACKAGE
    machine.unpack(PACKAGE, UNPACKED / "root")
    return write_launcher(UNPACKED)


def find(environment: Mapping[str, str]) -> Path:
    """Find a working browser, or install one.

    Parameters
    ----------
    environment : mapping of str to str
        May have ``HURRAH_BROWSER``, the browser to use.

    Returns
    -------
    Path
        A Chromium that has just displayed a page.

    Raises
    ------
    SetupError
        There is none, and none can be installed.
    """
    if named := environment.get("HURRAH_BROWSER"):
        if works(named):
            return Path(named)
        raise machine.SetupError(f"HURRAH_BROWSER={named} is not a Chromium that starts.")
    for browser in installed():
        if works(browser):
            return browser
    try:
        browser = install()
    except machine.SetupError as error:
        raise machine.SetupError(f"{error} {ADVICE}") from error
    if works(browser):
        return browser
    raise machine.SetupError(f"{browser} does not start. {ADVICE}")
