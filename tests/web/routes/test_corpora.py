"""Corpora over HTTP: upload in any encoding, exact excerpts, refusals."""

import contextlib
import json
import socket
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from server.corpora.toy_texts import ToyText
from tests.serving import LIMIT_S, NOVEL, PAGES, RunningServer, until

LIMIT_BYTES = 50_000
SHIPPED = "the-lamps-of-saltmere"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    with RunningServer(data_dir, "--no-demo", HURRAH_MAX_UPLOAD_BYTES=str(LIMIT_BYTES)) as running:
        yield running


@pytest.fixture
def nothing_changes(server):
    before = server.client.get("/api/corpora").json()
    yield
    assert server.client.get("/api/corpora").json() == before


def send(server, data, **fields):
    return server.client.post("/api/corpora", files={"file": ("a.txt", data)}, data=fields)


def is_listed(server, corpus):
    """Whether the list has a corpus, as it was described when it was added."""
    listed = {name: value for name, value in corpus.items() if name != "headings"}
    return listed in server.client.get("/api/corpora").json()


def whole(server, corpus):
    parts, read = [], 0
    while read < corpus["characters"]:
        part = server.client.get(f"/api/corpora/{corpus['id']}/text", params={"from": read}).json()
        assert part["from"] == read
        assert part["to"] - part["from"] == len(part["text"]) <= 10_000
        parts.append(part["text"])
        read = part["to"]
    return "".join(parts)


def test_the_shipped_text_is_listed_and_described(server):
    listed = server.client.get("/api/corpora").json()
    corpus = next(corpus for corpus in listed if corpus["id"] == SHIPPED)
    assert corpus["shipped"] is True
    assert corpus["characters"] == len(NOVEL)
    assert corpus["distinct"] == len(set(NOVEL))
    assert isinstance(corpus["words"], int)
    assert corpus["licence"]
    assert isinstance(corpus["name"], str)
    entropy = corpus["entropy"]
    assert set(entropy) == {"uniform", "unigram", "bigram"}
    assert entropy["uniform"] > entropy["unigram"] > entropy["bigram"] > 0
    assert whole(server, corpus) == NOVEL


@pytest.mark.parametrize(
    ("text", "encoding", "before"),
    [
        (PAGES, "utf-8", b""),
        (PAGES, "utf-8-sig", b""),
        (PAGES + "Ünïcödé, “quoted” — and 𝔟𝔢𝔶𝔬𝔫𝔡.", "utf-16", b""),
        (PAGES + "Ünïcödé — 𝔟𝔢𝔶𝔬𝔫𝔡.", "utf-16-le", b"\xff\xfe"),
        (PAGES + "Ünïcödé — 𝔟𝔢𝔶𝔬𝔫𝔡.", "utf-16-be", b"\xfe\xff"),
        ("Les élèves étaient déjà là, près du château où naît l'été. " * 20, "latin-1", b""),
        ("A wave 🌊, a family 👨‍👩‍👧, a flag 🇳🇴 and a face 😀. " * 20, "utf-8", b""),
        (unicodedata.normalize("NFD", "Càfé, naïve, Ångström, ệ. ") * 20, "utf-8", b""),
        ("Шла Саша по шоссе и сосала сушку. " * 20, "utf-8", b""),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "emoji", "nfd", "cyrillic"],
)
def test_a_text_in_any_encoding_is_read_back_exactly(server, text, encoding, before):
    answer = send(server, before + text.encode(encoding), name="Mine")
    assert answer.status_code == 201, answer.text
    corpus = answer.json()
    assert corpus["name"] == "Mine"
    assert corpus["shipped"] is False
    assert corpus["characters"] == len(text)
    assert corpus["distinct"] == len(set(text))
    assert whole(server, corpus) == text
    assert is_listed(server, corpus)


def test_the_list_has_no_headings(server):
    """There may be hundreds of texts with hundreds of headings, and every page lists them all."""
    chapters = "".join(f"CHAPTER {number}\n\nThe lamp went out.\n\n" for number in range(1, 201))
    corpus = server.upload("\n\n" + chapters)
    assert len(corpus["headings"]) == 200
    assert is_listed(server, corpus)
    listed = server.client.get("/api/corpora")
    assert len(listed.content) < 5_000 * len(listed.json())
    address = f"/api/corpora/{corpus['id']}"
    assert server.client.get(address).json() == corpus
    server.client.delete(address)
    server.problem(server.client.get(address), 404)


def test_line_ends_are_normalized(server):
    corpus = server.upload(PAGES.replace("\n", "\r\n"))
    assert whole(server, corpus) == PAGES
    assert "\r" not in whole(server, server.upload("one\rtwo\r\nthree\n" * 50))


