"""A page that contains a model and writes text with it, without a server.

It is one HTML file. Its Content-Security-Policy permits its own script and style by their hashes,
and no request at all. The model is the safetensors file of docs/weights.md, in base64.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from server import __version__
from server.installation import STATIC, TEMPLATES
from server.passages.request import MAX_PRIME
from server.rnn.model import Model
from server.rnn.vocabulary import Vocabulary
from server.spec.schemas import Run
from server.standalone.weights import weight_chunks

__all__ = ["write_page"]

FONT = "vendor/source-serif-4/source-serif-4-latin-wght-normal.woff2"
# In the template, where the model is written.
MODEL_PLACE = "MODEL-IN-BASE64"
# A multiple of three bytes is encoded without padding, so that the parts can be joined.
PART_BYTES = 3 << 18


@dataclass(frozen=True, slots=True)
class _Inline:
    """A script or style in the page, and its hash for the Content-Security-Policy."""

    text: str
    hash: str


def write_page(path: Path, model: Model, vocabulary: Vocabulary, run: Run) -> None:
    """Write the page of a model.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    model : Model
        The model.
    vocabulary : Vocabulary
        Its characters.
    run : Run
        The run, whose name and text the page names.
    """
    html = _template().render(
        script=_bundle("standalone.js"),
        style=_bundle("standalone.css"),
        font=_font(),
        model_place=MODEL_PLACE,
        version=__version__,
        corpus=run.corpus_name,
        run=run.name,
        cell=model.cell.upper(),
        layers=model.layers,
        hidden_size=model.hidden_size,
        characters=model.vocabulary_size,
        parameters=model.architecture.size,
        update=model.update,
        smooth_loss=model.smooth_loss,
        prime_characters=MAX_PRIME,
    )
    before, _, after = html.rpartition(MODEL_PLACE)
    chunks = weight_chunks(model, vocabulary, run.spec.model_dump(mode="json"))
    with path.open("wb") as file:
        file.write(before.encode("utf-8", "replace"))
        _write_base64(file, b"".join(chunks))
        file.write(after.encode("utf-8", "replace"))


def _write_base64(file: IO[bytes], data: bytes) -> None:
    for start in range(0, len(data), PART_BYTES):
        file.write(base64.b64encode(data[start : start + PART_BYTES]))


@cache
def _template() -> Any:  # noqa: ANN401 - Jinja's template
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("standalone.html")


@cache
def _bundle(name: str) -> _Inline:
    """Return a bundle of `make generate`."""
    return _inline((STATIC / "bundles" / name).read_text(encoding="utf-8").strip())


@cache
def _font() -> _Inline:
    """Return the style that contains the font of Latin texts."""
    data = base64.b64encode((STATIC / FONT).read_bytes()).decode()
    return _inline(
        '@font-face{font-family:"Source Serif 4 Variable";font-weight:200 900;'
        f'src:url("data:font/woff2;base64,{data}")format("woff2")}}'
    )


def _inline(text: str) -> _Inline:
    if "</s" in text.lower() or "<!--" in text:
        raise ValueError("the script or style would end its element")
    digest = hashlib.sha256(text.encode()).digest()
    return _Inline(text, f"sha256-{base64.b64encode(digest).decode()}")
