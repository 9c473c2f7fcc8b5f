"""The data directory of version 0 in tests/fixtures; its README describes it."""

import json
import lzma
import sqlite3
import tarfile
from contextlib import closing

from tests.serving import ROOT

FIXTURE = ROOT / "tests" / "fixtures" / "data-version-0"
EXPECTED = json.loads(lzma.decompress((FIXTURE / "expected.json.xz").read_bytes()))
# Fields of JSON that version 1 renamed.
RENAMED = {
    "invented": "invented_words",
    "model_kept": "model_saved",
    "receipt": "fingerprint",
    "short_of_room": "disk_full",
}


def unpack(directory):
    """Extract the data directory, and return the path of its database."""
    with tarfile.open(FIXTURE / "data.tar.xz") as archive:
        archive.extractall(directory, filter="data")
    return directory / "hurrah.db"


def add_samples(path, count):
    """Add samples of a kilobyte each to a database of version 0."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT ?)"
            " INSERT INTO samples SELECT 'another', n,"
            ' \'{"invented":[],"text":"\' || hex(zeroblob(500)) || \'"}\' FROM numbers',
            (count,),
        )
        connection.commit()


def renamed(value):
    """Return JSON of version 0 with the names of version 1 and the smoothing of version 2."""
    if isinstance(value, dict):
        added = {"loss_smoothing": 0.999} if "sequence_length" in value else {}
        return added | {RENAMED.get(key, key): renamed(each) for key, each in value.items()}
    return [renamed(each) for each in value] if isinstance(value, list) else value


def contents(path):
    """Return the version of a database and its contents as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return version, list(connection.iterdump())


def files(directory):
    """Return bytes and time of change of everything in a directory."""
    return {
        path.relative_to(directory): (
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else None,
        )
        for path in [directory, *directory.rglob("*")]
    }
