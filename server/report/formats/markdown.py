"""A report as a zip archive of Markdown and figures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from itertools import chain

import regex

from server.report.content import EvolutionText, ReportContent, Row
from server.report.formats.figures import loss_figure
from server.report.formats.svg import draw_svg
from server.report.formats.wording import (
    CHECK_METHOD,
    CHECK_PITFALLS,
    PARTS,
    check_sentence,
    figure_sentence,
)

__all__ = ["render_markdown"]

FIGURE = "figures/loss.svg"
CARD = "#fffdf9"
# Characters that CommonMark or its usual extensions give a meaning inside a line, and at its start.
SPECIAL = regex.compile(r"([\\`*_\[\]<>#|~$&]|:(?=//))")
AT_START = regex.compile(r"^(\s*)([-+=]|\d+(?=[.)](?:\s|$)))")
BACKTICKS = regex.compile(r"`+")
# The same archive of the same report: zip files have no time zone, and start in 1980.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def render_markdown(content: ReportContent) -> bytes:
    """Return the archive: `report.md` and the figures that it shows."""
    figure = loss_figure(content.loss)
    parts = [
        _head(content),
        _check(content),
        _loss(content, with_figure=figure is not None),
        _evolution(content),
        _passage(content),
        _findings(content),
        _setup(content),
    ]
    text = "\n\n".join(chain.from_iterable(parts)) + "\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        _add(files, "report.md", text)
        if figure is not None:
            _add(files, FIGURE, draw_svg(figure, figure_sentence(content.loss), CARD))
    return archive.getvalue()


def _add(files: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name, ZIP_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    files.writestr(info, text)


def _head(content: ReportContent) -> Iterator[str]:
    yield f"# {_escaped(content.title)}"
    author = content.remarks.author
    yield f"{_escaped(author)}, {content.made_at}" if author else content.made_at
    yield _escaped(content.summary)
    yield _table(("", ""), content.key_figures)


def _check(content: ReportContent) -> Iterator[str]:
    part = content.check
    yield _heading(1, "check")
    yield _escaped(CHECK_METHOD)
    if sentence := check_sentence(part):
        yield _escaped(sentence)
    yield from _missing(part.missing)
    if (result := part.result) is not None:
        columns = ("parameter", "shape", "complex step", "central difference", "verdict")
        yield _table(
            columns,
            [
                (
                    each.name,
                    " × ".join(map(str, each.shape)),
                    _number(each.complex_step),
                    _number(each.central_difference),
                    "passed" if each.passed else "FAILED",
                )
                for each in result.parameters
            ],
        )
        limits = result.thresholds
        yield (
            f"To pass, the errors must be below {_number(limits.complex_step)} and"
            f" {_number(limits.central_difference)}."
        )
    yield _escaped(CHECK_PITFALLS)
    yield from _remarks(content.remarks.gradients)


def _loss(content: ReportContent, *, with_figure: bool) -> Iterator[str]:
    yield _heading(2, "loss")
    yield from _missing(content.loss.missing)
    if with_figure:
        sentence = figure_sentence(content.loss)
        yield f"![{_escaped(sentence)}]({FIGURE})"
        yield _escaped(sentence)
    yield from _remarks(content.remarks.loss)


def _evolution(content: ReportContent) -> Iterator[str]:
    yield _heading(3, "evolution")
    yield from chain.from_iterable(map(_evolution_text, content.evolution.texts))
    yield from _missing(content.evolution.missing)
    yield from _remarks(content.remarks.evolution)


def _evolution_text(each: EvolutionText) -> Iterator[str]:
    loss = "–" if each.smooth_loss is None else f"{each.smooth_loss:.2f}"
    yield f"### Update {each.update:,} (epoch {each.epoch:,}, smooth loss {loss})"
    if each.hurrahs:
        yield f"**hurrah – {', '.join(map(_escaped, each.hurrahs))}!**"
    yield _fenced(each.text)
    if each.origin is not None:
        yield f"*{_escaped(each.origin)}*"


def _passage(content: ReportContent) -> Iterator[str]:
    part = content.passage
    yield _heading(4, "passage")
    yield from _missing(part.missing)
    if part.text is not None:
        loss = "–" if part.smooth_loss is None else f"{part.smooth_loss:.2f}"
        yield (
            f"{len(part.text):,} characters, written by the model of update {part.update:,} with a"
            f" smooth loss of {loss}, at temperature {part.temperature} with seed {part.seed}."
        )
        yield _fenced(part.text)
        if part.translation:
            yield "### The same passage, through a translator"
            yield _fenced(part.translation)
    yield from _remarks(content.remarks.passage)


def _findings(content: ReportContent) -> Iterator[str]:
    yield _heading(5, "findings")
    for each in content.findings:
        yield f"### {_escaped(each.heading)}"
        yield _escaped(each.text)
    yield from _missing(content.findings_missing)
    yield from _remarks(content.remarks.findings)


def _setup(content: ReportContent) -> Iterator[str]:
    yield _heading(6, "setup")
    for heading, rows in (
        ("Settings", content.settings),
        ("Text", content.corpus),
        ("Environment", content.environment),
    ):
        yield f"### {heading}"
        yield _table(("", ""), rows)
    yield "### The command that repeats it"
    yield _fenced(content.command)
    yield from map(_escaped, content.command_notes)


def _heading(number: int, part: str) -> str:
    return f"## {number}. {PARTS[part]}"


def _missing(sentences: Sequence[str]) -> Iterator[str]:
    for sentence in sentences:
        yield f"> **Missing.** {_escaped(sentence)}"


def _remarks(text: str) -> Iterator[str]:
    if text:
        yield "### Remarks"
        # Two spaces break the line.
        yield "  \n".join(map(_escaped, text.split("\n")))


def _table(columns: Sequence[str], rows: Sequence[Row | Sequence[str]]) -> str:
    lines = [_line(columns), _line(["---"] * len(columns))]
    return "\n".join([*lines, *(_line(list(map(_escaped, row))) for row in rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _fenced(text: str) -> str:
    """Return a code block whose fence is longer than any in the text."""
    longest = max(map(len, BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _escaped(text: str) -> str:
    """Return text in which no character acts as Markdown or as HTML, on one line."""
    line = SPECIAL.sub(r"\\\1", " ".join(text.split("\n")))
    return str(AT_START.sub(_escaped_start, line))


def _escaped_start(match: regex.Match[str]) -> str:
    space, start = match.groups()
    return f"{space}{start}\\" if start.isdigit() else f"{space}\\{start}"


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.1e}"
