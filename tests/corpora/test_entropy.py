import math
import tracemalloc
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.corpora import entropy
from server.corpora.entropy import MAX_TABLE_SIZE, Entropy, measure_entropy


def plain_entropy(items):
    counts = Counter(items)
    total = sum(counts.values())
    return sum(n / total * math.log(total / n) for n in counts.values())


@given(st.text("ab c", min_size=1) | st.text(min_size=1))
def test_entropies_are_those_of_the_definition(text):
    measured = measure_entropy(text)
    bigram = plain_entropy(pairwise(text)) - plain_entropy(text[:-1])
    assert measured.uniform == pytest.approx(math.log(len(set(text))))
    assert measured.unigram == pytest.approx(plain_entropy(text))
    assert measured.bigram == pytest.approx(bigram, abs=1e-9)
    assert measured.bigram >= 0.0


def test_a_text_of_one_character_has_no_entropy():
    assert measure_entropy("a") == Entropy(0.0, 0.0, 0.0)
    assert measure_entropy("aaaa") == Entropy(0.0, 0.0, 0.0)


def test_context_reduces_entropy():
    measured = measure_entropy("abac" * 50)
    assert measured.bigram < measured.unigram < measured.uniform


def test_more_characters_than_fit_in_a_table_of_pairs():
    characters = math.isqrt(MAX_TABLE_SIZE) + 1
    text = "".join(map(chr, range(0x4E00, 0x4E00 + characters))) * 2
    assert measure_entropy(text).bigram == pytest.approx(0.0, abs=1e-9)
    assert measure_entropy(text).unigram == pytest.approx(math.log(characters))


@pytest.mark.parametrize("table", [1, MAX_TABLE_SIZE])
@given(text=st.text("ab c", min_size=1) | st.text(min_size=1))
def test_a_text_is_counted_in_parts(table, text):
    whole = measure_entropy(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entropy, "BLOCK_CHARACTERS", 3)
        patch.setattr(entropy, "MAX_TABLE_SIZE", table)
        assert measure_entropy(text) == whole


@pytest.mark.parametrize("table", [1, MAX_TABLE_SIZE])
def test_a_long_text_takes_no_multiple_of_its_size(monkeypatch, table):
    monkeypatch.setattr(entropy, "MAX_TABLE_SIZE", table)
    text = "abcd" * 2_000_000
    tracemalloc.start()
    try:
        measure_entropy(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80_000_000
