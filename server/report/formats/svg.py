"""Drawing a line figure as SVG, for paper and for Markdown: no browser, no image library.

It draws what `server.report.formats.figures` uses of Plotly: lines, filled bands and markers on two
linear axes, straight shapes, and annotations without arrows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from server.report.formats.figures import Figure

__all__ = ["draw_svg"]

WIDTH = 720
TICKS = 6
STEPS = (1, 2, 5, 10)
ANCHORS = {"left": "start", "right": "end", "center": "middle"}
DASHES = {"dot": "1.5 3"}


@dataclass(frozen=True, slots=True)
class _Axis:
    """An axis: its range, and where it is on the drawing, in pixels."""

    bounds: tuple[float, float]
    pixels: tuple[float, float]

    def at(self, value: float) -> float:
        low, high = self.bounds
        first, last = self.pixels
        return first + (value - low) / (high - low) * (last - first)

    def of_paper(self, share: float) -> float:
        first, last = self.pixels
        return first + share * (last - first)


def draw_svg(figure: Figure, description: str, background: str | None = None) -> str:
    """Return a figure as an SVG document.

    Parameters
    ----------
    figure : Figure
        The figure.
    description : str
        What it shows, for readers who cannot see it.
    background : str or None
        A colour; None: transparent.
    """
    layout = figure["layout"]
    margin, height = layout["margin"], layout["height"]
    x = _Axis(tuple(layout["xaxis"]["range"]), (margin["l"], WIDTH - margin["r"]))
    y = _Axis(tuple(layout["yaxis"]["range"]), (height - margin["b"], margin["t"]))
    inner_width, inner_height = x.pixels[1] - x.pixels[0], y.pixels[0] - y.pixels[1]
    font = quoteattr(layout["font"]["family"])
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' width="{WIDTH}" height="{height}" role="img" font-family={font}'
            f" aria-label={quoteattr(description)}>"
        ),
        f"<title>{escape(description)}</title>",
        (
            f'<clipPath id="plot"><rect x="{x.pixels[0]}" y="{y.pixels[1]}" width="{inner_width}"'
            f' height="{inner_height}"/></clipPath>'
        ),
    ]
    if background is not None:
        parts.append(f'<rect width="100%" height="100%" fill={quoteattr(background)}/>')
    parts += _grid(layout, x, y)
    parts.append('<g clip-path="url(#plot)">')
    for trace in figure["data"]:
        parts += _trace(trace, x, y)
        if trace["name"] == "band":
            parts += _shapes(layout.get("shapes", ()), x, y)
    parts.append("</g>")
    parts += _annotations(layout.get("annotations", ()), x, y)
    parts += _titles(layout, x, y, height)
    parts.append("</svg>")
    return "\n".join(parts)


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers in a range, about `TICKS` of them."""
    rough = (high - low) / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in STEPS if factor * power >= rough)
    first = -int(-low // step)
    return [step * index for index in range(first, int(high // step) + 1)]


def _grid(layout: Mapping[str, Any], x: _Axis, y: _Axis) -> Iterator[str]:
    colour, size = layout["font"]["color"], layout["font"]["size"]
    grid = layout["yaxis"]["gridcolor"]
    for value in ticks(*y.bounds):
        at = y.at(value)
        yield f'<path d="M{x.pixels[0]} {at:.1f}H{x.pixels[1]}" stroke="{grid}"/>'
        yield _text(_number(value), x.pixels[0] - 8, at, colour, size, "end", baseline="middle")
    for value in ticks(*x.bounds):
        yield _text(_number(value), x.at(value), y.pixels[0] + 18, colour, size, "middle")


def _shapes(shapes: Sequence[Mapping[str, Any]], x: _Axis, y: _Axis) -> Iterator[str]:
    for shape in shapes:
        across = x.of_paper if shape.get("xref") == "paper" else x.at
        up = y.of_paper if shape.get("yref") == "paper" else y.at
        line = shape["line"]
        dash = DASHES.get(line["dash"])
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        yield (
            f'<path d="M{across(shape["x0"]):.1f} {up(shape["y0"]):.1f}'
            f'L{across(shape["x1"]):.1f} {up(shape["y1"]):.1f}"'
            f' stroke="{line["color"]}" stroke-width="{line["width"]}"{dashed}/>'
        )


def _trace(trace: Mapping[str, Any], x: _Axis, y: _Axis) -> Iterator[str]:
    points = [(x.at(across), y.at(up)) for across, up in zip(trace["x"], trace["y"], strict=True)]
    if trace["mode"] == "markers":
        marker = trace["marker"]
        for across, up in points:
            yield (
                f'<circle cx="{across:.1f}" cy="{up:.1f}" r="{marker["size"] / 2}"'
                f' fill="{marker["color"]}"/>'
            )
        return
    path = "M" + "L".join(f"{across:.1f} {up:.1f}" for across, up in points)
    if trace.get("fill") == "toself":
        yield f'<path d="{path}Z" fill="{trace["fillcolor"]}"/>'
        return
    line = trace["line"]
    yield (
        f'<path d="{path}" fill="none" stroke="{line["color"]}" stroke-width="{line["width"]}"'
        ' stroke-linejoin="round"/>'
    )


def _annotations(annotations: Sequence[Mapping[str, Any]], x: _Axis, y: _Axis) -> Iterator[str]:
    for each in annotations:
        across = x.of_paper(each["x"]) if each.get("xref") == "paper" else x.at(each["x"])
        up = y.of_paper(each["y"]) if each.get("yref") == "paper" else y.at(each["y"])
        font = each["font"]
        down = {"top": font["size"], "bottom": -4}.get(each.get("yanchor", ""), 0)
        yield _text(
            each["text"],
            across + each.get("xshift", 0),
            up - each.get("yshift", 0) + down,
            font["color"],
            font["size"],
            ANCHORS[each["xanchor"]],
            baseline="middle" if not down else "auto",
        )


def _titles(layout: Mapping[str, Any], x: _Axis, y: _Axis, height: float) -> Iterator[str]:
    colour, size = layout["font"]["color"], layout["font"]["size"]
    across, up = x.of_paper(0.5), y.of_paper(0.5)
    yield _text(layout["xaxis"]["title"]["text"], across, height - 6, colour, size, "middle")
    title = _text(layout["yaxis"]["title"]["text"], 0, 0, colour, size, "middle")
    yield f'<g transform="translate(12 {up:.1f}) rotate(-90)">{title}</g>'


def _text(  # noqa: PLR0917 - what every label has
    text: str,
    x: float,
    y: float,
    colour: str,
    size: float,
    anchor: str,
    *,
    baseline: str = "auto",
) -> str:
    # Not every renderer knows `dominant-baseline`.
    shifted = y + (0.35 * size if baseline == "middle" else 0)
    return (
        f'<text x="{x:.1f}" y="{shifted:.1f}" fill="{colour}" font-size="{size}"'
        f' text-anchor="{anchor}">{escape(text)}</text>'
    )


def _number(value: float) -> str:
    return f"{value:,.10g}"
