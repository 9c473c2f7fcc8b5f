"""The pace of a run: updates per second, ``max`` or ``cinematic``."""

from typing import Literal

Pace = float | Literal["max", "cinematic"]
"""The limit on speed: updates per second, none, or slow at first and then faster."""

FASTEST_UPDATES_PER_S = 1e6
"""The greatest pace that may be given as a number."""

PACES: dict[str | float, str] = {
    "cinematic": "cinematic",
    "max": "max",
    100: "100 a second",
    10: "10 a second",
    1: "1 a second",
}
"""The paces that the forms offer, with their labels."""


def parse_pace(value: object) -> Pace:
    """Validate a pace.

    Parameters
    ----------
    value : object
        ``"max"``, ``"cinematic"``, or a number of updates per second, greater than 0 and at most
        1,000,000.

    Returns
    -------
    Pace
        The word, or the number as a float.

    Raises
    ------
    ValueError
        It is anything else.
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
