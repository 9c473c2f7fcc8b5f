from pathlib import Path

import pytest

SHIPPED = Path(__file__).parents[2] / "data" / "corpora"


@pytest.fixture(scope="session")
def shipped_dir():
    """The folder of the shipped texts."""
    return SHIPPED


@pytest.fixture(scope="session")
def saltmere():
    """The text of the shipped novel."""
    return (SHIPPED / "the-lamps-of-saltmere.txt").read_bytes().decode("utf-8")
