"""The server that is killed, and how often."""

import pytest

from tests.crash.crash_harness import CrashHarness


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    """A data directory with some runs, and the current server on it."""
    harness = CrashHarness(tmp_path_factory.mktemp("data") / "data")
    yield harness
    harness.server.__exit__()


def pytest_generate_tests(metafunc):
    if "kill" in metafunc.fixturenames:
        metafunc.parametrize("kill", range(metafunc.config.getoption("kills")))
