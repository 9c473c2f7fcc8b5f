"""`make test-container`, without building an image."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts import container_image


def test_a_base_that_cannot_be_built_is_one_sentence(monkeypatch, tmp_path):
    commands = []

    def run(command, **_):
        commands.append([str(part) for part in command])
        if command[0] == "apt-config":
            return subprocess.CompletedProcess(
                command,
                0,
                'APT::Architecture "amd64";\nAcquire::http::Proxy "http://proxy:3128";\n',
            )
        if command[0] == "mmdebstrap":
            (option,) = (each for each in commands[-1] if each.startswith("--aptopt="))
            settings = Path(option.removeprefix("--aptopt="))
            assert settings.read_text() == 'Acquire::http::Proxy "http://proxy:3128";\n'
            raise subprocess.CalledProcessError(25, command)
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda program, **_: f"/usr/bin/{program}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(container_image, "STORAGE", tmp_path / "storage")
    monkeypatch.delenv("BASE_IMAGE", raising=False)
    with pytest.raises(SystemExit) as ended:
        container_image.main()
    assert str(ended.value) == (
        "The image was not built: mmdebstrap ended with status 25; its messages are above."
        " BASE_IMAGE can name another base image."
    )
