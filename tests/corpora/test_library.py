import functools
import hashlib
import json
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.corpora import library as library_module
from server.corpora.entropy import measure_entropy
from server.corpora.library import (
    MIN_CHARACTERS,
    Corpus,
    CorpusLibrary,
    CorpusTooShortError,
    NotTextError,
    ShippedCorpusError,
    UnknownCorpusError,
    UploadCancelledError,
    display_name,
)

SALTMERE = "the-lamps-of-saltmere"
TEXT = "Der Müller saß, und Hans fragte: „Wo ist der Müller?“ Dann ging Hans.\n" * 10


@pytest.fixture(scope="module", autouse=True)
def _described_once():
    """Describe the shipped novel once, and not for each library."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library_module, "describe", functools.cache(library_module.describe))
        yield


@pytest.fixture
def library(shipped_dir, tmp_path):
    return CorpusLibrary(shipped_dir, tmp_path)


def test_a_long_text_takes_little_more_memory_than_its_characters(library):
    # One character of four bytes makes all of them take four, as does one emoji in a novel.
    text = "\U0001f600" + ("abcd" * 30 + "\r\n") * 40_000
    data = text.encode()
    tracemalloc.start()
    try:
        corpus = library.add(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert corpus.repairs == ("40,000 line ends normalised",)
    # Two copies of the characters, and the parts in which they are counted.
    limit = 2 * 4 * len(text) + 40_000_000
    assert peak < limit


def test_the_shipped_texts_match_their_checksums(shipped_dir):
    listed = {}
    for line in (shipped_dir / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        listed[name] = digest
    described = json.loads((shipped_dir / "corpora.json").read_bytes())
    assert {entry["file"] for entry in described} == set(listed)
    for name, digest in listed.items():
        data = (shipped_dir / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
        assert b"\r" not in data
        assert not data.startswith(b"\xef\xbb\xbf")


def test_the_shipped_novel(library, saltmere):
    (corpus,) = library.list()
    assert library.get(SALTMERE) is corpus
    assert (corpus.id, corpus.name, corpus.licence) == (
        SALTMERE,
        "The Lamps of Saltmere",
        "CC0 1.0",
    )
    assert corpus.shipped
    assert corpus.characters == len(saltmere) == 464_218
    assert corpus.distinct == len(set(saltmere)) == 76
    assert corpus.words == 90_549
    assert corpus.names[0] == "Orla"
    assert library.text(SALTMERE) == saltmere


def test_json_has_the_contracts_fields(library):
    fields = json.loads(json.dumps(library.get(SALTMERE).to_json()))
    contract = {"id", "name", "characters", "distinct", "words", "shipped", "licence", "entropy"}
    assert contract <= set(fields)
    assert set(fields["entropy"]) == {"uniform", "unigram", "bigram"}


def test_an_added_text(library, tmp_path):
    corpus = library.add(TEXT.replace("\n", "\r\n").encode("cp1252"), "mueller.txt")
    assert library.list()[1:] == [corpus]
    assert library.text(corpus.id) == TEXT
    assert library.path(corpus.id) == tmp_path / "corpora" / corpus.id / "text.txt"
    assert library.path(corpus.id).read_bytes() == TEXT.encode()
    assert (corpus.name, corpus.shipped, corpus.licence) == ("mueller", False, None)
    assert (corpus.characters, corpus.distinct) == (len(TEXT), len(set(TEXT)))
    assert (corpus.words, corpus.encoding) == (13 * 10, "cp1252")
    assert corpus.names == ("Müller", "Hans")
    assert corpus.entropy == measure_entropy(TEXT)


START, END = (f"*** {side} OF THE PROJECT GUTENBERG EBOOK HANS ***" for side in ("START", "END"))
WITH_LICENCE = f"{START}\n\n{TEXT}\n{END}\n"


def test_the_licence_of_project_gutenberg_is_kept_or_left_out(library, shipped_dir, tmp_path):
    data = WITH_LICENCE.replace("\n", "\r\n").encode("utf-16")
    kept = library.add(data, "kept")
    assert library.text(kept.id) == WITH_LICENCE
    assert kept.gutenberg_licence.start == len(START) + 2
    assert not kept.gutenberg_licence.left_out
    assert "Gutenberg" not in str(kept.repairs)
    left_out = library.add(data, "left out", leave_out_licence=True)
    assert library.text(left_out.id) == TEXT
    assert left_out.characters == len(TEXT)
    assert left_out.gutenberg_licence == replace(kept.gutenberg_licence, left_out=True)
    assert left_out.repairs == (
        *kept.repairs,
        f"the licence of Project Gutenberg left out ({left_out.gutenberg_licence.size})",
    )
    assert left_out.gutenberg_licence.size == (
        f"{len(START) + 2} characters at the start and {len(END) + 2} characters at the end"
    )
    assert library.get(kept.id).gutenberg_licence is None
    assert [corpus.name for corpus in library.list()[1:]] == ["kept", "left out"]
    again = CorpusLibrary(shipped_dir, tmp_path)
    assert again.list() == library.list()


def test_a_text_without_a_licence_stays_whole(library):
    corpus = library.add(TEXT.encode(), None, leave_out_licence=True)
    assert library.text(corpus.id) == TEXT
    assert corpus.gutenberg_licence is None
    assert corpus.repairs == ()


def test_the_minimum_length_is_that_of_the_text_without_the_licence(library):
    data = f"{START}\n{'word ' * 39}\n{END}\n".encode()
    assert library.add(data, None).characters > MIN_CHARACTERS
    with pytest.raises(CorpusTooShortError, match="has 195 characters"):
        library.add(data, None, leave_out_licence=True)


def test_every_character_is_preserved(library):
    text = "\n\n  e\u0301👩\u200d👧\u2028\u0085\f\tÅÅ \n" * 20
    assert library.text(library.add(text.encode(), None).id) == text


def test_corpora_survive_a_restart(library, shipped_dir, tmp_path):
    added = [library.add(TEXT.encode(), f"text {number}") for number in range(5)]
    library.remove(added[2].id)
    again = CorpusLibrary(shipped_dir, tmp_path)
    assert again.list() == library.list()
    assert [corpus.name for corpus in again.list()[1:]] == ["text 0", "text 1", "text 3", "text 4"]
    assert again.text(added[4].id) == TEXT


def test_the_same_text_twice_is_two_corpora(library):
    assert library.add(TEXT.encode(), "a").id != library.add(TEXT.encode(), "a").id


def test_shipped_and_added_texts_can_share_a_directory(shipped_dir, tmp_path):
    directory = tmp_path / "corpora"
    directory.mkdir()
    for path in shipped_dir.iterdir():
        if path.is_file():
            (directory / path.name).write_bytes(path.read_bytes())
    library = CorpusLibrary(directory, tmp_path)
    added = library.add(TEXT.encode(), "mine")
    assert CorpusLibrary(directory, tmp_path).list() == [library.get(SALTMERE), added]
    library.remove(added.id)
    assert {path.name for path in directory.iterdir()} == {
        path.name for path in shipped_dir.iterdir() if path.is_file()
    }


def test_a_refused_file_leaves_nothing(library, tmp_path):
    with pytest.raises(NotTextError):
        library.add(bytes(range(256)) * 10, "noise.bin")
    assert len(library.list()) == 1
    assert list((tmp_path / "corpora").iterdir()) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_minimum_length_is_in_characters(library, tmp_path, encoding):
    with pytest.raises(
        CorpusTooShortError, match=r"^The text has 199 characters; at least 200 are"
    ):
        library.add(("é\r\n" * 99 + "é").encode(encoding), "short")
    assert list((tmp_path / "corpora").iterdir()) == []
    assert library.add(("é\r\n" * 100).encode(encoding), "enough").characters == MIN_CHARACTERS


def test_unknown_ids(library):
    for act in (library.get, library.text, library.path, library.remove):
        for corpus_id in ("", "nothing", "../corpora", "0123456789ab", SALTMERE + "/"):
            with pytest.raises(UnknownCorpusError):
                act(corpus_id)


def test_a_shipped_text_cannot_be_deleted(library):
    with pytest.raises(ShippedCorpusError):
        library.remove(SALTMERE)
    assert library.get(SALTMERE).shipped


def test_a_deleted_text_is_gone(library, tmp_path):
    corpus = library.add(TEXT.encode(), None)
    library.remove(corpus.id)
    assert list((tmp_path / "corpora").iterdir()) == []
    with pytest.raises(UnknownCorpusError):
        library.text(corpus.id)
    with pytest.raises(UnknownCorpusError):
        library.remove(corpus.id)


def test_a_text_deleted_by_hand_can_be_deleted(library, tmp_path):
    corpus = library.add(TEXT.encode(), None)
    directory = tmp_path / "corpora" / corpus.id
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
    library.remove(corpus.id)
    assert len(library.list()) == 1


def test_incomplete_directories_of_a_crash_are_deleted(library, shipped_dir, tmp_path):
    corpus = library.add(TEXT.encode(), None)
    unfinished = tmp_path / "corpora" / ".unfinished-0123456789ab"
    unfinished.mkdir()
    (unfinished / "text.txt").write_bytes(b"half a te")
    assert CorpusLibrary(shipped_dir, tmp_path).list() == [library.get(SALTMERE), corpus]
    assert not unfinished.exists()


@pytest.mark.parametrize("spoilt", [b"", b"[]", b"{}", b'{"id": 1, "entropy": 2}', b"\xff\xfe"])
def test_an_unreadable_description_hides_only_its_corpus(
    library, shipped_dir, tmp_path, spoilt, caplog
):
    broken, whole = library.add(TEXT.encode(), None), library.add(TEXT.encode(), None)
    (tmp_path / "corpora" / broken.id / "corpus.json").write_bytes(spoilt)
    assert CorpusLibrary(shipped_dir, tmp_path).list() == [library.get(SALTMERE), whole]
    assert broken.id in caplog.text
    assert library.path(broken.id).exists()


ADD_FOREVER = """
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from server.corpora.library import CorpusLibrary
library = CorpusLibrary(Path(sys.argv[1]), Path(sys.argv[2]))
while True:
    print(library.add(b"The same words, over and over again.\\n" * 20_000).id, flush=True)
