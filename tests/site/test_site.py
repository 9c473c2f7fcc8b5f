"""The documentation's site, as `make docs` builds it, works from a disk and asks no other host."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

pytestmark = [pytest.mark.site, pytest.mark.process]

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site"
DOCS = ROOT / "docs"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}


class Parts(HTMLParser):
    """The links of a page, the files that it loads, and its anchors."""

    def __init__(self, page):
        super().__init__()
        self.links = []
        self.files = []
        self.anchors = {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors.update(value for name, value in attrs if name in {"id", "name"} and value)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") != "canonical":
            self.files.append(given["href"])
        elif given.get("src"):
            self.files.append(given["src"])


@pytest.fixture(scope="module")
def pages():
    found = {page: Parts(page) for page in SITE.rglob("*.html") if page.name != "404.html"}
    assert len(found) > 60
    return found


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["HURRAH_BROWSER"], args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def test_every_page_of_docs_is_on_it(pages):
    built = {page.relative_to(SITE).as_posix() for page in pages}
    expected = {
        re.sub(r"README$", "index", path.relative_to(DOCS).with_suffix("").as_posix()) + ".html"
        for path in DOCS.rglob("*.md")
        if "theme" not in path.parts
    }
    assert expected | {"contributing.html", "changelog.html"} <= built
    assert "source/server/rnn/reference/vanilla.py.html" in built


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path):
    for entry in ROOT.iterdir():
        if entry.name not in {".git", "docs", "site"}:
            (tmp_path / entry.name).symlink_to(entry)
    shutil.copytree(DOCS, tmp_path / "docs")
    with (tmp_path / "docs" / "wall.md").open("a", encoding="utf-8") as page:
        page.write("[nowhere](nowhere.md) [no title](course.md#no-title)\n")
    built = subprocess.run(
        ["make", "docs"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert built.returncode != 0
    assert "'nowhere.md'" in built.stderr
    assert "'#no-title'" in built.stderr


def test_every_link_leads_to_a_file_and_an_anchor(pages):
    broken = []
    for page, parts in pages.items():
        for link in parts.links:
            path, anchor = urldefrag(link)
            if re.match(r"https?://|mailto:", path):
                continue
            target = (page.parent / unquote(path)).resolve() if path else page
            if not target.is_file() or (target in pages and anchor not in pages[target].anchors):
                broken.append(f"{page.relative_to(SITE)}: {link}")
    assert broken == []


def test_every_file_that_a_page_loads_is_on_the_site(pages):
    missing = [
        f"{page.relative_to(SITE)}: {file}"
        for page, parts in pages.items()
        for file in parts.files
        if not (page.parent / unquote(file)).is_file()
    ]
    assert missing == []
    for sheet in (SITE / "theme" / "css").glob("*.css"):
        for file in re.findall(r'url\("([^"]+)"\)', sheet.read_text(encoding="utf-8")):
            assert (sheet.parent / file).is_file(), file


def test_the_search_works_from_a_disk_and_asks_no_other_host(chromium):
    page = chromium.new_page(viewport=DESKTOP)
    requested = []
    errors = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((SITE / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").fill("checkpoint")
    result = page.locator(".md-search-result__link").first
    expect(result).to_have_attribute("href", re.compile(r"h=checkpoint"))
    result.click()
    expect(page).to_have_url(re.compile(r"^file:.*\.html.*"))
    expect(page.locator("article mark").first).to_be_attached()
    assert [url for url in requested if not url.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []
    page.close()


def test_no_page_is_wider_than_a_phone(chromium):
    page = chromium.new_page(viewport=PHONE)
    too_wide = []
    for path in SITE.glob("*.html"):
        page.goto(path.as_uri(), wait_until="domcontentloaded")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            too_wide.append(str(path.relative_to(SITE)))
    assert too_wide == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_and_has_enough_contrast(chromium, scheme):
    page = chromium.new_page(viewport=DESKTOP, color_scheme=scheme)
    page.goto((SITE / "operations.html").as_uri())
    expected = {"light": "rgb(250, 247, 241)", "dark": "rgb(19, 21, 25)"}[scheme]
    expect(page.locator("body")).to_have_css("background-color", expected)
    page.evaluate(Axe().axe_script)
    result = page.evaluate(
        "axe.run({runOnly: {type: 'rule', values: ['color-contrast', 'image-alt', 'link-name']}})"
    )
    failures = [
        f"{violation['id']}: {node['html'][:100]}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
    assert failures == []
    page.close()
