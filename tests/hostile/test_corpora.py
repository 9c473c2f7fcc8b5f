"""Uploads of arbitrary bytes, malformed forms and hostile file names."""

import gzip
import io
import zipfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from server.corpora.library import CorpusLibrary, CorpusTooShortError, NotTextError
from server.installation import CORPORA
from tests.hostile import raw
from tests.serving import PAGES

MARKUP = "<script>alert(1)</script> <img src=x onerror=alert(1)> \u202e \u0000 ]]> <!-- "


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "a" * 10_000_000)
    return file.getvalue()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return CorpusLibrary(CORPORA, tmp_path_factory.mktemp("library"))


@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=150,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.binary(min_size=200, max_size=2_000)
    | st.text(min_size=200, max_size=1_000).map(lambda text: text.encode(errors="replace"))
    | st.text(min_size=200, max_size=500).map(lambda text: text.encode("utf-16", "replace"))
    | st.text("ab\n\r\t\x00\u2028é", min_size=200, max_size=500).map(str.encode),
    st.text(max_size=200) | st.none(),
)
@example(b"\x00" * 1_000, "\x00")
@example(b"\xff\xfe" * 500, "../../../etc/passwd")
@example(b"\r" * 1_000, "a\nb")
@example(b" " * 1_000, " ")
@example(gzip.compress(b"a" * 10**6), "a.gz")
@example(zipped(), "a.zip")
@example(MARKUP.encode() * 20, MARKUP)
def test_no_uploaded_bytes_cause_a_server_error(library, data, name):
    try:
        corpus = library.add(data, name)
    except (NotTextError, CorpusTooShortError):
        return
    text = library.text(corpus.id)
    assert len(text) == corpus.characters >= 200
    assert 1 <= corpus.distinct == len(set(text))
    assert "\r" not in text
    assert 1 <= len(corpus.name) <= 100
    assert corpus.name.isprintable() or "\u200c" in corpus.name or "\u200d" in corpus.name
    assert library.path(corpus.id).parent.parent.name == "corpora"
    library.remove(corpus.id)


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Type: multipart/form-data"], b"x"),
        (["Content-Type: multipart/form-data; boundary="], b"x"),
        (["Content-Type: multipart/form-data; boundary=b"], b""),
        (["Content-Type: multipart/form-data; boundary=b"], b"--b--\r\n"),
        (["Content-Type: multipart/form-data; boundary=b"], b"--b\r\n\r\nx\r\n--b--\r\n"),
        (["Content-Type: multipart/form-data; boundary=b"], b"--c\r\n\r\nx\r\n--c--\r\n"),
        (["Content-Type: multipart/form-data; boundary=b"], b"--b\r\nX: " + b"x" * 100_000),
        (["Content-Type: multipart/form-data; boundary=" + "b" * 10_000], b"x"),
        (
            ["Content-Type: multipart/form-data; boundary=b"],
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nno file\r\n--b--\r\n',
        ),
        (
            ["Content-Type: multipart/form-data; boundary=b"],
            b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n' * 5_000 + b"--b--\r\n",
        ),
        (
            ["Content-Type: multipart/form-data; boundary=b"],
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff\x00"\r\n\r\nx\r\n',
        ),
    ],
)
def test_malformed_forms_are_refused(server, lines, body):
    before = server.client.get("/api/corpora").json()
    start = raw.head(server, "POST /api/corpora HTTP/1.1", *lines, f"Content-Length: {len(body)}")
    status, headers, _ = raw.ask(server, start + body)
    assert status in {400, 415, 422}
    assert headers["content-type"] == "application/problem+json"
    assert server.client.get("/api/corpora").json() == before


def test_a_wrong_content_length_of_a_file_is_ignored(server):
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = part + PAGES.encode() + b"\r\n--b--\r\n"
    start = raw.head(
        server,
        "POST /api/corpora HTTP/1.1",
        *("Content-Type: multipart/form-data; boundary=b", "Content-Length: 300"),
    )
    status, _, _ = raw.ask(server, start + body)
    assert 400 <= status < 500
    assert len(server.client.get("/api/corpora").json()) == 1


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\windows\\x.txt", "\x00", MARKUP, "a" * 199, ".", "..", "/"]
)
def test_a_file_name_is_shown_and_never_used_as_a_path(server, name):
    directory = server.data_dir / "corpora"
    before = set(directory.iterdir())
    corpus = server.upload(PAGES, name)
    assert {path.name for path in set(directory.iterdir()) - before} == {corpus["id"]}
    assert "/" not in corpus["name"] or name == MARKUP
    assert server.client.delete(f"/api/corpora/{corpus['id']}").status_code == 204
    assert set(directory.iterdir()) == before
