"""Static files: content, compression and caching."""

import gzip
import re
import shutil

import pytest

from scripts.bundle import ENTRIES
from server.web.http.static_files import BUNDLES, StaticFiles
from tests.serving import ROOT

STATIC = ROOT / "static"
PAGES = {
    "/": "watch",
    "/inside": "inside",
    "/passages": "gallery",
    "/compare": "compare",
    "/sweeps": "sweeps",
    "/gradients": "gradients",
    "/course": "course",
    "/course/mistakes": "mistakes",
}


def addresses(server, page):
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', server.client.get(page).text)


@pytest.mark.parametrize("page", PAGES)
def test_all_files_that_a_page_names_exist(server, page):
    named = set(addresses(server, page))
    for address in named:
        answer = server.client.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        path = address.split("/", 3)[3]
        assert answer.content == (STATIC / path).read_bytes()
        if path.endswith(".js"):
            assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_few_files(server, page):
    # Each request costs a slow connection a round trip.
    files = [address.split("/", 3)[3] for address in addresses(server, page)]
    for kind in ("js", "css"):
        assert f"{BUNDLES}/{PAGES[page]}.{kind}" in files
    assert len(files) <= 5


@pytest.fixture
def edited(tmp_path):
    """A copy of the static files, to be edited."""
    shutil.copytree(STATIC, tmp_path / "static")
    return tmp_path / "static"


@pytest.mark.parametrize("page", PAGES.values())
def test_the_modules_are_served_from_the_moment_that_one_changes(edited, page):
    entry = f"js/{page}.js"
    assert StaticFiles(edited).module_paths(entry) == (f"{BUNDLES}/{page}.js",)
    module = edited / "js/lib/dom.js"
    module.write_text(module.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    paths = StaticFiles(edited).module_paths(entry)
    assert paths[0] == entry
    assert len(paths) > 5
    for path in paths:
        # A page preloads the modules that its modules import.
        text = (STATIC / path).read_text(encoding="utf-8")
        imported = re.findall(r'^import .*?"(\.[^"]+)";|^\} from "(\.[^"]+)";', text, re.MULTILINE)
        for one, other in imported:
            target = ((STATIC / path).parent / (one or other)).resolve()
            assert target.relative_to(STATIC).as_posix() in paths
    # The style sheets have not changed.
    assert StaticFiles(edited).style_paths(f"css/{page}.css") == (f"{BUNDLES}/{page}.css",)


@pytest.mark.parametrize("page", PAGES.values())
def test_the_style_sheets_are_served_in_order_from_the_moment_that_one_changes(edited, page):
    sheet = edited / "css/ui/print.css"
    sheet.write_text(sheet.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    paths = StaticFiles(edited).style_paths(f"css/{page}.css")
    lines = (STATIC / f"css/{page}.css").read_text(encoding="utf-8").splitlines()
    imports = [line for line in lines if line.startswith("@import")]
    assert [f'@import url("{path.removeprefix("css/")}");' for path in paths] == imports
    assert paths[:2] == ("css/fonts.css", "css/tokens.css")
    assert all((STATIC / path).is_file() for path in paths)


@pytest.mark.parametrize("left_out", [f"{BUNDLES}/sources.json", BUNDLES])
def test_pages_need_no_bundles(edited, left_out):
    path = edited / left_out
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    files = StaticFiles(edited)
    for entry in ENTRIES:
        paths = files.module_paths(entry) if entry.endswith(".js") else files.style_paths(entry)
        assert len(paths) > 1
        assert not any(path.startswith(BUNDLES) for path in paths)


def test_files_are_compressed_for_clients_that_accept_it(server):
    path = "/static/js/watch.js"
    plain = server.client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with server.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())) == plain.content


def test_only_the_current_version_is_immutable(server):
    for path in ("/static/js/watch.js", "/static/0123456789ab/js/watch.js"):
        answer = server.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-cache"
        tag = {"If-None-Match": f'"other", W/{answer.headers["etag"]}'}
        assert server.client.get(path, headers=tag).status_code == 304


def test_unknown_files_are_not_found(server):
    for path in ("/static/", "/static/js", "/static/js/../../pyproject.toml"):
        server.problem(server.client.get(path), 404)
    server.problem(server.client.post("/static/js/watch.js", json={}), 405)


def test_files_outside_of_static_are_not_served(server):
    for path in (
        "/static/../pyproject.toml",
        "/static/%2e%2e/pyproject.toml",
        "/static//etc/passwd",
    ):
        assert server.client.get(path).status_code in {400, 404}
