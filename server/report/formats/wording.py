"""Sentences that the HTML report and the Markdown report share."""

from __future__ import annotations

from server.report.content import CheckPart, LossPart

__all__ = ["CHECK_METHOD", "CHECK_PITFALLS", "PARTS", "check_sentence", "figure_sentence"]

PARTS = {
    "check": "How the gradients were checked",
    "loss": "The smooth loss",
    "evolution": "The evolution of the text",
    "passage": "A passage of the best model",
    "findings": "What is interesting about this run",
    "setup": "Settings, text and environment",
}

CHECK_METHOD = (
    "The gradient of every entry of every parameter, as back-propagation through time computes it,"
    " is compared with two numerical derivatives of the loss. The loss is computed by a second,"
    " plain implementation from the definitions. The complex-step derivative Im L(θ + ih) / h"
    " subtracts no close numbers and is exact up to rounding; the central difference is of sixth"
    " order. The error of an entry is |a − n| / max(10⁻⁶, |a| + |n|), in float64; the table has the"
    " greatest of each parameter."
)
CHECK_PITFALLS = (
    "Right gradients usually look wrong because they were clipped before they were compared,"
    " because the loss was computed in float32, or because the hidden state was carried over from"
    " one evaluation of the loss to the next, so that the evaluations are of different functions."
)


def check_sentence(part: CheckPart) -> str:
    """Return which network was checked, and how it differs from the run's; empty if none was."""
    if part.request is None:
        return ""
    request = part.request
    layers = "1 layer" if request.layers == 1 else f"{request.layers} layers"
    streams = "1 stream" if request.batch_size == 1 else f"{request.batch_size} streams"
    checked = (
        f"Checked: a random network with this run's cell, {request.cell.upper()}, in {layers} with"
        f" {request.hidden_size} hidden units, on {streams} of {request.sequence_length} characters"
        f" ({request.parameters:,} entries)."
    )
    if not part.differences:
        return checked
    return (
        f"{checked} Each entry needs evaluations of its own, so the check has smaller sizes than"
        f" the run: {', '.join(part.differences)}."
    )


def figure_sentence(part: LossPart) -> str:
    """Return what the figure shows; empty before the first update."""
    if not len(part.update):
        return ""
    points = "" if part.bucket == 1 else f" in steps of {part.bucket:,} updates"
    sentence = (
        f"The smooth loss{points} (line), and the lowest and highest single loss (band), in nats"
        " per sequence."
    )
    if part.lowest is not None:
        best = part.lowest
        sentence += f" The lowest point is {best.smooth_loss:.2f} at update {best.update:,}."
    if part.last is not None:
        sentence += f" At the end it is {part.last:.2f}."
    if part.own is not None:
        text = part.own.comparison.text
        sentence += f" The thin blue line is the author's own smooth loss, {part.own.file}. {text}"
    return sentence
