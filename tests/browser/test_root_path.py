"""The main journey under a path prefix."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, press_in_toast
from tests.browser.server_process import Server

PREFIX = "/some/prefix"


def expect_to_be_installable(page: Page) -> None:
    """Check what the browser says of the manifest."""
    browser = page.context.new_cdp_session(page)
    manifest = browser.send("Page.getAppManifest")
    assert manifest["errors"] == []
    content = json.loads(manifest["data"])
    assert urlsplit(manifest["url"]).path == f"{PREFIX}/manifest.webmanifest"
    assert {content[name] for name in ("id", "scope", "start_url")} == {f"{PREFIX}/"}
    assert browser.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
    browser.detach()


def test_everything_is_under_the_prefix(own_server: Server, window: Window) -> None:
    own_server.environment["HURRAH_ROOT_PATH"] = PREFIX
    own_server.start()
    corpus = own_server.call("GET", "corpora")[0]["id"]
    spec = {"corpus": corpus, "hidden_size": 8, "pace": 2}
    run = own_server.create_run(name="The watched one", max_updates=None, **spec)
    own_server.create_run(name="A newer one", paused=True, **spec)
    page = window.page
    paths: list[str] = []
    page.on("request", lambda request: paths.append(urlsplit(request.url).path))
    page.on("websocket", lambda socket: paths.append(urlsplit(socket.url).path))

    page.goto(f"http://127.0.0.1:{own_server.port}{PREFIX}/?run={run}")
    expect(page.locator("#connection-word")).to_have_text("live")
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")
    expect_to_be_installable(page)
    page.locator("#pause").click()
    expect(page.locator("#run-state")).to_contain_text("paused")
    page.locator("#write").click()
    page.locator("#passage-save").click()
    press_in_toast(page, "Show")
    expect(page.locator("#gallery-txt")).to_have_attribute(
        "href", re.compile(f"^{PREFIX}/api/passages/file")
    )
    links = page.get_by_role("navigation", name="Views").get_by_role("link")
    views = links.all_inner_texts()
    assert {"Watch", "Wall", "Gradients"} < set(views)
    for view in [*views[1:], "Watch"]:
        links.filter(has_text=view).click()
        if view != "Watch":  # whose title names the run
            expect(page).to_have_title(re.compile(f"^{view} - "))
        expect(links.filter(has_text=view)).to_have_attribute("aria-current", "page")
        assert page.url.startswith(f"http://127.0.0.1:{own_server.port}{PREFIX}/")
    # The links lead back to the same run, although there is a newer one.
    expect(page.locator("#run-name")).to_have_text("The watched one")
    expect(page.locator("#connection-word")).to_have_text("live")
    assert f"{PREFIX}/ws/runs/{run}" in paths
    assert [path for path in paths if not path.startswith(f"{PREFIX}/")] == []
