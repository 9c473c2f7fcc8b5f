import os
import subprocess
import sys
from pathlib import Path


def with_browser(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.with_browser", *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_gets_a_browser_and_its_own_arguments() -> None:
    ran = with_browser("sh", "-c", 'echo "$HURRAH_BROWSER"; echo "$1"; exit 7', "sh", "two words")
    browser, argument = ran.stdout.splitlines()
    assert Path(browser).exists()
    assert argument == "two words"
    assert ran.returncode == 7


def test_without_a_browser_the_command_is_not_run() -> None:
    ran = with_browser("echo", "ran", HURRAH_BROWSER="/nowhere/chromium")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == "HURRAH_BROWSER=/nowhere/chromium is not a Chromium that starts.\n"


def test_without_a_command_the_exit_status_is_2() -> None:
    assert with_browser().returncode == 2
