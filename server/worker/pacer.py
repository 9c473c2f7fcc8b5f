"""When the next update is due."""

import time
from collections.abc import Callable

from server.spec.pace import Pace

CINEMATIC_START_UPDATES_PER_S = 10.0
"""The rate r at which a cinematic run begins."""

CINEMATIC_GROWTH_PER_S = 0.07331975741021882
"""The k that solves ln(1 + 100,000 k / r) / k = 90 s; see `Pacer`."""

MAX_DEBT_S = 0.05
"""How late training may be and still hurry to catch up."""

LONGEST_WAIT_S = 3600.0
"""The longest wait that is ever named, so that any timer can hold it."""


class Pacer:
    """Say how long to wait before the next update.

    A fixed pace of r updates a second leaves 1/r seconds between updates.

    A cinematic pace grows in proportion to the update u that training has
    reached, so that the beginning, where the text changes most, can be watched:

        du/dt = r + k u,   u(0) = 0,   r = 10 updates a second
        t(u) = ln(1 + k u / r) / k

    With k = 0.0733 a second, t(100,000) = 90 s. For u well above r / k (about 136)
    each tenfold takes ln(10) / k, about 31 s, and it begins at 10 updates a second.

    Time that was lost, to a pause or to a slow machine, is not made up for:
    training is never considered more than `MAX_DEBT_S` late. That little is
    allowed so that the imprecision of the system's sleep does not add up.

    Parameters
    ----------
    pace : Pace
        As `parse_pace` returns it.
    clock : Callable[[], float], default=time.monotonic
        Seconds from any origin, never going back.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._update: int | None = None
        self._due_s = 0.0
        self._pace = pace

    @property
    def pace(self) -> Pace:
        """The pace in force."""
        return self._pace

    def set_pace(self, pace: Pace) -> None:
        """Change the pace at once.

        The next update is due one interval of the new pace from now, or when
        it was due already, if that is sooner.

        Parameters
        ----------
        pace : Pace
            As `parse_pace` returns it.
        """
        was_waiting = self._pace != "max" and self._update is not None
        self._pace = pace
        if pace == "max" or self._update is None:
            return
        next_s = self._clock() + self._interval_s(self._update)
        self._due_s = min(self._due_s, next_s) if was_waiting else next_s

    def delay_s(self, update: int) -> float:
        """Say how long to wait before the next update may begin.

        Asking again without having made an update changes nothing, so a wait
        may be cut short to look at something else, and one of `LONGEST_WAIT_S`
        is followed by asking again.

        Parameters
        ----------
        update : int
            How many updates have been made so far.

        Returns
        -------
        float
            Seconds, 0.0 if the next update is due. The first is due at once.
        """
        if self._pace == "max":
            self._update = update
            return 0.0
        now_s = self._clock()
        if update != self._update:
            if self._update is None:
                self._due_s = now_s
            else:
                self._due_s += self._interval_s(update)
            self._update = update
        wait_s = self._due_s - now_s
        if wait_s > 0.0:
            return min(wait_s, LONGEST_WAIT_S)
        if wait_s < -MAX_DEBT_S:
            self._due_s = now_s - MAX_DEBT_S
        return 0.0

    def _interval_s(self, update: int) -> float:
        """Return the seconds from one update to the next, at the update reached."""
        pace = self._pace
        if pace == "cinematic":
            rate = CINEMATIC_START_UPDATES_PER_S + CINEMATIC_GROWTH_PER_S * update
            return 1.0 / rate
        return 1.0 / float(pace)
