"""The archive of a run: its parts, its manifest, and the errors of those that cannot be read.

An archive is a zip file with the manifest as its first part. The manifest lists the other parts in
their order, with sizes and SHA-256. Nothing is compressed: checkpoints hardly compress, and so an
archive never unpacks to more than its own size.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import Field

from server.rnn.metrics import METRIC_NAME
from server.spec.run_spec import StrictModel

__all__ = [
    "CHECKPOINTS",
    "CHECKPOINT_ROWS",
    "CORPUS",
    "FORMAT",
    "LOSSES",
    "MANIFEST",
    "MAX_MANIFEST_BYTES",
    "MAX_MEMBERS",
    "METRICS",
    "MILESTONES",
    "MODELS",
    "OLDEST_DATABASE",
    "OWN_LOSSES",
    "PASSAGES",
    "REMARKS",
    "REQUIRED",
    "RUN",
    "SAMPLES",
    "SNAPSHOTS",
    "SUFFIX",
    "TEXT",
    "TRAINING_TIME",
    "VERSION",
    "ArchiveError",
    "ArchivedCorpus",
    "Counts",
    "Manifest",
    "MemberEntry",
    "MissingTextError",
    "is_member_name",
]

FORMAT: Final = "hurrah-run"
VERSION: Final = 1
OLDEST_DATABASE = 5
"""The first version of the database whose rows were exported."""

SUFFIX = ".hurrah"
"""The end of a file's name. Not ".zip", which some browsers unpack as soon as it is downloaded."""

MANIFEST = "manifest.json"
RUN, CORPUS, TEXT = "run.json", "corpus.json", "corpus.txt"
LOSSES = "losses.f64"
SAMPLES, MILESTONES, PASSAGES = "samples.jsonl", "milestones.jsonl", "passages.jsonl"
TRAINING_TIME, CHECKPOINT_ROWS = "training_time.jsonl", "checkpoints.jsonl"
REMARKS = "report_remarks.jsonl"
OWN_LOSSES = "own_losses.f64"
"""Only in an archive of a run with such losses: update, loss and smooth loss of each row."""
CHECKPOINTS, SNAPSHOTS, MODELS = "checkpoints", "snapshots", "models"
METRICS = "metrics"
"""The directory of the metrics: a file of float64 each, with a value for each measured update.

An archive of a version that recorded none has none. NaN stands for an update without a value.
"""

REQUIRED = frozenset(
    (RUN, CORPUS, LOSSES, SAMPLES, MILESTONES, PASSAGES, TRAINING_TIME, CHECKPOINT_ROWS, REMARKS)
)
FILES = re.compile(
    rf"{CHECKPOINTS}/[0-9a-f]{{12}}\.npz|{SNAPSHOTS}/(0|[1-9][0-9]{{0,14}})\.npz"
    rf"|{MODELS}/[0-9a-f]{{24}}\.npz|{METRICS}/{METRIC_NAME.pattern}\.f64"
)

# A run has at most about 200 snapshots; the others are its checkpoints and saved models.
MAX_MEMBERS = 10_000
MAX_MANIFEST_BYTES = 250 * MAX_MEMBERS


class ArchiveError(ValueError):
    """The file is not an archive of a run that can be imported; the message is one sentence."""


class MissingTextError(ArchiveError):
    """The archive does not contain its text, and the text is not here; the message names it."""


class MemberEntry(StrictModel):
    """A part of an archive, as the manifest lists it."""

    name: Annotated[str, Field(max_length=60)]
    bytes: Annotated[int, Field(ge=0, le=2**50)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Counts(StrictModel):
    """The number of things in an archive."""

    updates: Annotated[int, Field(ge=0)]
    samples: Annotated[int, Field(ge=0)]
    milestones: Annotated[int, Field(ge=0)]
    checkpoints: Annotated[int, Field(ge=0)]
    snapshots: Annotated[int, Field(ge=0)]
    passages: Annotated[int, Field(ge=0)]
    models: Annotated[int, Field(ge=0)]


class Manifest(StrictModel):
    """The first part of an archive.

    Attributes
    ----------
    hurrah : str
        The version that wrote it.
    database : int
        The version of the database whose rows it contains.
    members : list of MemberEntry
        The other parts, in their order.
    """

    format: Literal["hurrah-run"]
    version: Literal[1]
    hurrah: Annotated[str, Field(max_length=40)]
    database: Annotated[int, Field(ge=OLDEST_DATABASE)]
    counts: Counts
    members: Annotated[list[MemberEntry], Field(max_length=MAX_MEMBERS)]


class ArchivedCorpus(StrictModel):
    """The text of an archived run; `sha256` is that of its UTF-8."""

    id: Annotated[str, Field(max_length=100)]
    name: Annotated[str, Field(max_length=100)]
    characters: Annotated[int, Field(ge=1)]
    distinct: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: Annotated[str, Field(max_length=200)] | None
    encoding: Annotated[str, Field(max_length=40)]
    repairs: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=50)]


def is_member_name(name: str) -> bool:
    """Whether a part may have this name."""
    return name in REQUIRED or name in {TEXT, OWN_LOSSES} or FILES.fullmatch(name) is not None
