"""The data directory that is survived by, and how often it must be."""

import pytest

from tests.crash.survivor import Survivor


@pytest.fixture(scope="module")
def survivor(tmp_path_factory):
    """Some runs in training, and the server that has them just now."""
    survivor = Survivor(tmp_path_factory.mktemp("data") / "data")
    yield survivor
    survivor.server.__exit__()


def pytest_generate_tests(metafunc):
    if "kill" in metafunc.fixturenames:
        metafunc.parametrize("kill", range(metafunc.config.getoption("kills")))
