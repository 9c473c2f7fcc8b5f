"""The write deadline of HTTP responses."""

import pytest

from server.web.http.http_protocol import MIN_READ_BYTES_PER_S, WriteDeadline

CHUNK_BYTES = 65_536


def read_at(bytes_per_s, timeout_s=30.0, chunks=1_000):
    """Read a response in chunks; return how many were read before the deadline."""
    deadline, now_s = WriteDeadline(timeout_s), 0.0
    for chunk in range(chunks):
        took_s = CHUNK_BYTES / bytes_per_s
        if took_s > deadline.pause(now_s, CHUNK_BYTES):
            return chunk
        now_s += took_s
        deadline.resume(now_s, 0)
    return chunks


def test_a_client_that_reads_nothing_gets_the_timeout():
    assert WriteDeadline(30).pause(5, CHUNK_BYTES) == 30
    assert WriteDeadline(0.5).pause(5, CHUNK_BYTES) == 0.5


@pytest.mark.parametrize("times", [1.01, 2, 100])
def test_a_client_that_reads_fast_enough_reads_to_the_end(times):
    assert read_at(MIN_READ_BYTES_PER_S * times) == 1_000


def test_a_client_that_reads_too_slowly_is_aborted():
    # Each chunk is read within the timeout, but all of them would take hours.
    read = read_at(CHUNK_BYTES / 29)
    assert 1 <= read < 3
    assert read < read_at(MIN_READ_BYTES_PER_S * 0.9) < 200


def test_fast_reading_never_extends_the_timeout():
    deadline = WriteDeadline(30)
    for second in range(100):
        deadline.pause(second, 100 * MIN_READ_BYTES_PER_S)
        deadline.resume(second, 0)
    assert deadline.pause(100, CHUNK_BYTES) == 30


def test_the_end_of_the_previous_response_does_not_count():
    deadline = WriteDeadline(30)
    deadline.resume(1_000_000, 0)
    assert deadline.pause(1_000_001, CHUNK_BYTES) == 30
