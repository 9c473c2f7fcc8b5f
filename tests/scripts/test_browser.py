import os
import subprocess
from pathlib import Path

import pytest

from scripts import browser, machine


def script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_real_browser_works() -> None:
    assert browser.works(browser.find(os.environ))


def test_a_stub_that_asks_for_a_snap_does_not_work(tmp_path: Path) -> None:
    stub = script(tmp_path / "chromium-browser", "echo 'requires the chromium snap' >&2", "exit 1")
    assert not browser.works(stub)


def test_a_program_that_displays_no_page_does_not_work(tmp_path: Path) -> None:
    assert not browser.works(script(tmp_path / "chromium", "exit 0"))


def test_a_missing_program_does_not_work(tmp_path: Path) -> None:
    assert not browser.works(tmp_path / "chromium")


def test_a_named_browser_that_does_not_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(machine.SetupError, match=r"HURRAH_BROWSER=.*is not a Chromium"):
        browser.find({"HURRAH_BROWSER": str(tmp_path / "chromium")})


def test_the_launcher_finds_libraries_in_their_own_directories(tmp_path: Path) -> None:
    unpacked = tmp_path / "some directory"
    libraries = unpacked / "root/usr/lib/x86_64-linux-gnu"
    chromium = unpacked / "root/usr/lib/chromium" / browser.PACKAGE
    (libraries / "pulseaudio").mkdir(parents=True)
    (libraries / "libnss3.so").touch()
    (libraries / "pulseaudio/libpulsecommon-16.1.so").touch()
    chromium.parent.mkdir(parents=True)
    script(chromium, 'echo "$LD_LIBRARY_PATH"', 'echo "$1"')

    launcher = browser.write_launcher(unpacked)

    shown = subprocess.run([launcher, "--an-option"], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == [f"{libraries}:{libraries / 'pulseaudio'}", "--an-option"]
    assert (unpacked / "fonts.conf").read_text(encoding="utf-8").count("<dir>") == 2
