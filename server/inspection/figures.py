"""The figures of a network's health: what is usual, what a value means, and what to change.

The ranges were measured: 16 runs of the shipped text, with each cell, optimizer and kind of
clipping, and with settings that were wrong on purpose, after 100, 1,000 and 10,000 updates. See
docs/inside.md, which has the sources too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from server.concurrency.json_lines import Message
from server.rnn.cells import CELLS
from server.spec.run_spec import RunSpec
from server.spec.schemas import ApiModel

__all__ = ["Figure", "HalfLife", "half_life_sentence", "make_figures"]

Status = Literal["usual", "unusual", "harmful"]
Number = float | None
HalfLife = float | Literal["infinite"] | None

USUALLY_CLIPPED = 0.02
MOST_OVER_LIMIT = 20.0
"""The greatest usual share of clipped numbers, and norm divided by its limit."""

MOST_NAMED = 4
"""More values than these are counted in a sentence, not named."""

RANK: dict[Status, int] = {"usual": 0, "unusual": 1, "harmful": 2}


class FigureValue(ApiModel):
    """One value of a figure.

    Attributes
    ----------
    name : str
        Of the layer, gate or parameter; empty if the figure has one value.
    value : float or None
        None if it is not known, or not finite.
    status : {"usual", "unusual", "harmful"} or None
        None if it is not known, or has no usual range.
    """

    name: str
    value: Number
    status: Status | None


class FigureScale(ApiModel):
    """The axis on which a figure's values are drawn. Values beyond an end are drawn at it.

    Attributes
    ----------
    low, high : float
    log : bool
    usual : (float, float) or None
        The usual range.
    """

    low: float
    high: float
    log: bool
    usual: tuple[float, float] | None


class Figure(ApiModel):
    """A figure with its values and sentences.

    Attributes
    ----------
    name, label : str
        As in the answer, and as people read it.
    unit : str
        "share", a unit, or empty.
    values : list of FigureValue
        One, or one for each layer, gate or parameter.
    scale : FigureScale
    status : {"usual", "unusual", "harmful"} or None
        The worst of the values.
    normal, meaning, advice : str
        What is usual, what this value means, and what to change; `advice` is empty if nothing is to
        be changed.
    """

    name: str
    label: str
    unit: str
    values: list[FigureValue]
    scale: FigureScale
    status: Status | None
    normal: str
    meaning: str
    advice: str


@dataclass(frozen=True, slots=True)
class Band:
    """A range of values up to a limit, with its status and sentences."""

    up_to: float
    status: Status
    meaning: str
    advice: str = ""


def make_figures(health: Message, ratios: Message | None, spec: RunSpec) -> list[Figure]:
    """Return the figures of a network's health.

    Parameters
    ----------
    health : dict
        The reply to `MeasureHealth`.
    ratios : dict or None
        The reply to `MeasureUpdateRatios`; None if the run has no checkpoint.
    spec : RunSpec
        The run's.
    """
    return [
        _gradient_norm(health["gradient_norm"], spec),
        _clipped_share(health["clipped_share"], health["gradient_norm"], spec),
        _half_life(health["memory"]["half_life"], spec),
        _saturated_share(health["saturated_share"], spec),
        _dead_share(health["dead_share"], health["characters"]),
        _spectral_radius(health["spectral_radius"], spec),
        _update_ratio(ratios),
        _parameter_norms(health["parameter_norms"]),
    ]


def half_life_sentence(half_life: HalfLife) -> str:
    """Return the half-life of a gradient, going back in time, in words."""
    if half_life is None:
        return "The gradient is too small to measure how fast it falls."
    if half_life == "infinite":
        return "The gradient does not fall on its way back in time: it explodes."
    if half_life < 1:
        left = _number(100.0 * 0.5 ** (1.0 / half_life), 2)
        return f"Each character back in time leaves {left}% of the gradient."
    return f"Half of the gradient is left after {_number(half_life, 2)} characters back in time."


def _gradient_norm(norm: Number, spec: RunSpec) -> Figure:
    length = spec.sequence_length
    least, most, exploding = 0.01 * length, 5.0 * length, 100.0 * length
    limited = ", and clip the gradient" if spec.clip is None else ". Clipping limits the steps"
    explodes = Band(
        math.inf,
        "harmful",
        "The gradient explodes: a step along it makes the loss far worse.",
        f"Begin again with a smaller init_scale or a lower learning rate{limited}.",
    )
    return _figure(
        ("gradient_norm", "Gradient norm, in nats", "nats"),
        [("", norm)],
        FigureScale(low=1e-3 * length, high=1e3 * length, log=True, usual=(least, most)),
        f"With sequences of {length} characters {_number(least)} to {_number(most)} is usual: at"
        " most 5 for each character.",
        [
            Band(
                least,
                "unusual",
                "The gradient of the next update is nearly zero: the update changes hardly"
                " anything.",
                "If the loss is still high, begin again with a lower learning rate or a smaller"
                " init_scale.",
            ),
            Band(most, "usual", "The gradient of the next update does not explode."),
            Band(
                exploding,
                "unusual",
                "The gradient of the next update is large: the step may make the loss worse.",
                "Lower the learning rate.",
            ),
            explodes,
        ],
        unknown=explodes,
    )


def _clipped_share(share: float, norm: Number, spec: RunSpec) -> Figure:
    names = ("clipped_share", "Share clipped", "share")
    scale = FigureScale(low=0.0, high=1.0, log=False, usual=(0.0, USUALLY_CLIPPED))
    if spec.clip is None:
        bands = [Band(math.inf, "usual", "Nothing limits the steps: clipping is off.")]
        return _figure(names, [("", share)], scale, "Without clipping it is 0%.", bands)
    limit = _number(spec.clip)
    if spec.clip_mode == "value":
        bands = [
            Band(
                USUALLY_CLIPPED,
                "usual",
                f"Clipping at {limit} hardly changes the direction of the step.",
            ),
            Band(
                math.inf,
                "unusual",
                f"Clipping at {limit} changes the direction of the step.",
                "Raise the limit; if the gradient norm is high, lower the learning rate instead.",
            ),
        ]
        normal = "At most 2% is usual. It is the share of the gradient's numbers beyond the limit."
        return _figure(names, [("", share)], scale, normal, bands)
    ratio = math.inf if norm is None else norm / spec.clip
    often = f"The norm is {_number(ratio)} times the limit of {limit}: the step is shorter, in the"
    if ratio <= 1:
        band = Band(math.inf, "usual", f"The norm is below the limit of {limit}.")
    elif ratio <= MOST_OVER_LIMIT:
        band = Band(math.inf, "usual", f"{often} same direction.")
    else:
        band = Band(
            math.inf,
            "unusual",
            f"{often} same direction.",
            "Raise the limit to about the usual norm, or find out why the gradient explodes.",
        )
    normal = (
        "0% and 100% are usual: the whole gradient is scaled down if its norm is above the limit."
    )
    scale = scale.model_copy(update={"usual": (0.0, 1.0)})
    return _figure(names, [("", share)], scale, normal, [band])


def _half_life(half_life: HalfLife, spec: RunSpec) -> Figure:
    words = half_life_sentence(half_life)
    lower = ", or ".join(["a lower learning rate", *_gated_cells(spec)])
    explodes = Band(
        math.inf,
        "harmful",
        words,
        "Lower init_scale or the learning rate, and clip the gradient.",
    )
    too_small = Band(
        math.inf, "unusual", words, "Begin again with a lower learning rate or another init_scale."
    )
    known = None if isinstance(half_life, str) else half_life
    return _figure(
        ("half_life", "Half-life of the gradient, in characters", "characters"),
        [("", known)],
        FigureScale(low=0.1, high=1000.0, log=True, usual=(1.0, 1000.0)),
        "1 to 3 is usual for a vanilla network, 2 to 20 for a GRU or LSTM. The memory view has the"
        " whole curve.",
        [
            Band(
                1.0,
                "unusual",
                f"{words} The network learns only from the last few characters.",
                f"Early in a training this is usual. If it lasts, use {lower}.",
            ),
            Band(math.inf, "usual", words),
        ],
        unknown=explodes if half_life == "infinite" else too_small,
    )


def _saturated_share(shares: Sequence[float], spec: RunSpec) -> Figure:
    # Through its update gate or its state c, a gated cell passes the gradient on all the same.
    passes = (
        " Less than a tenth of the gradient passes each of them, so it vanishes in a few steps."
        if not CELLS[spec.cell].gate_names
        else " Less than a tenth of the gradient passes the tanh of each of them."
    )
    adam = [] if spec.optimizer == "adam" else ["Adam with its default of 0.002"]
    other = ", or ".join(["a lower learning rate", *adam, *_gated_cells(spec)])
    return _figure(
        ("saturated_share", "Saturated activations", "share"),
        _by_layer(shares),
        FigureScale(low=0.0, high=1.0, log=False, usual=(0.0, 0.5)),
        "Up to 50% is usual. An activation is saturated below −0.95 or above 0.95, where the slope"
        " of tanh is less than 0.1.",
        [
            Band(0.5, "usual", "Most units pass the gradient on."),
            Band(
                0.95,
                "unusual",
                f"Most activations are saturated.{passes}",
                f"Use {other}.",
            ),
            Band(
                math.inf,
                "harmful",
                "Nearly all activations are saturated: hardly any gradient passes.",
                "Begin again with a lower learning rate or a smaller init_scale.",
            ),
        ],
    )


def _dead_share(shares: Sequence[float], characters: int) -> Figure:
    advice = "Early in a training this is usual. If it lasts, lower the learning rate."
    return _figure(
        ("dead_share", "Dead units", "share"),
        _by_layer(shares),
        FigureScale(low=0.0, high=1.0, log=False, usual=(0.0, 0.1)),
        "Up to 10% is usual. A unit is dead if its activation stays within a range of 0.01 while"
        f" the network reads {characters} characters.",
        [
            Band(0.1, "usual", "Nearly all units change as the network reads."),
            Band(
                0.5, "unusual", "Some units are constant: they are no better than a bias.", advice
            ),
            Band(
                math.inf,
                "harmful",
                "Most units are constant: the layer hardly knows what was read.",
                advice,
            ),
        ],
    )


def _spectral_radius(radii: Sequence[Sequence[Number]], spec: RunSpec) -> Figure:
    gates = CELLS[spec.cell].gate_names
    values = [
        (" ".join(filter(None, (_layer(layer, len(radii)), gate))), radius)
        for layer, of_gates in enumerate(radii)
        for gate, radius in zip(gates or [""] * len(of_gates), of_gates, strict=True)
    ]
    which = " Each is that of one gate's block of W." if gates else ""
    return _figure(
        ("spectral_radius", "Spectral radius of W", ""),
        values,
        FigureScale(low=0.01, high=100.0, log=True, usual=(0.3, 10.0)),
        f"0.3 to 10 is usual: the greatest absolute value of an eigenvalue.{which}",
        [
            Band(
                0.3,
                "unusual",
                "The recurrence is weak: the network hardly uses what it read before.",
                "Early in a training this is usual. If it lasts, raise the learning rate or"
                " init_scale.",
            ),
            Band(
                10.0,
                "usual",
                "Above 1 a gradient may grow from step to step. The slopes of the units, which"
                " are less than 1, counter this.",
            ),
            Band(
                30.0,
                "unusual",
                "The recurrence is strong: the units saturate, or the gradient explodes.",
                "Lower the learning rate or init_scale.",
            ),
            Band(
                math.inf,
                "harmful",
                "The recurrence is so strong that the input hardly matters.",
                "Begin again with a lower learning rate or a smaller init_scale.",
            ),
        ],
        unknown=None,
        unknown_meaning="It is not computed for layers of more than 512 units.",
    )


def _update_ratio(reply: Message | None) -> Figure:
    ratios = {} if reply is None else reply["ratios"]
    when = "" if reply is None else f" Measured at update {reply['update']:,}."
    return _figure(
        ("update_ratio", "Update-to-weight ratio", ""),
        list(ratios.items()),
        FigureScale(low=1e-7, high=1.0, log=True, usual=(1e-5, 0.05)),
        "0.00001 to 0.05 is usual, and 0.001 a good value: the norm of a step, divided by that of"
        " the parameter.",
        [
            Band(
                1e-5,
                "unusual",
                f"These parameters hardly change.{when}",
                "If the loss should still fall, raise the learning rate.",
            ),
            Band(0.05, "usual", f"The steps are of a usual size.{when}"),
            Band(
                0.3,
                "unusual",
                f"The steps are large.{when}",
                "If the loss does not fall, lower the learning rate.",
            ),
            Band(
                math.inf,
                "harmful",
                f"A single step replaces much of what the parameter was.{when}",
                "Lower the learning rate.",
            ),
        ],
        unknown=None,
        unknown_meaning=(
            "It is not a finite number: the parameters were zero, or the step is far too large."
            f"{when}"
        )
        if reply
        else "It is measured from the first checkpoint on: the optimizer's state is in it.",
    )


def _parameter_norms(norms: dict[str, Number]) -> Figure:
    return Figure(
        name="parameter_norms",
        label="Norms of the parameters",
        unit="",
        values=[FigureValue(name=name, value=norm, status=None) for name, norm in norms.items()],
        scale=FigureScale(low=0.01, high=1000.0, log=True, usual=None),
        status=None,
        normal="There is no usual range: a norm grows with the size of the parameter.",
        meaning="A norm that grows without end shows that the learning rate is too high.",
        advice="",
    )


def _figure(
    names: tuple[str, str, str],
    values: Sequence[tuple[str, Number]],
    scale: FigureScale,
    normal: str,
    bands: Sequence[Band],
    *,
    unknown: Band | None = None,
    unknown_meaning: str = "",
) -> Figure:
    """Return a figure with the status and the sentences of its worst value.

    Parameters
    ----------
    names : tuple of str
        Its name, label and unit.
    values : sequence of (str, float or None)
        Each with the name of what it is the value of.
    scale, normal
        As in `Figure`.
    bands : sequence of Band
        In ascending order.
    unknown : Band, optional
        That of a value that is not finite; None: it has no status.
    unknown_meaning : str
        The meaning if no value is known and `unknown` is None.
    """
    found = [
        unknown if value is None else next(band for band in bands if value <= band.up_to)
        for _, value in values
    ]
    known = [band for band in found if band is not None]
    worst = max(known, key=lambda band: RANK[band.status], default=None)
    meaning = unknown_meaning if worst is None else worst.meaning
    if worst is not None and any(band is not worst for band in found):
        which = [name for (name, _), band in zip(values, found, strict=True) if band is worst]
        many = len(which) > MOST_NAMED
        meaning = f"{f'{len(which)} of {len(values)}' if many else _joined(which)}: {meaning}"
    name, label, unit = names
    return Figure(
        name=name,
        label=label,
        unit=unit,
        values=[
            FigureValue(name=each, value=value, status=band.status if band else None)
            for (each, value), band in zip(values, found, strict=True)
        ],
        scale=scale,
        status=worst.status if worst else None,
        normal=normal,
        meaning=meaning,
        advice=worst.advice if worst else "",
    )


def _by_layer(shares: Sequence[float]) -> list[tuple[str, Number]]:
    return [(_layer(layer, len(shares)), share) for layer, share in enumerate(shares)]


def _layer(layer: int, layers: int) -> str:
    """Return the name of a layer, which people count from 1; empty if there is only one."""
    return f"layer {layer + 1}" if layers > 1 else ""


def _gated_cells(spec: RunSpec) -> list[str]:
    """Return the cells that keep the gradient for longer than that of a run does."""
    return [] if CELLS[spec.cell].gate_names else ["a GRU or LSTM"]


def _joined(names: Sequence[str]) -> str:
    *others, last = names
    text = f"{', '.join(others)} and {last}" if others else last
    # Words begin with a capital; names of parameters, such as b1, stay as they are.
    return text[0].upper() + text[1:] if re.match("[a-z]{3}", text) else text


def _number(value: float, digits: int = 3) -> str:
    """Return a number with at least this many digits, without an exponent."""
    if value >= 10**digits:
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")
