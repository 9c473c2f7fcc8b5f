"""Limiting the updates a second to a run's pace."""

import time
from collections.abc import Callable

from server.spec.pace import Pace

CINEMATIC_START_UPDATES_PER_S = 10.0
"""The initial rate r of a cinematic run."""

CINEMATIC_GROWTH_PER_S = 0.07331975741021882
"""The k that solves ln(1 + 100,000 k / r) / k = 90 s; see `Pacer`."""

MAX_LAG_S = 0.05
"""Lateness that is made up for by shorter waits."""

MAX_WAIT_S = 3600.0
"""The longest wait returned, which every timer can represent."""


class Pacer:
    """Computes how long to wait before the next update.

    A fixed pace of r updates a second leaves 1/r seconds between updates.

    A cinematic pace grows linearly with the update u that training has reached,
    so that the beginning is slow, where the text changes most:

        du/dt = r + k u,   u(0) = 0,   r = 10 updates a second
        t(u) = ln(1 + k u / r) / k

    With k = 0.0733 a second, t(100,000) = 90 s. For u well above r / k (about 136),
    ten times as many updates take ln(10) / k longer, about 31 s.

    Time lost to a pause or a slow machine is not made up for: training counts as
    at most `MAX_LAG_S` late. So much is allowed because otherwise the inaccuracy
    of the system's sleep would add up.

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
        """The current pace."""
        return self._pace

    def set_pace(self, pace: Pace) -> None:
        """Change the pace at once.

        The next update is due one interval of the new pace from now, or when
        it was due before the change, if that is sooner.

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
        """Return how long to wait before the next update.

        Another call before that update has been made changes nothing, so a wait
        may be interrupted. After `MAX_WAIT_S` the method must be called again.

        Parameters
        ----------
        update : int
            Number of updates made so far.

        Returns
        -------
        float
            Seconds; 0.0 if the next update is due. The first update is due at once.
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
            return min(wait_s, MAX_WAIT_S)
        if wait_s < -MAX_LAG_S:
            self._due_s = now_s - MAX_LAG_S
        return 0.0

    def _interval_s(self, update: int) -> float:
        """Return the seconds between two updates, at the update reached."""
        pace = self._pace
        if pace == "cinematic":
            rate = CINEMATIC_START_UPDATES_PER_S + CINEMATIC_GROWTH_PER_S * update
            return 1.0 / rate
        return 1.0 / float(pace)
