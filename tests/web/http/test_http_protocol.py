"""How long the reader of an answer is waited for."""

import pytest

from server.web.http.http_protocol import LEAST_BYTES_PER_S, WriteDeadline

CHUNK_BYTES = 65_536


def read_at(bytes_per_s, patience_s=30.0, chunks=1_000):
    """Read an answer of so many chunks; return how many were read until one came too late."""
    time, now_s = WriteDeadline(patience_s), 0.0
    for chunk in range(chunks):
        took_s = CHUNK_BYTES / bytes_per_s
        if took_s > time.wait(now_s, CHUNK_BYTES):
            return chunk
        now_s += took_s
        time.has_read(now_s, 0)
    return chunks


def test_who_reads_nothing_is_waited_for_just_so_long():
    assert WriteDeadline(30).wait(5, CHUNK_BYTES) == 30
    assert WriteDeadline(0.5).wait(5, CHUNK_BYTES) == 0.5


@pytest.mark.parametrize("times", [1.01, 2, 100])
def test_who_reads_fast_enough_reads_to_the_end(times):
    assert read_at(LEAST_BYTES_PER_S * times) == 1_000


def test_who_reads_a_little_now_and_then_does_not():
    # Each part comes within the patience, and all of them would take hours.
    read = read_at(CHUNK_BYTES / 29)
    assert 1 <= read < 3
    assert read < read_at(LEAST_BYTES_PER_S * 0.9) < 200


def test_to_have_read_fast_is_saved_up_and_the_patience_is_not_passed_for_it():
    time = WriteDeadline(30)
    for second in range(100):
        time.wait(second, 100 * LEAST_BYTES_PER_S)
        time.has_read(second, 0)
    assert time.wait(100, CHUNK_BYTES) == 30


def test_the_end_of_the_answer_before_does_not_count():
    time = WriteDeadline(30)
    time.has_read(1_000_000, 0)
    assert time.wait(1_000_001, CHUNK_BYTES) == 30