def test_the_default_name_is_the_file_name(server):
    answer = server.client.post("/api/corpora", files={"file": ("My Book.txt", PAGES.encode())})
    assert answer.json()["name"] == "My Book"


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 10,
        b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" * 60,
        b"PK\x03\x04" + b"\x00\xff\xfe\x01" * 200,
        b"\x00" * 1_000,
    ],
    ids=["all-bytes", "picture", "archive", "zeros"],
)
def test_a_file_that_is_not_text_is_refused(server, data):
    server.problem(send(server, data), 415)


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize("data", [b"", b"short", ("é" * 199).encode()])
def test_a_text_that_is_too_short_is_refused(server, data):
    server.problem(send(server, data), 422)


def test_two_hundred_characters_are_enough(server):
    assert server.upload("é" * 100 + "a" * 100)["characters"] == 200


@pytest.mark.usefixtures("nothing_changes")
def test_a_text_that_is_too_large_is_refused_with_the_limit(server):
    just = ("word " * LIMIT_BYTES)[: LIMIT_BYTES + 1].encode()
    assert f"{LIMIT_BYTES:,}" in server.problem(send(server, just), 413)["detail"]
    server.problem(send(server, just * 8), 413)
    server.problem(send(server, just * 40), 413)


def test_a_text_of_the_greatest_size_is_accepted(server):
    assert server.upload(("word " * LIMIT_BYTES)[:LIMIT_BYTES])["characters"] == LIMIT_BYTES


@pytest.mark.usefixtures("nothing_changes")
def test_a_body_of_unknown_length_is_limited(server):
    def body():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        for _ in range(30):
            yield b"word " * 1_000
        yield b"\r\n--b--\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    server.problem(server.client.post("/api/corpora", content=body(), headers=kind), 413)


@pytest.mark.usefixtures("nothing_changes")
def test_a_body_without_a_file_is_refused(server):
    fields = server.problem(server.client.post("/api/corpora", files={"other": b"x"}), 422)
    assert [error["field"] for error in fields["errors"]] == ["file"]
    kind = {"Content-Type": "multipart/form-data"}
    server.problem(server.client.post("/api/corpora", content=b"x", headers=kind), 400)
    server.problem(server.client.post("/api/corpora", json={"file": "x"}), 415)
    server.problem(server.client.post("/api/corpora"), 422)


