"""What the server and the process that checks an archive tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from server.transfer.staging import StagedRun, StagingLimits
from server.transfer.texts import KnownText

__all__ = ["Refusal", "StagingRequest", "StagingResult"]

REQUEST = "request.json"


@dataclass(frozen=True, slots=True)
class StagingRequest:
    """What to check an archive against.

    Attributes
    ----------
    texts : list of KnownText
        The texts of the server.
    text : pathlib.Path or None
        A text that came with the archive.
    limits : StagingLimits
        The limits.
    """

    texts: list[KnownText]
    text: Path | None
    limits: StagingLimits

    @classmethod
    def read(cls, directory: Path) -> StagingRequest:
        """Read it from a staging directory."""
        return _REQUEST.validate_json((directory / REQUEST).read_bytes())

    def write(self, directory: Path) -> None:
        """Write it to a staging directory."""
        (directory / REQUEST).write_bytes(_REQUEST.dump_json(self))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an archive cannot be imported.

    Attributes
    ----------
    kind : {"archive", "text", "spec", "storage"}
        What is wrong: the archive, its missing text, a size of its network, or the disk.
    message : str
        One sentence, or for "spec" what is wrong with the field.
    field : str
        The field of the spec.
    """

    kind: Literal["archive", "text", "spec", "storage"]
    message: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class StagingResult:
    """The answer: the staged run, or why there is none."""

    staged: StagedRun | None
    refusal: Refusal | None

    @classmethod
    def refused(cls, kind: Literal["archive", "text", "storage"], message: str) -> StagingResult:
        """Return a refusal."""
        return cls(None, Refusal(kind, message))

    def to_json(self) -> str:
        """Return it as one line."""
        return _RESULT.dump_json(self).decode()

    @classmethod
    def from_json(cls, line: bytes) -> StagingResult:
        """Return what `to_json` returned."""
        return _RESULT.validate_json(line)


_REQUEST = TypeAdapter(StagingRequest)
_RESULT = TypeAdapter(StagingResult)
