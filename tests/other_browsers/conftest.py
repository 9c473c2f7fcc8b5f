"""Fixtures: Firefox and WebKit, and a real server with real workers."""

import contextlib

import pytest

from scripts import other_browsers
from tests.browser.server_process import Server
from tests.other_browsers.firefox import Firefox
from tests.other_browsers.webkit import WebKit
from tests.other_browsers.window import Window


def pytest_itemcollected(item):
    item.add_marker("other_browser")
    # Without a graphics card WebKit paints with the processor.
    item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session", params=["firefox", "webkit"])
def browser(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    if request.param == "firefox":
        started = Firefox(other_browsers.find("firefox"), directory)
    else:
        display = other_browsers.find("xvfb")
        started = WebKit(other_browsers.find("webkit"), display, directory)
    yield started
    started.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server without runs, shared by the tests."""
    shared = Server(tmp_path_factory.mktemp("shared") / "data")
    shared.start()
    yield shared
    shared.close()


@pytest.fixture(autouse=True)
def _no_runs_left(request):
    yield
    if "server" in request.fixturenames:
        shared = request.getfixturevalue("server")
        for run in shared.call("GET", "runs"):
            if run["id"] not in shared.kept_runs:
                shared.call("DELETE", f"runs/{run['id']}")


@pytest.fixture
def own_server(tmp_path):
    """A server for one test, not started yet."""
    own = Server(tmp_path / "data")
    yield own
    own.close()


@pytest.fixture
def open_window(browser):
    """Return a function that opens windows."""
    with contextlib.ExitStack() as opened:

        def open_one():
            window = Window(browser)
            opened.callback(window.close)
            return window

        yield open_one


@pytest.fixture
def window(open_window):
    """A window."""
    return open_window()
