"""Rate limits for viewers: a token bucket per address, and one for all viewers together.

A lecture hall is one address: three hundred laptops behind one router. The limit of an address is
therefore high, and that of all addresses together only somewhat higher. A bucket holds a whole
minute's tokens, because a hall makes its requests all at once. A limit per browser would need a
cookie, which an attacker would not send.
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

Work = Literal["passages", "checks", "downloads", "surprisals"]

WORK_NAMES: dict[Work, str] = {
    "passages": "passages of 1,000 characters",
    "checks": "gradient checks",
    "downloads": "downloads",
    "surprisals": "surprisal requests",
}
# A bucket unused for a minute is full again, and can be dropped.
MAX_BUCKETS = 10_000
# A client with one IPv6 address usually has the whole /64 network.
IPV6_PREFIX_BITS = 64


class TokenBucket:
    """A token bucket that holds a minute's tokens, and starts full.

    Parameters
    ----------
    per_minute : int
        Tokens added per minute; also the bucket's capacity.
    now_s : float
        The time, in seconds of any clock; later calls use the same clock.
    """

    __slots__ = ("_per_minute", "_tokens", "_updated_s")

    def __init__(self, per_minute: int, now_s: float) -> None:
        self._per_minute = per_minute
        self._tokens = float(per_minute)
        self._updated_s = now_s

    def wait_s(self, tokens: float, now_s: float) -> float:
        """Return the seconds until so many tokens are available; 0 if they are."""
        self._refill(now_s)
        # A request for more than the capacity is admitted when the bucket is full.
        missing = min(tokens, self._per_minute) - self._tokens
        return max(0.0, missing * 60 / self._per_minute)

    def take(self, tokens: float, now_s: float) -> None:
        """Remove tokens, which must be available."""
        self._refill(now_s)
        self._tokens = max(0.0, self._tokens - tokens)

    def is_full(self, now_s: float) -> bool:
        """Whether the bucket is in the state of a new one."""
        self._refill(now_s)
        return self._tokens >= self._per_minute

    def _refill(self, now_s: float) -> None:
        added = (now_s - self._updated_s) * self._per_minute / 60
        self._tokens = min(self._per_minute, self._tokens + added)
        self._updated_s = now_s


class Throttle:
    """Limits how often viewers may request work.

    Parameters
    ----------
    settings : Settings
        The limits.
    clock : callable
        Returns the time, in seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._per_minute: dict[Work, int] = {
            "passages": settings.viewer_passages_per_minute,
            "checks": settings.viewer_checks_per_minute,
            "downloads": settings.viewer_downloads_per_minute,
            "surprisals": settings.viewer_surprisals_per_minute,
        }
        self._per_minute_total: dict[Work, int] = {
            "passages": settings.total_passages_per_minute,
            "checks": settings.total_checks_per_minute,
            "downloads": settings.total_downloads_per_minute,
            "surprisals": settings.total_surprisals_per_minute,
        }
        now_s = clock()
        self._total = {
            work: TokenBucket(tokens, now_s) for work, tokens in self._per_minute_total.items()
        }
        self._buckets: dict[tuple[Work, str], TokenBucket] = {}

    def admit(self, address: str, work: Work, tokens: int = 1) -> None:
        """Count a viewer's request.

        Parameters
        ----------
        address : str
            The viewer's IP address.
        work : {"passages", "checks", "downloads", "surprisals"}
            The kind of work.
        tokens : int
            The amount of work.

        Raises
        ------
        Problem
            429: the limit is reached. The request is not counted.
        """
        now_s = self._clock()
        own = self._bucket(network_of(address), work, now_s)
        total = self._total[work]
        if wait_s := own.wait_s(tokens, now_s):
            limit = f"{self._per_minute[work]:,} {WORK_NAMES[work]} a minute from one address"
        elif wait_s := total.wait_s(tokens, now_s):
            limit = (
                f"{self._per_minute_total[work]:,} {WORK_NAMES[work]} a minute"
                " by all viewers together"
            )
        else:
            own.take(tokens, now_s)
            total.take(tokens, now_s)
            return
        retry_after_s = math.ceil(wait_s)
        raise Problem(
            429,
            f"Rate limit: {limit}. Try again in {retry_after_s:,} s.",
            {"Retry-After": str(retry_after_s)},
        )

    def _bucket(self, address: str, work: Work, now_s: float) -> TokenBucket:
        key = work, address
        if (bucket := self._buckets.get(key)) is None:
            if len(self._buckets) >= MAX_BUCKETS:
                self._drop_buckets(now_s)
            bucket = self._buckets[key] = TokenBucket(self._per_minute[work], now_s)
        return bucket

    def _drop_buckets(self, now_s: float) -> None:
        """Drop full buckets, and the older half if none is full: the total limit still applies."""
        used = {key: bucket for key, bucket in self._buckets.items() if not bucket.is_full(now_s)}
        if len(used) >= MAX_BUCKETS:
            used = dict(list(used.items())[MAX_BUCKETS // 2 :])
        self._buckets = used


def network_of(address: str) -> str:
    """Return the key of an address's bucket: an IPv4 address, or the /64 network of an IPv6 one.

    An IPv4-mapped IPv6 address counts as IPv4. Everything that is no address has one key: a proxy
    may forward whatever a client claims, of any length.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if parsed.version == 4:
        return str(parsed)
    if (mapped := getattr(parsed, "ipv4_mapped", None)) is not None:
        return str(mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX_BITS), strict=False))
