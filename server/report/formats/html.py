"""A report as one HTML file that works offline."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import regex
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from server.installation import STATIC, TEMPLATES
from server.report.content import ReportContent
from server.report.formats.figures import Figure, loss_figure
from server.report.formats.svg import draw_svg
from server.report.formats.wording import (
    CHECK_METHOD,
    CHECK_PITFALLS,
    PARTS,
    check_sentence,
    figure_sentence,
)

__all__ = ["render_html"]

VENDOR = STATIC / "vendor"
PLOTLY = VENDOR / "plotly" / "plotly-basic.min.js"

FONTS = {
    "Inter Variable": ("inter/inter-{}-wght-normal.woff2", "100 900"),
    "Source Serif 4 Variable": ("source-serif-4/source-serif-4-{}-wght-normal.woff2", "200 900"),
}
# The ranges of the shipped fonts, as in static/css/tokens.css. The second is embedded if needed.
LATIN = (
    "U+0000-00FF, U+0131, U+0152-0153, U+02BB-02BC, U+02C6, U+02DA, U+02DC, U+0304, U+0308, U+0329,"
    " U+2000-206F, U+20AC, U+2122, U+2191, U+2193, U+2212, U+2215, U+FEFF, U+FFFD"
)
LATIN_EXT = (
    "U+0100-02BA, U+02BD-02C5, U+02C7-02CC, U+02CE-02D7, U+02DD-02FF, U+1E00-1E9F, U+1EF2-1EFF,"
    " U+2020, U+20A0-20AB, U+20AD-20C0, U+2113, U+2C60-2C7F, U+A720-A7FF"
)
EXTENDED = regex.compile(r"[\u0100-\u02ba\u1e00-\u1eff\u2c60-\u2c7f]")


def render_html(content: ReportContent) -> bytes:
    """Return the report as a self-contained HTML file.

    The Content-Security-Policy in it allows the two scripts that it contains, by their hashes, and
    no request: a text that contains markup cannot act even if it were not escaped.
    """
    figure = loss_figure(content.loss)
    described = figure_sentence(content.loss)
    scripts = [_plotly(), _read("report.js")] if figure is not None else [_read("report.js")]
    # A text without letters of the extended range does not carry their font.
    extended = EXTENDED.search(f"{content.title}{content.remarks}{content.passage.text}")
    page = _environment().get_template("report.html")
    return page.render(
        report=content,
        parts=PARTS,
        method=CHECK_METHOD,
        pitfalls=CHECK_PITFALLS,
        check_sentence=check_sentence(content.check),
        figure_sentence=described,
        figure_data=None if figure is None else _script_json(figure),
        drawing=None if figure is None else Markup(draw_svg(figure, described)),  # noqa: S704
        policy=_policy(scripts),
        style=Markup(_font_faces(with_extended=extended is not None) + _read("report.css")),  # noqa: S704
        scripts=[Markup(script) for script in scripts],  # noqa: S704
    ).encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["split_words"] = _split_words
    return environment


def _split_words(text: str, words: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, and whether each is the first occurrence of one of the words."""
    found = sorted((text.find(word), word) for word in words)
    end = 0
    for at, word in found:
        if at >= end:
            yield text[end:at], False
            yield word, True
            end = at + len(word)
    yield text[end:], False


def _script_json(figure: Figure) -> Markup:
    """Return JSON for a script element: nothing in it can end the element."""
    text = json.dumps(figure, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704


def _policy(scripts: list[str]) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    # Plotly adds a style element when it starts.
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; font-src data:;"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


@cache
def _plotly() -> str:
    return PLOTLY.read_text(encoding="utf-8")


@cache
def _read(name: str) -> str:
    return (TEMPLATES / "report" / name).read_text(encoding="utf-8")


@cache
def _font_faces(*, with_extended: bool) -> str:
    subsets = [("latin-ext", LATIN_EXT)] if with_extended else []
    return "".join(
        f'@font-face{{font-family:"{family}";font-weight:{weights};font-display:swap;'
        f"src:url(data:font/woff2;base64,{_base64(VENDOR / path.format(subset))})"
        f' format("woff2");unicode-range:{characters}}}\n'
        for family, (path, weights) in FONTS.items()
        for subset, characters in (*subsets, ("latin", LATIN))
    )


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
