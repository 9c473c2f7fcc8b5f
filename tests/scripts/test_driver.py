import os
from pathlib import Path

import pytest

from scripts import driver

pytestmark = pytest.mark.process


def test_the_driver_starts_on_this_machine() -> None:
    assert driver.starts(os.environ | driver.environment())


def test_a_driver_that_lacks_a_library_does_not_start(tmp_path: Path) -> None:
    broken = tmp_path / "node"
    broken.write_text("#!/bin/sh\necho 'libatomic.so.1: cannot open' >&2\nexit 127\n")
    broken.chmod(0o755)
    assert not driver.starts(os.environ | {driver.NODE: str(broken)})
