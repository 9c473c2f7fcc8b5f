"""A setting that was renamed is refused under its old name."""

import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from server.settings import RENAMED, Settings, refuse_renamed
from tests.serving import ROOT


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_stops_the_settings_with_the_new_one(monkeypatch, old, new):
    assert new.removeprefix("HURRAH_").lower() in Settings.model_fields
    assert old.removeprefix("HURRAH_").lower() not in Settings.model_fields
    monkeypatch.setenv(old, "1")
    with pytest.raises(ValidationError, match=f"{old} is now {new}"):
        Settings()


def test_an_old_name_stops_the_server(tmp_path):
    data = tmp_path / "data"
    ended = subprocess.run(
        [sys.executable, "-m", "server", "serve", "--port", "0", "--data-dir", data],
        cwd=ROOT,
        env=os.environ | {"HURRAH_VIEWER_PATIENCE_S": "5", "HURRAH_MAX_KEPT_MODELS": "3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "HURRAH_MAX_KEPT_MODELS is now HURRAH_MAX_SAVED_MODELS;"
        " HURRAH_VIEWER_PATIENCE_S is now HURRAH_VIEWER_TIMEOUT_S.\n"
    )
    assert not data.exists()


def test_names_are_recognised_in_any_case():
    with pytest.raises(ValueError, match="HURRAH_MAX_KEPT_MODELS is now"):
        refuse_renamed(["hurrah_max_kept_models"])
    refuse_renamed(["HURRAH_MAX_SAVED_MODELS", "PATH"])
