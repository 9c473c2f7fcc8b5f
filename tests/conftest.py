"""Servers, for whoever needs one."""

from pathlib import Path

import pytest

from tests.serving import RunningServer

SHIPPED = Path(__file__).parents[1] / "data" / "corpora"


def pytest_addoption(parser):
    parser.addoption(
        "--kills",
        type=int,
        default=6,
        help="how often tests/crash/test_random.py kills processes at a random moment",
    )


@pytest.fixture(scope="session")
def shipped_dir():
    """The folder of the shipped texts."""
    return SHIPPED


@pytest.fixture(scope="session")
def saltmere():
    """The text of the shipped novel."""
    return (SHIPPED / "the-lamps-of-saltmere.txt").read_bytes().decode("utf-8")


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
