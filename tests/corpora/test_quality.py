import itertools
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.corpora import quality
from server.corpora.quality import CHUNK_CHARACTERS, MAX_SEARCHES, Quality, QualityMeasure

TALE = "The lamp went out. The lamp-lighter didn't; he sat on the quay and counted the lamps."


def longest_copy(corpus, text):
    best = 0
    for start in range(len(text)):
        while start + best < len(text) and text[start : start + best + 1] in corpus:
            best += 1
    return best


@pytest.fixture(scope="module")
def measure(saltmere):
    return QualityMeasure(saltmere)


def test_a_copy_of_the_corpus():
    assert QualityMeasure(TALE).measure(TALE) == Quality(1.0, 17, len(TALE), 17, 1.0, 1.0)


def test_an_empty_text():
    assert QualityMeasure(TALE).measure("") == Quality(0.0, 0, 0, 0)


def test_an_empty_corpus():
    assert QualityMeasure("").measure("The lamp") == Quality(0.0, 0, 0, 2, 0.0, 0.0)


def test_a_copy_without_words():
    assert QualityMeasure("12 + 3 = 15").measure("2 + 3?") == Quality(0.0, 0, 5, 0)


def test_words_are_compared_case_insensitively():
    quality = QualityMeasure(TALE).measure("THE Lamp DIDN'T")
    assert (quality.real_words, quality.longest_real_run) == (1.0, 3)


def test_the_longest_run_is_of_consecutive_words():
    quality = QualityMeasure(TALE).measure("the lamp xx he sat on yy the quay")
    assert (quality.real_words, quality.words) == (pytest.approx(7 / 9), 9)
    assert quality.longest_real_run == 3


def test_a_part_of_a_word_is_not_a_word():
    assert QualityMeasure(TALE).measure("lam lamps amps").real_words == pytest.approx(1 / 3)


def test_spans_of_invented_words():
    text = "The lxmp went, Quaying; didn't."
    spans = QualityMeasure(TALE).invented_words(text)
    assert [text[start:end] for start, end in spans] == ["lxmp", "Quaying"]


@pytest.mark.parametrize("noise", ['e"e"e"e"', "b c d e f g", "t, h, e", "é ö ß"])
def test_single_letters_are_no_words(measure, noise):
    assert measure.measure(noise).real_words == 0


def test_common_single_letters_are_words(measure):
    assert measure.measure("I saw a lamp").real_words == 1
    russian = QualityMeasure("И он пошёл в лес, а я и ты с ним. " * 3)
    assert russian.measure("а я в лес").real_words == 1
    assert russian.measure("п о ш").real_words == 0


def test_noise_has_hardly_any_real_words(measure, saltmere):
    letters = sorted(set(saltmere))
    noise = "".join(random.Random(3).choices(letters, k=20_000))
    assert measure.measure(noise).real_words < 0.06
    by_frequency = "".join(random.Random(3).choices(saltmere, k=20_000))
    assert measure.measure(by_frequency).real_words < 0.15


CHINESE = "他走了很远的路。他没有回来，我们都在等他。今天天气很好，我们去海边走走。"


def test_pairs_of_characters_stand_for_words_without_spaces():
    measure = QualityMeasure(CHINESE)
    assert measure.measure(CHINESE).real_words == 1
    text = "他没有走了。"
    assert measure.measure(text) == Quality(3 / 4, 2, 3, 4, None, 1 / 3)
    assert measure.invented_words(text) == [(2, 4)]
    shuffled = "".join(random.Random(4).sample(CHINESE * 9, k=300))
    assert measure.measure(shuffled).real_words < 0.2


def test_invented_pairs_that_overlap_are_one_span():
    assert QualityMeasure(CHINESE).invented_words("海路回") == [(0, 3)]


few = st.text("ab", max_size=200)
several = st.text("abcde \n", max_size=200)
any_text = st.text(max_size=200)