def test_excerpts_of_a_text(server):
    corpus = server.upload(PAGES * 3)
    address = f"/api/corpora/{corpus['id']}/text"

    def part(**query):
        answer = server.client.get(address, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    text = PAGES * 3
    assert part(**{"from": 10, "to": 25}) == {"from": 10, "to": 25, "text": text[10:25]}
    assert part(**{"from": 10, "to": 10}) == {"from": 10, "to": 10, "text": ""}
    assert part() == {"from": 0, "to": 10_000, "text": text[:10_000]}
    assert part(to=12_000) == {"from": 0, "to": 10_000, "text": text[:10_000]}
    assert part(**{"from": 11_990, "to": 20_000})["text"] == text[11_990:]
    assert part(**{"from": 50_000})["text"] == ""
    for query, field in [
        ({"from": 5, "to": 4}, "to"),
        ({"from": -1}, "from"),
        ({"to": "x"}, "to"),
    ]:
        wrong = server.problem(server.client.get(address, params=query), 422)
        assert [error["field"] for error in wrong["errors"]] == [field]
    server.problem(server.client.get("/api/corpora/000000000000/text"), 404)
    server.problem(server.client.get("/api/corpora/..%2f..%2fhurrah.db/text"), 404)


def test_deleting_a_text(server):
    corpus = server.upload(PAGES)
    address = f"/api/corpora/{corpus['id']}"
    run = server.create(corpus=corpus["id"], hidden_size=5, paused=True)
    server.problem(server.client.delete(address), 409)
    assert server.client.delete(f"/api/runs/{run['id']}").status_code == 204
    answer = server.client.delete(address)
    assert answer.status_code == 204
    assert answer.content == b""
    server.problem(server.client.delete(address), 404)
    assert not is_listed(server, corpus)
    assert not (server.data_dir / "corpora" / corpus["id"]).exists()
    server.problem(server.client.delete(f"/api/corpora/{SHIPPED}"), 409)
    assert whole(server, {"id": SHIPPED, "characters": len(NOVEL)}) == NOVEL


def test_texts_remain_after_a_restart(serve):
    first = serve("--no-demo")
    corpus = first.upload("Ein Märchen für später. " * 20, name="Märchen")
    assert first.terminate() == 0
    second = serve("--no-demo")
    assert is_listed(second, corpus)
    assert whole(second, corpus) == "Ein Märchen für später. " * 20


def test_an_upload_that_breaks_off_leaves_nothing(server):
    before = server.client.get("/api/corpora").json()

    def body():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        yield b"word " * 1_000
        raise ConnectionError

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    with (
        httpx.Client(base_url=server.url, timeout=LIMIT_S) as client,
        pytest.raises(ConnectionError),
    ):
        client.post("/api/corpora", content=body(), headers=kind)
    assert server.client.get("/api/corpora").json() == before


def test_a_text_is_not_deleted_while_a_run_of_it_is_created(server):
    for _ in range(10):
        corpus = server.upload(PAGES)["id"]
        with ThreadPoolExecutor(2) as both:
            made = both.submit(
                httpx.post,
                f"{server.url}/api/runs",
                json={"corpus": corpus, "paused": True, "hidden_size": 2, "sample_length": 5},
                timeout=LIMIT_S,
            )
            gone = both.submit(httpx.delete, f"{server.url}/api/corpora/{corpus}", timeout=LIMIT_S)
        assert (made.result().status_code, gone.result().status_code) in {
            *((201, 409), (422, 204)),
        }
        left = {each["id"] for each in server.client.get("/api/corpora").json()}
        assert {run["corpus"] for run in server.client.get("/api/runs").json()} <= left
        server.delete_runs()


UNCERTAIN = ("Plain words. " * 40).encode() + "\nQdi \u00f3 sji.\n".encode("cp1250")


def test_an_uncertain_encoding_is_asked_and_can_be_chosen(server):
    added = send(server, UNCERTAIN).json()
    readings = added["readings"]
    assert 2 <= len(readings) <= 3
    assert readings[0]["encoding"] == added["encoding"]
    assert readings[0]["excerpt"] in whole(server, added)
    other = send(server, UNCERTAIN, encoding=readings[1]["encoding"]).json()
    assert other["encoding"] == readings[1]["encoding"]
    assert readings[1]["excerpt"] in whole(server, other)
    assert other["readings"] == []
    listed = {corpus["id"]: corpus for corpus in server.client.get("/api/corpora").json()}
    assert listed[added["id"]] | {"headings": []} == added | {"readings": []}


@pytest.mark.usefixtures("nothing_changes")
def test_a_text_that_is_not_in_the_chosen_encoding_is_refused(server):
    answer = send(server, "It’s a café.\n".encode() * 30, encoding="ascii")
    assert answer.status_code == 415
    assert (
        answer.json()["detail"] == "The file is not plain text in ascii, but may be text in utf-8."
    )


@pytest.mark.parametrize("encoding", ["klingon", "zip", "x" * 41])
def test_an_unknown_encoding_is_refused(server, encoding):
    answer = send(server, PAGES.encode(), encoding=encoding)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["encoding"]


START, END = (f"*** {side} OF THE PROJECT GUTENBERG EBOOK MINE ***" for side in ("START", "END"))


@pytest.mark.parametrize("fields", [{}, {"leave_out_licence": "false"}])
def test_the_licence_of_project_gutenberg_is_reported(server, fields):
    text = f"{START}\n{PAGES}\n{END}\n"
    added = send(server, text.encode(), **fields).json()
    lines = PAGES.strip().splitlines()
    assert added["gutenberg_licence"] == {
        "start": len(START) + 1,
        "end": len(END) + 1,
        "first_line": lines[0][:120],
        "last_line": lines[-1][-120:],
        "left_out": False,
    }
    assert whole(server, added) == text
    assert added["repairs"] == []


def test_the_licence_of_project_gutenberg_is_left_out_on_request(server):
    data = f"{START}\n{PAGES}\n{END}\n".encode()
    added = send(server, data, leave_out_licence="true").json()
    assert added["gutenberg_licence"]["left_out"] is True
    assert whole(server, added) == PAGES + "\n"
    assert ["Project Gutenberg" in repair for repair in added["repairs"]] == [True]
    restored = send(server, data, leave_out_licence="false").json()
    assert restored["id"] != added["id"]
    assert whole(server, restored) == data.decode()
    assert is_listed(server, added | {"gutenberg_licence": None})


def test_a_text_without_a_licence_is_not_shortened(server):
    added = send(server, PAGES.encode(), leave_out_licence="true").json()
    assert added["gutenberg_licence"] is None
    assert whole(server, added) == PAGES


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize("value", ["maybe", "2", "[]"])
def test_a_bad_choice_about_the_licence_is_refused(server, value):
    wrong = server.problem(send(server, PAGES.encode(), leave_out_licence=value), 422)
    assert [error["field"] for error in wrong["errors"]] == ["leave_out_licence"]


def post_form(server, *parts):
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    return server.client.post("/api/corpora", content=body, headers=headers)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("filename*=UTF-8''%C3%89t%C3%A9.txt", "Été"),
        ("filename*=iso-8859-1'fr'%C9t%E9.txt", "Été"),
        ("filename=\"x.txt\"; filename*=UTF-8''Na%20%22%C3%AFve%22.txt", "Na 'ïve'"),
        ("filename*=klingon''x.txt", "x"),
        ('filename*=x.txt; filename="y.txt"', "y"),
        ("filename*=UTF-8''; filename=\"y.txt\"", "y"),
        ("filename*=UTF-8''%FF%FE.txt; filename=\"y.txt\"", "y"),
        ("filename=\"y.txt\"; filename*=klingon''x.txt", "y"),
    ],
)
def test_an_encoded_file_name_is_read(server, parameters, name):
    head = f"Content-Disposition: form-data; name=file; {parameters}\r\n\r\n"
    answer = post_form(server, head.encode() + PAGES.encode())
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == name
    assert answer.json()["characters"] == len(PAGES)


