"""A passage that is kept: what was asked for, what came, and how it reads on paper."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from server.passages.request import PassageRequest
from server.spec.schemas import Passage

__all__ = ["SavedPassage", "as_markdown", "as_text"]

BREAK = "* * *"


class SavedPassage(BaseModel):
    """A passage in the gallery, or several of one seed.

    Attributes
    ----------
    id : str
        Made by the server.
    run, run_name, corpus_name : str
        Which network wrote it, and the text that it had read.
    title : str or None
        What the operator calls it.
    created_at : str
        When it was kept; ISO 8601, UTC.
    request : PassageRequest
        Asks for the same text again: it names the very model, and the seed.
    model_saved : bool
        Whether that model is there, so that the request can be carried out.
    passages : list of Passage
        One for each temperature.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    run: str
    run_name: str
    corpus_name: str
    title: str | None
    created_at: str
    request: PassageRequest
    model_saved: bool
    passages: list[Passage]

    @property
    def fingerprint(self) -> str:
        """What the passage was kept by."""
        return self.passages[0].fingerprint

    @property
    def model(self) -> str:
        """The fingerprint of the model that wrote it."""
        return self.passages[0].model


def as_text(kept: SavedPassage) -> str:
    """Return a kept passage as plain text, with a line that says where it comes from."""
    parts = [kept.title] if kept.title else []
    parts.append(_origin(kept))
    for passage in kept.passages:
        if len(kept.passages) > 1:
            parts.append(f"Temperature {passage.temperature:g}")
        parts.append((passage.prime + passage.text).strip("\n"))
    return "\n\n".join(parts) + "\n"


def as_markdown(kept: SavedPassage) -> str:
    """Return a kept passage as Markdown."""
    parts = [f"## {_plain(kept.title or _first_words(kept))}", f"*{_plain(_origin(kept))}*"]
    for passage in kept.passages:
        if len(kept.passages) > 1:
            parts.append(f"### Temperature {passage.temperature:g}")
        lines = (passage.prime + passage.text).strip("\n").split("\n")
        # A line that ends in two spaces ends where it ended.
        parts.append("\n".join(f"{_plain(line.strip())}  ".rstrip("\n") for line in lines).strip())
    return "\n\n".join(parts) + "\n"


def _origin(kept: SavedPassage) -> str:
    first = kept.passages[0]
    words = [kept.run_name, f"update {first.source.update:,}"]
    if first.source.smooth_loss is not None:
        words.append(f"smooth loss {first.source.smooth_loss:.1f}")
    if len(kept.passages) == 1:
        words.append(f"temperature {first.temperature:g}")
    return ", ".join([*words, f"seed {first.seed}"])


def _first_words(kept: SavedPassage) -> str:
    first = kept.passages[0]
    return " ".join((first.prime + first.text).split()[:6]) or "A passage"


def _plain(text: str) -> str:
    """Return `text` so that Markdown makes nothing of it."""
    text = re.sub(r"([\\`*_\[\]<>#|~&])", r"\\\1", text)
    return re.sub(r"^(\s*)([-+=]|\d+(?=[.)]))", r"\1\\\2", text)
