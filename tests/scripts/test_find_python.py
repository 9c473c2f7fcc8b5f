import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIND_PYTHON = Path(__file__).parents[2] / "scripts" / "find-python"


class Machine:
    """A directory that is the whole PATH: some tools, and the Pythons that a test adds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        for tool in ("sh", "env", "dirname", "tr"):
            (directory / tool).symlink_to(str(shutil.which(tool)))

    def program(self, name: str, *lines: str) -> Path:
        path = self.directory / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
        path.chmod(0o755)
        return path

    def good_python(self, name: str) -> Path:
        return self.program(name, f'exec "{sys.executable}" "$@"')

    def find(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(FIND_PYTHON)],
            env={"PATH": f"{self.directory}/nowhere:{self.directory}", **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "a bin")


def test_the_best_name_is_preferred(machine: Machine) -> None:
    machine.good_python("python3")
    best = machine.good_python("python3.12")
    assert machine.find().stdout == f"{best}\n"


def test_a_shim_that_only_prints_an_error_is_skipped(machine: Machine) -> None:
    machine.program("python3.13", "echo 'python3.13: command not found' >&2", "exit 127")
    good = machine.good_python("python3")
    found = machine.find()
    assert found.stdout == f"{good}\n"
    assert found.stderr == ""


def test_a_python_that_is_too_old_is_skipped(machine: Machine) -> None:
    machine.program("python3", 'case "$2" in *version_info*) exit 1 ;; esac')
    good = machine.good_python("python")
    assert machine.find().stdout == f"{good}\n"


def test_a_named_python_is_used_or_refused(machine: Machine) -> None:
    machine.good_python("python3")
    assert machine.find(PYTHON=sys.executable).stdout == f"{sys.executable}\n"
    refused = machine.find(PYTHON="/nowhere/python3")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "PYTHON=/nowhere/python3" in refused.stderr


def test_without_python_the_error_names_what_is_needed(machine: Machine) -> None:
    nothing = machine.find()
    assert nothing.returncode == 1
    assert nothing.stdout == ""
    assert "Python 3.11 or newer" in nothing.stderr


def test_root_on_debian_installs_the_missing_package(machine: Machine) -> None:
    machine.program("id", "echo 0")
    good = machine.directory / "later"
    machine.program("later", f'exec "{sys.executable}" "$@"')
    machine.program(
        "apt-get",
        f'case "$*" in *install*python3-venv) /bin/cp "{good}" "{good.parent}/python3"; esac',
    )
    assert machine.find().stdout == f"{good.parent}/python3\n"


def test_without_root_on_debian_the_error_names_the_command_to_type(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    machine.program("sudo", "exit 1")
    machine.program("apt-get", "exit 100")
    # Debian's python3 without python3-venv: new enough, but it cannot create an environment.
    machine.program(
        "python3", 'case "$2" in *ensurepip*) exit 1 ;; esac', f'exec "{sys.executable}" "$@"'
    )
    refused = machine.find()
    package = "python{}.{}-venv".format(*sys.version_info[:2])
    assert refused.returncode == 1
    assert f"sudo apt-get install {package}" in refused.stderr