@st.composite
def spliced(draw):
    """Draw a corpus, and a text of parts of it with separators."""
    corpus = draw(st.text("abcdef .", min_size=50, max_size=400))
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(corpus)))
        parts.append(corpus[start : start + draw(st.integers(0, 150))])
    return corpus, draw(st.sampled_from(["", "x", "ab"])).join(parts)


@settings(max_examples=300, deadline=None)
@given(
    st.tuples(few, few) | st.tuples(several, several) | st.tuples(any_text, any_text) | spliced()
)
@example(("ab" * 200, "ab" * 90 + "b" + "ab" * 120))
@example(("a" * 64, "a" * 65))
@example(("😀👩\u200d👧e\u0301", "👧e\u0301😀"))
@example(("text", "te\ud800xt"))
def test_the_longest_copy_is_exact(corpus_and_text):
    corpus, text = corpus_and_text
    assert QualityMeasure(corpus).measure(text).longest_copy == longest_copy(corpus, text)


def from_the_book(book, order, length, seed):
    """Generate text from an n-gram model of the book, with contexts of `order` characters."""
    rng = random.Random(seed)
    text = book[:order]
    while len(text) < length:
        start = rng.randrange(len(book))
        found = book.find(text[-order:], start)
        found = found if found >= 0 else book.find(text[-order:])
        text += book[found + order : found + order + 1] or " "
    return text


@pytest.mark.parametrize("order", [1, 2, 4, 8, 16])
def test_the_longest_copy_is_exact_on_the_book(measure, saltmere, order):
    text = from_the_book(saltmere, order, 600, seed=order)
    assert measure.measure(text).longest_copy == longest_copy(saltmere, text)


def test_the_longest_copy_in_random_letters(measure, saltmere):
    text = "".join(random.Random(1).choices(sorted(set(saltmere)), k=600))
    assert measure.measure(text).longest_copy == longest_copy(saltmere, text)


def test_the_longest_possible_passage(measure, saltmere):
    copied = saltmere[100_000:119_000]
    quality = measure.measure("zq" * 500 + copied)
    assert quality.longest_copy == len(copied)


def test_a_copy_across_two_chunks_of_the_index():
    letters = random.Random(2).choices("abcdefgh", k=CHUNK_CHARACTERS + 1000)
    corpus = "".join(letters)
    text = corpus[CHUNK_CHARACTERS - 100 : CHUNK_CHARACTERS + 100]
    assert QualityMeasure(corpus).measure("x" + text + "x").longest_copy == 200


def near_equal_lines(count, seed, changes):
    """Return lines that differ from one line in a few characters each."""
    rng = random.Random(seed)
    line = random.Random(0).choices("abcdefgh ", k=199)
    lines = []
    for _ in range(count):
        changed = list(line)
        for _ in range(changes):
            changed[rng.randrange(len(line))] = rng.choice("abcdefgh")
        lines.append("".join(changed))
    return "\n".join(lines)


class CountingMeasure(QualityMeasure):
    """Counts the substring searches, each of which may read the whole corpus."""

    searches = 0

    def _is_in_corpus(self, part):
        self.searches += 1
        return super()._is_in_corpus(part)


