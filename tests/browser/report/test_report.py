"""A report is saved from the dialog, works offline in both themes, and prints on A4."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Window, eventually
from tests.browser.server_process import TIMEOUT_S, Server

MARKUP = "<img src=http://127.0.0.1:1/x onerror=alert(1)></script><script>alert(2)</script>"
A4_POINTS = (595, 842)
# 210 mm less the margins of the sheet, in CSS pixels.
PAPER_WIDTH = round(170 / 25.4 * 96)

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(event.violatedDirective + " " + event.blockedURI);
});
"""
WIDER = """(width) => [...document.querySelectorAll("main *")]
  .filter((each) => each.checkVisibility() && !each.closest("svg, thead"))
  .filter((each) => each.getBoundingClientRect().right > width + 1)
  .map((each) => each.className || each.tagName)"""


@pytest.fixture
def run(server: Server) -> str:
    """A run whose name and text are markup, with more than two epochs."""
    corpus = httpx.post(
        f"{server.url}api/corpora",
        files={"file": ("a.txt", (f"{MARKUP} Orla said: שלום\n" * 40).encode())},
        timeout=TIMEOUT_S,
    ).json()
    run = server.create_run(corpus=corpus["id"], name=MARKUP, hidden_size=10, max_updates=600)
    eventually(
        lambda: server.call("GET", f"runs/{run}")["state"], "finished".__eq__, "the end of the run"
    )
    return run


def test_a_report_is_saved_and_works_offline(
    server: Server, lasting_window: Window, run: str, browser: Browser, tmp_path: Path
) -> None:
    page = lasting_window.open(server, run)
    saved = tmp_path / "report.html"
    save_from_dialog(page, saved)
    stored = server.call("GET", f"runs/{run}/report/remarks")
    assert (stored["title"], stored["author"]) == (f"On {MARKUP}", "Ada")
    assert stored["loss"] == "It falls."
    assert stored["translation"] == "Es war einmal"
    assert stored["translated_update"] == server.call("GET", f"runs/{run}")["best"]["update"]
    # The typed texts are still there, and the parts with a text are open.
    page.reload()
    page.locator("#report-open").click()
    expect(page.locator("#report-loss")).to_have_value("It falls.")
    expect(page.locator("#report-field-translation")).to_have_value("Es war einmal")

    check_offline(browser, saved)


def check_offline(browser: Browser, saved: Path) -> None:
    """Open a saved report, and check that it requests nothing, in both themes and on paper."""
    context = browser.new_context(color_scheme="light")
    requests: list[str] = []
    errors: list[str] = []

    def allow_only_the_file(route: Route) -> None:
        requests.append(route.request.url)
        if route.request.url == saved.as_uri():
            route.continue_()
        else:
            route.abort()

    context.route("**/*", allow_only_the_file)
    page = context.new_page()
    page.add_init_script(WATCH)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: pytest.fail(f"the report asked: {dialog.message}"))
    page.goto(saved.as_uri())
    expect(page.locator("#chart .main-svg").first).to_be_visible()
    expect(page.locator("h1")).to_have_text(f"On {MARKUP}")
    expect(page.locator("body")).to_contain_text("Es war einmal")
    light = background(page)
    check_paper(page)
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    assert dark != light
    page.locator("#theme").click()
    assert background(page) == light
    page.locator("#theme").click()
    assert background(page) == dark
    assert requests == [saved.as_uri()]
    assert errors == []
    assert page.evaluate("window.violations") == []
    assert page.locator("img, script[src], link").count() == 0
    context.close()


def save_from_dialog(page: Page, target: Path) -> None:
    page.locator("#report-open").click()
    expect(page.locator("#report-field-title")).to_have_attribute("placeholder", MARKUP)
    page.locator("#report-field-title").fill(f"On {MARKUP}")
    page.locator("#report-author").fill("Ada")
    page.locator("#report-remarks summary").click()
    page.locator("#report-loss").fill("It falls.")
    page.locator("#report-translation-part summary").click()
    page.locator("#report-write").click()
    expect(page.locator("#report-copy")).to_be_visible()
    expect(page.locator("#report-source")).to_contain_text("by the model of update")
    page.locator("#report-field-translation").fill("Es war einmal")
    with page.expect_download() as download:
        page.locator("#report-html").click()
    assert re.fullmatch(r"hurrah-\w+-report\.html", download.value.suggested_filename)
    download.value.save_as(target)
    expect(page.locator("#report-dialog")).to_be_hidden()


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def check_paper(page: Page) -> None:
    """Check that the report fits on A4, with the drawing in place of the interactive chart."""
    before = page.viewport_size
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER_WIDTH, "height": 900})
    assert page.evaluate(WIDER, PAPER_WIDTH) == []
    expect(page.locator("#chart")).to_be_hidden()
    expect(page.locator("#drawing svg")).to_be_visible()
    page.emulate_media(media="screen")
    assert before is not None
    page.set_viewport_size(before)
    sizes = page_sizes(page.pdf(prefer_css_page_size=True))
    assert set(sizes) == {A4_POINTS}
    assert 3 <= len(sizes) <= 10


def page_sizes(pdf: bytes) -> list[tuple[int, int]]:
    """The size of each page in points; pages may be described in compressed objects."""
    parts = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            parts.append(zlib.decompress(stream))
        except zlib.error:
            continue
    boxes = re.findall(rb"/MediaBox \[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", b"".join(parts))
    return [(round(float(width)), round(float(height))) for width, height in boxes]
