"""Servers for hostile clients."""

import contextlib

import pytest

from tests.serving import RunningServer


@contextlib.contextmanager
def faultless(directory, **environment):
    """Run a server whose log must be free of errors at the end."""
    log = directory / "log"
    with (
        log.open("w") as errors,
        RunningServer(directory / "data", "--no-demo", stderr=errors, **environment) as running,
    ):
        yield running
    assert running.process.returncode == 0
    said = log.read_text()
    assert "Traceback" not in said, said
    assert "Exception" not in said, said


@pytest.fixture(scope="package")
def server(tmp_path_factory):
    """A server without runs; tests delete the runs that they create."""
    with faultless(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.fixture(scope="package")
def narrow(tmp_path_factory):
    """A server with low limits on connections and viewers."""
    limits = {"HURRAH_MAX_CONNECTIONS": "20", "HURRAH_MAX_VIEWERS": "3"}
    with faultless(tmp_path_factory.mktemp("narrow"), **limits) as running:
        yield running
