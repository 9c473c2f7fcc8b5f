"""The figure of the smooth loss, as a Plotly figure and as an SVG drawn from the same data."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.analysis.own_losses import OwnCurve
from server.report.content import LossPart
from server.spec.schemas import Best

__all__ = ["Figure", "load_plotly", "loss_figure"]

Figure = dict[str, Any]
"""A Plotly figure: ``data`` and ``layout``, as JSON values."""

# The page's light theme; the script of the HTML report changes them for the dark one, by the roles.
INK, SOFT, LINE, BAND, ACCENT = "#21242a", "#6d6a63", "#e6e0d4", "#d9d3c6", "#b54b12"
# Legible in both themes.
OWN = "#4a7fc1"
FONT = "'Inter Variable', Inter, 'Helvetica Neue', Arial, sans-serif"
HEIGHT = 400
MAX_EPOCH_LABELS = 10
# With more epochs, only those with a label have a line.
MAX_EPOCH_LINES = 40
# Labels that are closer than this, as a share of the axis, would overlap.
LABEL_DISTANCE = 0.05
# One outlier must not flatten the curve: the axis shows this part of the single losses.
BULK_PERCENT = 2.0
MARGIN = 0.05


@cache
def load_plotly() -> Any:  # noqa: ANN401 - the package has no types
    """Return `plotly.graph_objs`, which takes most of a second to import."""
    module = importlib.import_module("plotly.graph_objs")
    # The classes are modules of their own, imported when they are first used.
    for name in ("Figure", "Layout", "Scatter"):
        getattr(module, name)
    return module


def loss_figure(part: LossPart) -> Figure | None:
    """Return the figure of the smooth loss; None before the first update.

    Each trace, shape and annotation has a name that says what it is: ``band``, ``smooth``, ``own``,
    ``lowest``, ``epoch`` or ``reference``.
    """
    finite = np.isfinite(part.smooth) & np.isfinite(part.low) & np.isfinite(part.high)
    if not finite.any():
        return None
    update, smooth = part.update[finite], part.smooth[finite]
    low, high = part.low[finite], part.high[finite]
    go = load_plotly()
    bottom, top = _range(smooth, low, high)
    traces = [_band(go, update, low, high, part.bucket), _smooth(go, update, smooth)]
    annotations: list[Any] = []
    if part.own is not None:
        traces.append(_own(go, part.own.curve))
    if part.lowest is not None:
        traces.append(
            go.Scatter(
                name="lowest",
                x=[part.lowest.update],
                y=[round(part.lowest.smooth_loss, 3)],
                mode="markers",
                marker={"color": ACCENT, "size": 9},
                hovertemplate="lowest: %{y:.2f}<br>update %{x:,}<extra></extra>",
            )
        )
        annotations.append(_lowest_label(part.lowest, int(update[-1]), bottom, top))
    references = _distinct(
        [(name, loss) for name, loss in part.references if bottom < loss < top], top - bottom
    )
    annotations += [_reference_label(name, loss) for name, loss in references]
    epochs = list(enumerate(part.epochs, 2))
    labelled = epochs[:: -(-len(epochs) // MAX_EPOCH_LABELS) or 1]
    annotations += [_epoch_label(first, number) for number, first in labelled]
    shapes = [
        _line("epoch", x0=first, x1=first, y0=0, y1=1, yref="paper")
        for _, first in (epochs if len(epochs) <= MAX_EPOCH_LINES else labelled)
    ] + [_line("reference", x0=0, x1=1, xref="paper", y0=loss, y1=loss) for _, loss in references]
    layout = go.Layout(
        template="none",
        height=HEIGHT,
        margin={"l": 52, "r": 64, "t": 30, "b": 46},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": SOFT},
        showlegend=False,
        hovermode="closest",
        xaxis=_axis("update", [0, int(update[-1]) * 1.005], ",d") | {"showgrid": False},
        yaxis=_axis("loss, nats per sequence", [bottom, top], ",.4~g"),
        shapes=shapes,
        annotations=annotations,
    )
    figure: Figure = go.Figure(data=traces, layout=layout).to_plotly_json()
    return figure


def _range(smooth: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> tuple[float, float]:
    bottom = min(float(smooth.min()), float(np.percentile(low, BULK_PERCENT)))
    top = max(float(smooth.max()), float(np.percentile(high, 100 - BULK_PERCENT)))
    space = MARGIN * (top - bottom) or 1.0
    return max(0.0, bottom - space), top + space


def _band(
    go: Any,  # noqa: ANN401
    update: NDArray[Any],
    low: NDArray[Any],
    high: NDArray[Any],
    bucket: int,
) -> Any:  # noqa: ANN401
    if bucket == 1:
        return go.Scatter(
            name="band",
            x=update.tolist(),
            y=np.round(low, 3).tolist(),
            mode="lines",
            line={"color": BAND, "width": 1},
            hoverinfo="skip",
        )
    return go.Scatter(
        name="band",
        x=[*update.tolist(), *update[::-1].tolist()],
        y=[*np.round(high, 2).tolist(), *np.round(low[::-1], 2).tolist()],
        mode="lines",
        line={"color": BAND, "width": 0},
        fill="toself",
        fillcolor=BAND,
        hoverinfo="skip",
    )


def _smooth(go: Any, update: NDArray[Any], smooth: NDArray[Any]) -> Any:  # noqa: ANN401
    return go.Scatter(
        name="smooth",
        x=update.tolist(),
        y=np.round(smooth, 3).tolist(),
        mode="lines",
        line={"color": ACCENT, "width": 2},
        hovertemplate="smooth loss %{y:.2f}<br>update %{x:,}<extra></extra>",
    )


def _own(go: Any, curve: OwnCurve) -> Any:  # noqa: ANN401
    return go.Scatter(
        name="own",
        x=curve.update,
        y=np.round(curve.smooth, 3).tolist(),
        mode="lines",
        line={"color": OWN, "width": 1.2},
        hovertemplate="the author's %{y:.2f}<br>update %{x:,}<extra></extra>",
    )


def _axis(title: str, bounds: list[float], tick_format: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "standoff": 8},
        "range": bounds,
        "gridcolor": LINE,
        "zeroline": False,
        "tickformat": tick_format,
        "automargin": False,
    }


def _line(name: str, **where: object) -> dict[str, Any]:
    dash = "dot" if name == "reference" else "solid"
    width = 1
    colour = SOFT if name == "reference" else LINE
    line = {"color": colour, "width": width, "dash": dash}
    # The lines of the epochs would cut the curve.
    layer = "below" if name == "epoch" else "above"
    return {"name": name, "type": "line", "layer": layer, "line": line, **where}


def _distinct(references: list[tuple[str, float]], span: float) -> list[tuple[str, float]]:
    """Return the references without those whose label would overlap that of the next one."""
    return [
        (name, loss)
        for number, (name, loss) in enumerate(references)
        if all(loss - lower > LABEL_DISTANCE * span for _, lower in references[number + 1 :])
    ]


def _lowest_label(best: Best, last: int, bottom: float, top: float) -> dict[str, Any]:
    # Below the point, unless the axis is there.
    below = best.smooth_loss - bottom > 2 * LABEL_DISTANCE * (top - bottom)
    return {
        "name": "lowest",
        "x": best.update,
        "y": best.smooth_loss,
        "text": f"lowest: {best.smooth_loss:.2f} at update {best.update:,}",
        "showarrow": False,
        "xanchor": "right" if best.update > last / 2 else "left",
        "yanchor": "top" if below else "bottom",
        "yshift": -8 if below else 8,
        "font": {"color": INK, "size": 12},
    }


def _reference_label(name: str, loss: float) -> dict[str, Any]:
    return {
        "name": "reference",
        "xref": "paper",
        "x": 1,
        "y": loss,
        "text": name,
        "showarrow": False,
        "xanchor": "left",
        "xshift": 6,
        "font": {"color": SOFT, "size": 11},
    }


def _epoch_label(first: int, number: int) -> dict[str, Any]:
    return {
        "name": "epoch",
        "x": first,
        "yref": "paper",
        "y": 1,
        "text": f"epoch {number:,}",
        "showarrow": False,
        "xanchor": "left",
        "yanchor": "bottom",
        "font": {"color": SOFT, "size": 11},
    }
