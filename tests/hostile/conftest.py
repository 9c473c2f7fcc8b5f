"""A server that hostile clients talk to, and what it may not do while they do."""

import pytest

from tests.serving import RunningServer


@pytest.fixture(scope="package")
def server(tmp_path_factory):
    """A server whose patience is short, and whose log must hold no fault."""
    folder = tmp_path_factory.mktemp("hostile")
    patience = {"HURRAH_REQUEST_PATIENCE_S": "1", "HURRAH_UPLOAD_PATIENCE_S": "2"}
    log = folder / "log"
    with (
        log.open("w") as errors,
        RunningServer(folder / "data", "--no-demo", stderr=errors, **patience) as running,
    ):
        yield running
    assert running.process.returncode == 0
    said = log.read_text()
    assert "Traceback" not in said, said
    assert "Exception" not in said, said


@pytest.fixture(scope="package")
def narrow(tmp_path_factory):
    """A server with room for few."""
    limits = {"HURRAH_MAX_CONNECTIONS": "20", "HURRAH_MAX_VIEWERS": "3"}
    with RunningServer(tmp_path_factory.mktemp("narrow"), "--no-demo", **limits) as running:
        yield running
