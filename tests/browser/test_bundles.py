"""Pages made of bundles, and of the modules and style sheets themselves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window
from tests.browser.server_process import ROOT, Server

OpenWindow = Callable[..., Window]


def files_of(page: Page) -> list[str]:
    """The paths of the static files that the page has loaded."""
    addresses: list[str] = page.evaluate(
        "performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)"
    )
    return [path.split("/", 3)[3] for path in addresses if path.startswith("/static/")]


def test_the_first_page_takes_few_requests(server: Server, open_window: OpenWindow) -> None:
    window = open_window(new_context=True)
    # A page that is open for longer asks again for the time and for the runs.
    requests: set[str] = set()
    window.page.on("request", lambda request: requests.add(request.url))
    page = window.open(server, server.create_run(max_updates=50, hidden_size=4))
    expect(page.locator("#notice")).to_contain_text("Finished")
    assert {"bundles/watch.js", "bundles/watch.css"} <= set(files_of(page))
    assert len(requests) < 20, requests


@pytest.fixture
def edited_server(tmp_path: Path) -> Iterator[Server]:
    """A server whose scripts and styles were edited after the bundles were made; not started."""
    root = tmp_path / "checkout"
    for directory in ("server", "static", "templates", "data/corpora"):
        shutil.copytree(ROOT / directory, root / directory)
    for name, addition in (
        ("js/lib/store.js", "\ndocument.documentElement.dataset.edited = 'yes';\n"),
        ("css/ui/print.css", "\n.top { outline: 3px dotted red; }\n"),
    ):
        file = root / "static" / name
        file.write_text(file.read_text(encoding="utf-8") + addition, encoding="utf-8")
    own = Server(tmp_path / "data")
    own.root = root
    yield own
    own.close()


def test_an_edit_is_in_the_page_without_a_build_step(
    edited_server: Server, open_window: OpenWindow
) -> None:
    edited_server.start()
    window = open_window(new_context=True)
    page = window.open(edited_server, edited_server.create_run(max_updates=50, hidden_size=4))
    expect(page.locator("#notice")).to_contain_text("Finished")
    expect(page.locator("html[data-edited='yes']")).to_be_attached()
    expect(page.locator(".top")).to_have_css("outline-style", "dotted")
    loaded = files_of(page)
    assert {"js/watch.js", "js/lib/store.js", "css/ui/print.css"} <= set(loaded)
    assert not [path for path in loaded if path.startswith("bundles/")]
    assert len(loaded) == len(set(loaded))