"""


@pytest.mark.parametrize("killed_after", [1, 3])
def test_kill_9_loses_no_acknowledged_upload(shipped_dir, tmp_path, killed_after):
    command = [sys.executable, "-c", ADD_FOREVER, str(shipped_dir), str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        answered = [process.stdout.readline().strip() for _ in range(killed_after)]
        process.send_signal(signal.SIGKILL)
    library = CorpusLibrary(shipped_dir, tmp_path)
    added = library.list()[1:]
    assert set(answered) <= {corpus.id for corpus in added}
    for corpus in added:
        assert library.text(corpus.id) == "The same words, over and over again.\n" * 20_000
    assert {path.name for path in (tmp_path / "corpora").iterdir()} == {
        corpus.id for corpus in added
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, "Untitled"),
        ("", "Untitled"),
        ("  ", "Untitled"),
        ("../../etc/passwd", "passwd"),
        ("C:\\books\\Emma.TXT", "Emma"),
        ("a/b/", "b"),
        ("..", ".."),
        ("Emma.txt", "Emma"),
        (".txt", "Untitled"),
        ("v1.2 notes.md", "v1.2 notes"),
        ("one\ntwo\x00\x1b[31m\u202ethree", "one two [31m three"),
        ("<b>Война и мир</b>", "b>"),
        ("Война и мир 👩\u200d👧", "Война и мир 👩\u200d👧"),
        ("x" * 500, "x" * 100),
    ],
)
def test_display_names(name, shown):
    assert display_name(name) == shown


@given(st.text())
def test_any_name_can_be_displayed(name):
    shown = display_name(name)
    assert 1 <= len(shown) <= 100
    assert not set(shown) & set("/\\\n\r\t\0")


def test_summaries_are_encoded_once(library, monkeypatch):
    added = [library.add(TEXT.encode(), f"Text {number}") for number in range(3)]
    library.remove(added[1].id)
    with monkeypatch.context() as patch:
        patch.setattr(Corpus, "to_json", lambda _: pytest.fail("encoded for each request"))
        listed = json.loads(library.summaries())
    assert [each["id"] for each in listed] == [each.id for each in library.list()]
    for each, corpus in zip(listed, library.list(), strict=True):
        expected = json.loads(json.dumps(corpus.to_json()))
        assert each | {"headings": expected["headings"]} == expected
        assert "headings" not in each


def test_a_text_nobody_waits_for_is_not_stored(tmp_path, shipped_dir):
    library = CorpusLibrary(shipped_dir, tmp_path)
    before = library.list()
    with pytest.raises(UploadCancelledError):
        library.add(b"A text. " * 100, "a", is_cancelled=lambda: True)
    assert library.list() == before
    assert not list((tmp_path / "corpora").iterdir())
