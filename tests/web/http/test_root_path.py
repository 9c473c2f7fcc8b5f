"""Everything is served under a path prefix, whether the proxy removes the prefix or not."""

import asyncio
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from pydantic import ValidationError
from starlette.responses import HTMLResponse

from server.settings import Settings
from server.web.app import create_app

PREFIX = "/user/a%40b/proxy"
TOKEN = "sesame"
STATIC = Path(__file__).parents[3] / "static"
ADDRESS_ATTRIBUTES = {"href", "src", "action", "formaction", "data-plotly", "data-root", "poster"}
# A literal that is an address on the server: "/", "/wall", `/?run=...`.
LITERAL = re.compile(r"""(?<!rooted\()(?:(?<=[\s(:?=])["'`]/(?:["'`?]|[a-z])|a\[href=.?["']/)""")
# Modules whose addresses are rooted where they are requested.
ROOTED_LATER = {"net/api.js"}


class Addresses(HTMLParser):
    """The addresses in a page."""

    def __init__(self, page):
        super().__init__()
        self.found = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ADDRESS_ATTRIBUTES and value and not value.startswith("#"):
                self.found.add(value)


def app_of(path, **settings):
    return create_app(Settings(data_dir=path, root_path=PREFIX, **settings))


def get_all(app, paths, **options):
    async def get():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.get(path, **options) for path in paths]

    return asyncio.run(get())


def pages_of(routes):
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from pages_of(router.routes)
        elif getattr(route, "response_class", None) is HTMLResponse and "{" not in route.path:
            yield route.path


def test_no_address_in_a_page_is_outside_the_prefix(tmp_path):
    app = app_of(tmp_path)
    pages = list(pages_of(app.routes))
    assert {"/", "/inside", "/course/mistakes"} <= set(pages)
    whole = get_all(app, [f"{PREFIX}{page}" for page in pages])
    stripped = get_all(app, pages)
    assert [page.text for page in whole] == [page.text for page in stripped]
    addresses = set().union(*(Addresses(page.text).found for page in whole))
    outside = {each for each in addresses if each != PREFIX and not each.startswith(f"{PREFIX}/")}
    assert outside == set()
    # The empty lists of saved passages need the services of a started server.
    targets = sorted(each for each in addresses if "/api/" not in each)
    answers = get_all(app, targets)
    assert {each: answer.status_code for each, answer in zip(targets, answers, strict=True)} == (
        dict.fromkeys(targets, 200)
    )
    styles = [answer for answer in answers if answer.headers["content-type"].startswith("text/css")]
    named = {
        urljoin(str(style.url.raw_path, "ascii"), address.strip("\"'"))
        for style in styles
        for address in re.findall(r"url\(([^)]+)\)", style.text)
        if not address.strip("\"'").startswith(("data:", "#"))
    }
    assert any(each.endswith(".woff2") for each in named)
    assert all(each.startswith(f"{PREFIX}/static/") for each in named)
    assert {answer.status_code for answer in get_all(app, named)} == {200}


def test_scripts_root_their_addresses():
    unrooted = [
        f"{script.relative_to(STATIC)}: {line.strip()}"
        for script in (STATIC / "js").rglob("*.js")
        if script.relative_to(STATIC / "js").as_posix() not in ROOTED_LATER
        for line in script.read_text(encoding="utf-8").splitlines()
        if LITERAL.search(line)
        and ".replaceAll(" not in line  # of base64, whose digits include a slash
        and not line.lstrip().startswith(("//", "*", "/*"))
    ]
    assert unrooted == [], "use rooted() of lib/dom.js"


def test_the_token_becomes_a_cookie_of_the_prefix(tmp_path):
    app = app_of(tmp_path, operator_token=TOKEN)
    for path in (f"{PREFIX}/wall", "/wall"):
        (answer,) = get_all(app, [path], params={"token": TOKEN, "size": "large"})
        assert answer.status_code == 303
        assert answer.headers["location"] == f"{PREFIX}/wall?size=large"
        assert f"; Path={PREFIX};" in answer.headers["set-cookie"]


def test_redirects_stay_under_the_prefix(tmp_path):
    app = app_of(tmp_path)
    for path in (f"{PREFIX}/wall/", "/wall/"):
        (answer,) = get_all(app, [path])
        assert urlsplit(answer.headers["location"]).path == f"{PREFIX}/wall"
    without_slash, longer = get_all(app, [PREFIX, f"{PREFIX}x"])
    assert without_slash.status_code == 200
    assert longer.status_code == 404


def test_the_description_of_the_interface_names_the_prefix(tmp_path):
    (answer,) = get_all(app_of(tmp_path), [f"{PREFIX}/openapi.json"])
    assert json.loads(answer.content)["servers"] == [{"url": PREFIX}]


@pytest.mark.parametrize(
    ("given", "prefix"), [("/lab/net", "/lab/net"), ("lab/", "/lab"), ("/", ""), ("", "")]
)
def test_a_prefix_may_be_written_with_or_without_outer_slashes(given, prefix):
    assert Settings(root_path=given).root_path == prefix


@pytest.mark.parametrize(
    "given", ["/a b", "/a?b", "/a/../b", "/a//b", '/"', "https://a.example/b", "/a;b"]
)
def test_other_prefixes_are_refused(given):
    with pytest.raises(ValidationError, match="must be a path such as"):
        Settings(root_path=given)
