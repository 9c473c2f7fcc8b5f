"""Firefox and WebKit are found or installed, or the reason why not is one sentence."""

import os
import stat

import pytest

from scripts import machine, other_browsers


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A function that adds an empty command to a PATH that has no others."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "execvp", lambda *command: pytest.fail(f"ran {command}"))

    def add(*names):
        for name in names:
            (tmp_path / name).touch()
            (tmp_path / name).chmod(stat.S_IRWXU)

    return add


def test_the_command_runs_if_nothing_is_missing(commands, monkeypatch):
    commands("firefox", "WebKitWebDriver", "Xvfb")
    ran = []
    monkeypatch.setattr(os, "execvp", lambda *command: ran.append(command))
    other_browsers.main(["pytest", "tests"])
    assert ran == [("pytest", ["pytest", "tests"])]


def test_only_what_is_missing_is_installed(commands, monkeypatch):
    commands("firefox-esr")
    installed = []

    def install(package):
        installed.append(package)
        commands({"webkit2gtk-driver": "WebKitWebDriver", "xvfb": "Xvfb"}[package])

    monkeypatch.setattr(machine, "has_apt", lambda: True)
    monkeypatch.setattr(machine, "install", install)
    other_browsers.install_missing()
    assert installed == ["webkit2gtk-driver", "xvfb"]


def test_without_packages_the_missing_programs_are_named(commands):
    commands("firefox")
    with pytest.raises(SystemExit) as ended:
        other_browsers.main(["pytest"])
    assert ended.value.code == (
        "Missing: WebKitWebDriver, Xvfb. `make test-browsers` needs Firefox, and WebKitGTK's "
        "driver with Xvfb, which only Linux has."
    )
