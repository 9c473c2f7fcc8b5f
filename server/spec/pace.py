"""The pace of a run: updates a second, ``max`` or ``cinematic``."""

from typing import Literal

Pace = float | Literal["max", "cinematic"]
"""How fast training may go: updates a second, as fast as it can, or slow at first."""

FASTEST_UPDATES_PER_S = 1e6
"""The greatest pace that can be asked for as a number."""


def parse_pace(value: object) -> Pace:
    """Check a pace that came from outside.

    Parameters
    ----------
    value : object
        ``"max"``, ``"cinematic"``, or a number of updates a second, greater
        than 0 and at most 1,000,000.

    Returns
    -------
    Pace
        The word itself, or the number as a float.

    Raises
    ------
    ValueError
        If it is anything else; the message is one sentence for a person.
    """
    if value == "max":
        return "max"
    if value == "cinematic":
        return "cinematic"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value <= FASTEST_UPDATES_PER_S:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise ValueError(
        'The pace must be "max", "cinematic", or a number of updates a second'
        f" greater than 0 and at most {FASTEST_UPDATES_PER_S:,.0f}."
    )
