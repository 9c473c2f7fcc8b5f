"""Servers, for whoever needs one."""

import pytest

from tests.serving import RunningServer


def pytest_addoption(parser):
    parser.addoption(
        "--kills",
        type=int,
        default=6,
        help="how often tests/crash/test_random.py kills processes at a random moment",
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serve an empty data directory, for all the tests of a module."""
    with RunningServer(tmp_path_factory.mktemp("data"), "--no-demo") as running:
        yield running


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts servers; they are ended after the test."""
    started = []

    def start(*arguments, data_dir=None, **environment):
        running = RunningServer(data_dir or tmp_path / "data", *arguments, **environment)
        started.append(running)
        return running

    yield start
    for running in started:
        running.__exit__()
