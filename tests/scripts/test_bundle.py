"""The bundles of the page's modules and style sheets are up to date."""

import re
from pathlib import Path

import pytest

from scripts.bundle import ENTRIES, STATIC
from server.web.http.static_files import BUNDLES, StaticFiles

files = StaticFiles(STATIC)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_bundle_is_up_to_date(entry):
    served = files.module_paths(entry) if entry.endswith(".js") else files.style_paths(entry)
    assert served == (f"{BUNDLES}/{Path(entry).name}",), f"{entry} has changed: run make generate"


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_bundle_loads_nothing_but_files_that_exist(entry):
    bundle = STATIC / BUNDLES / Path(entry).name
    text = bundle.read_text(encoding="utf-8")
    assert not re.search(r"(?:^|[;}])import\b|@import\b", text)
    for target in re.findall(r"url\(\"?(?!data:)([^)\"]+)", text):
        assert (bundle.parent / target).is_file(), target