@pytest.mark.parametrize("changes", [1, 3, 20])
def test_the_work_for_a_repetitive_corpus_is_linear(changes, monkeypatch):
    """A corpus of almost equal lines has a long copy almost everywhere in the text."""
    hashed = []
    hasher = quality._hasher

    def counting_hasher(text):
        hash_ngrams = hasher(text)

        def hash_and_count(length):
            hashed.append(len(text))
            return hash_ngrams(length)

        return hash_and_count

    monkeypatch.setattr(quality, "_hasher", counting_hasher)
    corpus = near_equal_lines(2_000, seed=1, changes=1)
    text = near_equal_lines(20, seed=2, changes=changes)
    measure = CountingMeasure(corpus)
    found = measure.measure(text).longest_copy
    assert measure.searches <= MAX_SEARCHES
    # One pass, and a bisection in a few of its chunks.
    passes = sum(size for size in hashed if size > len(text)) / len(corpus)
    assert passes <= 2 * len(text).bit_length()
    assert found == longest_copy(corpus, text)


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(few, few) | st.tuples(several, several) | st.tuples(any_text, any_text) | spliced()
)
@example(("ab" * 200, "ab" * 90 + "b" + "ab" * 120))
@example(("😀👩\u200d👧e\u0301", "👧e\u0301😀"))
@example(("abbaa", "aabb"))
def test_one_pass_finds_the_longest_copy(corpus_and_text):
    corpus, text = corpus_and_text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality, "MAX_SEARCHES", 0)
        assert QualityMeasure(corpus).measure(text).longest_copy == longest_copy(corpus, text)


@pytest.mark.parametrize("characters", [1, 7, 64])
def test_one_pass_finds_copies_across_its_chunks(monkeypatch, characters):
    monkeypatch.setattr(quality, "MAX_SEARCHES", 0)
    monkeypatch.setattr(quality, "PASS_CHARACTERS", characters)
    corpus = near_equal_lines(12, seed=3, changes=2)
    text = near_equal_lines(2, seed=4, changes=4)
    assert QualityMeasure(corpus).measure(text).longest_copy == longest_copy(corpus, text)


def test_equal_hashes_are_not_taken_for_equal_texts(monkeypatch):
    monkeypatch.setattr(quality, "MAX_SEARCHES", 0)
    monkeypatch.setattr(quality, "_combined", lambda hashes, distance: 0 * hashes[:-distance])
    assert QualityMeasure("abcdef").measure("xbcdxf").longest_copy <= 3


def test_spelling_and_pairs_of_words_by_their_definitions(measure, saltmere):
    tale = QualityMeasure(TALE)
    # Of three letters or more: lamp, wxnt, out; "he" and "A" are shorter, didn't has five letters.
    found = tale.measure("Lamp he wxnt A out didn't")
    assert found.spelling == pytest.approx(3 / 4)
    # "went out" and "out the", whatever is between the words, but not "the out".
    assert tale.measure("went OUT - the out").word_bigrams == pytest.approx(2 / 3)
    # An old text, one without long words, and one without a pair have no value, not 0.
    assert Quality(0.5, 1, 2).spelling is Quality(0.5, 1, 2).word_bigrams is None
    assert tale.measure("he on").spelling is None
    assert tale.measure("lamp").word_bigrams is None
    # In a script without spaces there are no words to spell.
    chinese = QualityMeasure("天地玄黄宇宙洪荒").measure("天地玄荒")
    assert chinese.spelling is None
    assert chinese.word_bigrams == pytest.approx(1 / 2)
    # By the definition, over more than one slice of a text.
    words = [word.casefold() for word in quality.WORD.findall(saltmere)]
    pairs = set(itertools.pairwise(words))
    rng = random.Random(5)
    drawn = [rng.choice(words) for _ in range(500)] + words[1000:1200]
    share = sum(pair in pairs for pair in itertools.pairwise(drawn)) / (len(drawn) - 1)
    assert 0.2 < share < 0.9
    assert measure.measure(" ".join(drawn)).word_bigrams == pytest.approx(share)


def test_pairs_are_found_across_slices_and_merges(monkeypatch):
    monkeypatch.setattr(quality, "MIN_PAIRS_MERGED", 4)
    monkeypatch.setattr(
        quality, "find_all", lambda pattern, text: map(pattern.findall, text.split("."))
    )
    corpus = "one two three. four five. one two. six seven eight nine ten one"
    measured = QualityMeasure(corpus)
    words = corpus.replace(".", "").split()
    assert len(measured._pairs) == len(set(itertools.pairwise(words)))
    assert measured.measure("three four, five one").word_bigrams == 1.0
    assert measured.measure("one three").word_bigrams == 0.0
