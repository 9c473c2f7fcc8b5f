"""Finds the browser that the tests drive, or brings one, and prints its path.

``python -m scripts.browser`` prints one line, the path of a Chromium that has just shown a page,
and ends with status 0; or says in one sentence on standard error what to do, and ends with 1.
Standard library only, so that it can say so wherever it runs.

Tried in this order:

1. the browser that ``HURRAH_BROWSER`` names, and then no other;
2. a Chromium or Chrome that is installed, or was brought here before;
3. on Debian, the ``chromium`` package: installed where that needs no password, and otherwise
   unpacked into ``.cache/chromium``, which needs no rights at all;
4. elsewhere, the build that Playwright knows how to fetch.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
UNPACKED = ROOT / ".cache" / "chromium"

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


class BrowserError(Exception):
    """No browser can be had; the message says what a person can do about it."""


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
    return "ID=debian" in lines and shutil.which("apt-get") is not None


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


def unpack_from_debian() -> Path:
    """Bring Debian's Chromium and the libraries it lacks, without root.

    apt works on lists and a package cache of its own under ``.cache/chromium``; what it fetches and
    checks is unpacked there, and a small launcher tells the browser where its libraries and fonts
    are.

    Returns
    -------
    Path
        The launcher.

    Raises
    ------
    BrowserError
        The packages cannot be fetched or unpacked.
    """
    tell("Unpacking Debian's chromium into .cache/chromium, which needs no root ...")
    shutil.rmtree(UNPACKED, ignore_errors=True)
    root, apt = UNPACKED / "root", UNPACKED / "apt"
    (apt / "lists" / "partial").mkdir(parents=True)
    (apt / "archives" / "partial").mkdir(parents=True)
    settings = [f"Dir::State::lists={apt / 'lists'}", f"Dir::Cache={apt}", "Debug::NoLocking=1"]
    apt_get = ["apt-get", "-qq", *(f"-o{setting}" for setting in settings)]
    run([*apt_get, "update"])
    run([*apt_get, "install", "-y", "--no-install-recommends", "--download-only", "chromium"])
    for package in sorted((apt / "archives").glob("*.deb")):
        run(["dpkg", "-x", str(package), str(root)])
    shutil.rmtree(apt)
    return write_launcher(UNPACKED)


def write_launcher(folder: Path) -> Path:
    """Write the program that starts an unpacked Chromium.

    Parameters
    ----------
    folder : Path
        Where to write it; what was unpacked is in its ``root``, which stands for ``/``.

    Returns
    -------
    Path
        The launcher, executable.
    """
    root, fonts, launcher = folder / "root", folder / "fonts.conf", folder / "chromium"
    # Some libraries stand in folders of their own, which an installed package would know by their
    # absolute path or reach through a link made on installing. Shorter paths go first.
    found = {library.parent for library in root.glob("**/*-linux-gnu*/**/lib*.so*")}
    libraries = [str(place) for place in sorted(found, key=lambda place: (len(place.parts), place))]
    fonts.write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n'
        f"<fontconfig><dir>{escape(str(root))}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>"
        f"<cachedir>{escape(str(folder))}/fonts</cachedir></fontconfig>\n",
        encoding="utf-8",
    )
    launcher.write_text(
        "#!/bin/sh\n"
        f"export LD_LIBRARY_PATH={shlex.quote(':'.join(libraries))}\n"
        f"export FONTCONFIG_FILE={shlex.quote(str(fonts))}\n"
        f'exec {shlex.quote(str(root / "usr/lib/chromium/chromium"))} "$@"\n',
        encoding="utf-8",
    )
    launcher.chmod(0o755)
    return launcher


def fetch_with_playwright() -> Path:
    """Return the path of the build that Playwright was made for, fetching it if need be.

    Returns
    -------
    Path
        The browser that Playwright would start by itself.

    Raises
    ------
    BrowserError
        It cannot be fetched.
    """
    ask = "from playwright.sync_api import sync_playwright as s\nwith s() as p: "
    browser = Path(run([sys.executable, "-c", f"{ask}print(p.chromium.executable_path)"]).strip())
    if not browser.exists():
        tell("Letting Playwright fetch a Chromium ...")
        run([sys.executable, "-m", "playwright", "install", "chromium"])
    return browser


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
    BrowserError
        It is missing or ends with another status than 0.
    """
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BrowserError(f"{shlex.join(command)} did not work.") from error


def tell(sentence: str) -> None:
    """Say what is going on, away from the path on standard output."""
    print(sentence, file=sys.stderr)


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
    BrowserError
        There is none and none can be had.
    """
    if named := environment.get("HURRAH_BROWSER"):
        if works(named):
            return Path(named)
        raise BrowserError(f"HURRAH_BROWSER={named} is not a Chromium that starts.")
    for browser in installed():
        if works(browser):
            return browser
    try:
        browser = bring()
    except BrowserError as error:
        raise BrowserError(f"{error} {ADVICE}") from error
    if works(browser):
        return browser
    raise BrowserError(f"{browser} does not start. {ADVICE}")


def bring() -> Path:
    """Install, unpack or fetch a browser, whichever this machine allows.

    Returns
    -------
    Path
        Where it ought to be now.

    Raises
    ------
    BrowserError
        None can be had.
    """
    if not on_debian():
        return fetch_with_playwright()
    if may_install():
        run([str(ROOT / "scripts" / "apt-install"), "chromium"])
        return Path("/usr/bin/chromium")
    return unpack_from_debian()


def main() -> int:
    """Print the path of a browser that works.

    Returns
    -------
    int
        The exit status: 0 done, 1 there is none.
    """
    try:
        print(find(os.environ))
    except BrowserError as error:
        tell(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
