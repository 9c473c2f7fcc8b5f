"""The table of docs/course.md: how each mistake shows."""

from __future__ import annotations

from server.course.symptoms import Figures, Symptom, figures, symptoms
from server.course.training import training_mistakes
from server.rnn.architecture import MAX_LAYERS

__all__ = ["mistakes_table"]

CURVES = {"hidden": "hides it", "beside": "looks right", "visible": "shows it"}


def mistakes_table() -> str:
    """Return the networks that were trained, and a row for each mistake, in Markdown."""
    labels = {
        (cell, mistake.name): mistake.label
        for cell in {cell for cell, _ in symptoms()}
        for mistake in training_mistakes(cell, MAX_LAYERS)
    }
    rows = [_row(labels[key], symptom) for key, symptom in symptoms().items()]
    head = [
        "| mistake | network | loss with it | without | the curve | gradients |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*map(_network, figures()), "", *head, *rows])


def _network(right: Figures) -> str:
    seeds = {each.seeds for each in symptoms().values() if each.right == right}
    return (
        f"- **{_name(right)}**: m = {right.hidden_size}, T = {right.sequence_length},"
        f" {right.updates:,} updates. {right.seeds} right networks: {right.mean:.1f} ±"
        f" {right.deviation:.1f} (mean and standard deviation);"
        f" {' or '.join(map(str, sorted(seeds)))} with each mistake; gradients after update"
        f" {right.checked_at:,}."
    )


def _name(right: Figures) -> str:
    return right.cell + (f" of {right.layers} layers" if right.layers > 1 else "")


def _row(label: str, symptom: Symptom) -> str:
    loss = symptom.smooth_loss
    end = f"not finite from update {symptom.not_finite_at:,} on" if loss is None else f"{loss:.1f}"
    worst = symptom.worst_gradient
    cells = [
        label,
        _name(symptom.right),
        end,
        f"{symptom.right.mean:.1f}",
        CURVES[symptom.verdict],
        "–" if worst is None else f"{worst[0]} {worst[1]:.2g}",
    ]
    return f"| {' | '.join(cells)} |"