@pytest.mark.usefixtures("nothing_changes")
def test_two_files_at_once_are_refused(server):
    part = b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + PAGES.encode()
    answer = post_form(server, part, part)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "file must be one file, not 2: add them one after the other."


def test_uploads_wait_in_the_data_directory(tmp_path):
    """The temporary directory may be small, or on a read-only file system."""
    with RunningServer(tmp_path / "data", "--no-demo") as server:
        body = b"".join(
            [
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n',
                b"Content-Type: text/plain\r\n\r\n",
                b"a line of a large text\n" * 100_000,
                b"\r\n--x--\r\n",
            ]
        )
        head = (
            f"POST /api/corpora HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
            client.sendall(head.encode() + body[:-100])
            descriptors = Path(f"/proc/{server.process.pid}/fd")

            def spooled():
                names = []
                for each in descriptors.iterdir():
                    with contextlib.suppress(FileNotFoundError):
                        names.append(str(each.readlink()))
                return [
                    name
                    for name in names
                    if name.startswith(f"{tmp_path}/data/") and name.endswith("(deleted)")
                ]

            until(spooled)
            client.sendall(body[-100:])
            assert client.recv(100).startswith(b"HTTP/1.1 201")


def test_an_upload_without_room_gets_507(tmp_path):
    limits = {"RLIMIT_FSIZE": 1_500_000}
    with RunningServer(tmp_path / "data", "--no-demo", limits=limits) as server:
        before = server.client.get("/api/corpora").json()
        upload = {"file": ("a.txt", b"a line of a large text\n" * 200_000)}
        answer = server.client.post("/api/corpora", files=upload)
        assert "no space left" in server.problem(answer, 507)["detail"]
        assert server.client.get("/api/corpora").json() == before
        small = {"file": ("a.txt", b"a line of a small text\n" * 60_000)}
        assert server.client.post("/api/corpora", files=small).status_code == 201


def generate(server, **fields):
    return server.client.post("/api/corpora/generated", json=fields)


def test_a_toy_text_is_generated_and_is_then_like_any_other(server):
    fields = {"task": "repeat", "delay": 4, "alphabet": "аб😀", "characters": 9_000, "seed": 2}
    answer = generate(server, **fields)
    assert answer.status_code == 201
    corpus = answer.json()
    assert corpus["name"] == "Repeat after 4 characters"
    assert (corpus["shipped"], corpus["encoding"], corpus["readings"]) == (False, "utf-8", [])
    assert is_listed(server, corpus)
    assert whole(server, corpus) == ToyText(**fields).text()
    assert server.client.delete(f"/api/corpora/{corpus['id']}").status_code == 204


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("task", {}),
        ("task", {"task": "sort"}),
        ("task", {"task": None}),
        ("depth", {"task": "brackets", "depth": 0}),
        ("depth", {"task": "repeat", "depth": 2}),
        ("delay", {"task": "repeat", "delay": 10**40}),
        ("delay", {"task": "repeat", "delay": "4"}),
        ("alphabet", {"task": "copy", "alphabet": "a\ud800"}),
        ("alphabet", {"task": "copy", "alphabet": "ab" * 10**5}),
        ("alphabet", {"task": "copy", "alphabet": "a\u202e"}),
        ("characters", {"task": "copy", "characters": 10**9}),
        ("characters", {"task": "copy", "characters": 300}),
        ("characters", {"task": "copy", "characters": LIMIT_BYTES + 100}),
        ("kinds", {"task": "copy", "kinds": 4}),
    ],
)
def test_a_wrong_description_of_a_toy_text_is_refused(server, nothing_changes, field, fields):
    body = json.dumps(fields)
    headers = {"Content-Type": "application/json"}
    answer = server.client.post("/api/corpora/generated", content=body, headers=headers)
    problem = server.problem(answer, 422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["detail"].startswith(field)
