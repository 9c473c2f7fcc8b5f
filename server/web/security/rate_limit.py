"""How often those who are not the operator may ask for work: a token bucket for each address.

A lecture hall is one address: three hundred laptops behind one router. So an address may ask for
much, all addresses together for somewhat more, and a bucket holds a whole minute's worth, since a
hall asks all at once when the teacher says so. A limit for each browser would need a cookie, and
whoever means harm throws cookies away.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from typing import Literal

from server.settings import Settings
from server.web.http.problems import Problem

__all__ = ["Throttle", "TokenBucket", "Work", "network_of"]

Work = Literal["passages", "checks", "downloads", "readings"]

IN_WORDS: dict[Work, str] = {
    "passages": "passages of 1,000 characters",
    "checks": "gradient checks",
    "downloads": "downloads",
    "readings": "readings of what was read",
}
# A bucket that nobody took from for a minute is full, and need not be kept.
ADDRESSES_KEPT = 10_000
# Whoever has one address of IPv6 has all of its network.
IPV6_NETWORK_BITS = 64


class TokenBucket:
    """So many tokens a minute, of which a minute's worth can be saved.

    Parameters
    ----------
    per_minute : int
        Tokens.
    now_s : float
        By the clock that all later calls go by.
    """

    __slots__ = ("_at_s", "_left", "_per_minute")

    def __init__(self, per_minute: int, now_s: float) -> None:
        self._per_minute = per_minute
        self._left = float(per_minute)
        self._at_s = now_s

    def wait_s(self, tokens: float, now_s: float) -> float:
        """Return how many seconds it takes until so many tokens are there; 0: they are."""
        self._refill(now_s)
        # What costs more than a bucket holds is to be had from a full one.
        lacking = min(tokens, self._per_minute) - self._left
        return max(0.0, lacking * 60 / self._per_minute)

    def take(self, tokens: float, now_s: float) -> None:
        """Take so many tokens, which are there."""
        self._refill(now_s)
        self._left = max(0.0, self._left - tokens)

    def is_full(self, now_s: float) -> bool:
        """Whether there is nothing to remember."""
        self._refill(now_s)
        return self._left >= self._per_minute

    def _refill(self, now_s: float) -> None:
        gained = (now_s - self._at_s) * self._per_minute / 60
        self._left = min(self._per_minute, self._left + gained)
        self._at_s = now_s


class Throttle:
    """Counts what viewers ask for.

    Parameters
    ----------
    settings : Settings
        The limits.
    clock : callable
        The time, in seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._per_address: dict[Work, int] = {
            "passages": settings.viewer_passages_per_minute,
            "checks": settings.viewer_checks_per_minute,
            "downloads": settings.viewer_downloads_per_minute,
            "readings": settings.viewer_readings_per_minute,
        }
        self._in_total: dict[Work, int] = {
            "passages": settings.total_passages_per_minute,
            "checks": settings.total_checks_per_minute,
            "downloads": settings.total_downloads_per_minute,
            "readings": settings.total_readings_per_minute,
        }
        now_s = clock()
        self._total = {work: TokenBucket(most, now_s) for work, most in self._in_total.items()}
        self._buckets: dict[tuple[Work, str], TokenBucket] = {}

    def admit(self, address: str, work: Work, tokens: int = 1) -> None:
        """Count a viewer's wish.

        Parameters
        ----------
        address : str
            Where it comes from.
        work : {"passages", "checks", "downloads", "readings"}
            What it is.
        tokens : int
            How much of it.

        Raises
        ------
        Problem
            429: it is too often, and nothing was counted.
        """
        now_s = self._clock()
        own = self._bucket(network_of(address), work, now_s)
        shared = self._total[work]
        what = IN_WORDS[work]
        if wait_s := own.wait_s(tokens, now_s):
            limit = f"{self._per_address[work]:,} {what} a minute from one address"
        elif wait_s := shared.wait_s(tokens, now_s):
            limit = f"{self._in_total[work]:,} {what} a minute by all viewers together"
        else:
            own.take(tokens, now_s)
            shared.take(tokens, now_s)
            return
        after_s = math.ceil(wait_s)
        raise Problem(
            429,
            f"The limit is {limit}: it goes on in {after_s:,} s.",
            {"Retry-After": str(after_s)},
        )

    def _bucket(self, address: str, work: Work, now_s: float) -> TokenBucket:
        key = work, address
        if (bucket := self._buckets.get(key)) is None:
            if len(self._buckets) >= ADDRESSES_KEPT:
                self._forget(now_s)
            bucket = self._buckets[key] = TokenBucket(self._per_address[work], now_s)
        return bucket

    def _forget(self, now_s: float) -> None:
        """Forget full buckets; and should none be full, the older half: the total still holds."""
        kept = {key: each for key, each in self._buckets.items() if not each.is_full(now_s)}
        if len(kept) >= ADDRESSES_KEPT:
            kept = dict(list(kept.items())[ADDRESSES_KEPT // 2 :])
        self._buckets = kept


def network_of(address: str) -> str:
    """Return what counts as one address: that of IPv4, the network of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if (mapped := getattr(parsed, "ipv4_mapped", None)) is not None:
        return str(mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK_BITS), strict=False))
