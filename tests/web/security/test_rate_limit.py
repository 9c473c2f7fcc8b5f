"""Rate limits: token buckets and their settings."""

import ipaddress

import pytest
from pydantic import ValidationError

from server.settings import Settings
from server.web.http.problems import Problem
from server.web.security.rate_limit import MAX_BUCKETS, Throttle, TokenBucket, network_of

SMALL = {"hidden_size": 5, "sample_length": 10, "paused": True}
TOKEN = "a token for tests"


def test_a_bucket_holds_a_minute_of_tokens_and_refills_steadily():
    bucket = TokenBucket(60, 0)
    assert bucket.wait_s(60, 0) == 0
    bucket.take(60, 0)
    assert bucket.wait_s(1, 0) == pytest.approx(1)
    assert bucket.wait_s(5, 2) == pytest.approx(3)
    assert bucket.wait_s(5, 5) == 0
    assert bucket.wait_s(60, 1_000) == 0
    assert bucket.wait_s(60, 1_000) == 0, "asking takes nothing"


def test_a_request_over_the_capacity_needs_a_full_bucket():
    bucket = TokenBucket(10, 0)
    assert bucket.wait_s(200, 0) == 0
    bucket.take(200, 0)
    assert bucket.wait_s(200, 0) == pytest.approx(60)
    assert bucket.wait_s(200, 61) == 0


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def refusal(throttle, address, work="passages", tokens=1):
    try:
        throttle.admit(address, work, tokens)
    except Problem as problem:
        return problem
    return None


def test_an_address_has_a_limit_and_all_together_have_one():
    clock = Clock()
    settings = Settings(viewer_passages_per_minute=6, total_passages_per_minute=9)
    throttle = Throttle(settings, clock)
    for _ in range(6):
        assert refusal(throttle, "10.0.0.1") is None
    wrong = refusal(throttle, "10.0.0.1")
    assert wrong.status == 429
    assert "6 passages of 1,000 characters a minute from one address" in wrong.detail
    assert wrong.headers == {"Retry-After": "10"}
    for _ in range(3):
        assert refusal(throttle, "10.0.0.2") is None
    wrong = refusal(throttle, "10.0.0.3")
    assert "9 passages" in wrong.detail
    assert "all viewers together" in wrong.detail
    assert refusal(throttle, "10.0.0.3", "checks") is None, "each kind of work for itself"
    clock.now_s = float(wrong.headers["Retry-After"])
    assert refusal(throttle, "10.0.0.3") is None, "admitted after Retry-After"


def test_refused_requests_are_not_counted():
    clock = Clock()
    throttle = Throttle(Settings(viewer_checks_per_minute=5, total_checks_per_minute=7), clock)
    assert refusal(throttle, "10.0.0.1", "checks", 5) is None
    for _ in range(100):
        assert refusal(throttle, "10.0.0.1", "checks")
        assert refusal(throttle, "10.0.0.2", "checks", 3)
    assert refusal(throttle, "10.0.0.2", "checks", 2) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unknown", ""),
        ("x" * 60_000, ""),
        ("fe80::1%" + "x" * 60_000, "fe80::/64"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address, network):
    assert network_of(address) == network


def test_the_number_of_buckets_is_bounded():
    clock = Clock()
    settings = Settings(viewer_checks_per_minute=2, total_checks_per_minute=10**9)
    throttle = Throttle(settings, clock)
    for number in range(3 * MAX_BUCKETS):
        clock.now_s += 1e-6
        throttle.admit(str(ipaddress.ip_address(number)), "checks", 2)
    assert len(throttle._buckets) <= MAX_BUCKETS
    assert refusal(throttle, str(ipaddress.ip_address(number)), "checks"), (
        "the newest are remembered"
    )


def test_forwarded_text_that_is_no_address_takes_no_memory():
    throttle = Throttle(Settings(viewer_checks_per_minute=10_000, total_checks_per_minute=10**9))
    for number in range(1_000):
        throttle.admit(f"{number}" + "x" * 60_000, "checks")
    assert sum(len(address) for _, address in throttle._buckets) < 100
    assert len(throttle._buckets) == 1


@pytest.mark.parametrize("limit", ["viewer_timeout_s", "request_timeout_s", "max_runs"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_an_invalid_limit_is_refused_at_start(limit, value):
    with pytest.raises(ValidationError):
        Settings(**{limit: value})
