"""Static files: content, compression and caching."""

import gzip
import re

import pytest

from tests.serving import ROOT

STATIC = ROOT / "static"


def addresses(server, page):
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', server.client.get(page).text)


@pytest.mark.parametrize("page", ["/", "/passages", "/compare", "/gradients"])
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
            # A page preloads the modules that its modules import.
            imported = re.findall(
                r'^import .*?"(\.[^"]+)";|^\} from "(\.[^"]+)";', answer.text, re.MULTILINE
            )
            for one, other in imported:
                target = (STATIC / path).parent / (one or other)
                whole = f"{address[:20]}/{target.resolve().relative_to(STATIC)}"
                assert whole in named


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
