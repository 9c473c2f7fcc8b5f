"""Quality of a text: how much of it is real words, and how much is copied."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from server.corpora.words import WORD, find_all, has_letters, has_one_letter, word_units

NGRAM_LENGTHS = (2, 4, 8, 16, 32, 64)
"""Lengths of the indexed n-grams of the corpus; each is twice the previous one."""

BITS_PER_CHARACTER = 8
"""Size of the index of each n-gram length, rounded up to a power of two."""

MAX_INDEX_BITS = 1 << 27
"""Maximum size of the index of each n-gram length (16 MiB)."""

CHUNK_CHARACTERS = 1 << 20
"""Size of the parts in which the corpus is hashed, which bounds the memory."""

COMMON_SHARE = 1 / 1_000
"""A single letter is a word if it is at least this share of the corpus's words.

"a" and "I" are; the letters of initials and abbreviations are not.
"""

MAX_SEARCHES = 32
"""Substring searches in the corpus for one text; each reads all of it at most once."""

TABLE_BITS_PER_NGRAM = 64
"""Size of the bit set of a text's n-grams: one in 64 others is taken for one of them."""

COMPARED_AT_ONCE = 64

SPELLING_LETTERS = 3
"""Letters of a word at least, for its spelling to count. Shorter ones are often right by chance."""

MIN_PAIRS_MERGED = 1 << 16
"""Hashes of pairs of words that are collected at least before repetitions are removed."""

PASS_CHARACTERS = 1 << 18
"""Size of the parts in which the corpus is searched for a longer copy."""

HASH_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""An odd constant, 2**64 divided by the golden ratio (Knuth's multiplicative hashing)."""

LETTER_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
"""An odd constant with which letters are hashed (that of SplitMix64)."""

BitIndex = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of a text, compared with a corpus.

    Attributes
    ----------
    real_words : float
        Share of the text's words that are in the corpus, 0 to 1; 0 if it has none. In a script
        without spaces, `word_units` stand for words.
    longest_real_run : int
        Greatest number of consecutive words that are all in the corpus.
    longest_copy : int
        Length in characters of the longest substring of the text that is also a
        substring of the corpus.
    words : int or None
        Number of the text's words, of which `real_words` is the share; None if an earlier version
        measured the text.
    spelling : float or None
        Share of the text's words of at least three letters that are in the corpus, 0 to 1; None if
        it has none, or if an earlier version measured the text.
    word_bigrams : float or None
        Share of the pairs of consecutive words of the text that are consecutive in the corpus too,
        0 to 1; None if it has no pair, or if an earlier version measured the text. What is between
        the two words does not count.
    """

    real_words: float
    longest_real_run: int
    longest_copy: int
    words: int | None = None
    spelling: float | None = None
    word_bigrams: float | None = None


class QualityMeasure:
    """Measures texts against one corpus, exactly.

    Words are the units of the matches of `WORD`, compared case-insensitively. A
    word that the end of the text truncates counts as a word. A single letter is
    in the corpus only if it is common there as a word (see `COMMON_SHARE`).

    The longest copy is found with Python's substring search, ``part in corpus``,
    which is exact but reads the whole corpus if the part is absent. To call it
    only a few times, an index of hashed n-grams first bounds the length of a
    copy at each position of the text: all l - n + 1 n-grams of a copy of length
    l are in the corpus. Hash collisions can only loosen the bound. If the corpus
    repeats itself so much that `MAX_SEARCHES` searches do not suffice, the rest is
    decided in one pass over the corpus (see `_LongerCopies`). The work is
    therefore linear in the corpus, whatever the corpus and the text are.

    Parameters
    ----------
    corpus : str
        The text to compare with. It stays in memory, with an index of 6 to 12
        bytes per character, at most 96 MiB, and 8 bytes for each different pair
        of consecutive words.
    """

    def __init__(self, corpus: str) -> None:
        self._corpus = corpus
        self._words, self._pairs = _known_words(corpus)
        self._index = _build_index(corpus)

    def measure(self, text: str) -> Quality:
        """Measure a text.

        Parameters
        ----------
        text : str
            Any text; all measures of an empty text are 0.

        Returns
        -------
        Quality
            The measures.
        """
        words = [text[start:end].casefold() for start, end in _units(text)]
        known = [word in self._words for word in words]
        run, longest_run = 0, 0
        for is_known in known:
            run = run + 1 if is_known else 0
            longest_run = max(longest_run, run)
        spelled = [
            is_known
            for word, is_known in zip(words, known, strict=True)
            if has_letters(word, SPELLING_LETTERS)
        ]
        return Quality(
            _share(known) or 0.0,
            longest_run,
            self._longest_copy(text),
            len(words),
            _share(spelled),
            _share(self._has_pairs(words)),
        )

    def _has_pairs(self, words: list[str]) -> list[bool]:
        """Return for each pair of consecutive words whether it is in the corpus."""
        wanted = _pair_hashes(np.array([_word_hash(word) for word in words], dtype=np.uint64))
        if not len(self._pairs):
            return [False] * len(wanted)
        places = np.searchsorted(self._pairs, wanted).clip(max=len(self._pairs) - 1)
        return [bool(found) for found in self._pairs[places] == wanted]

    def invented_words(self, text: str) -> list[tuple[int, int]]:
        """Find the words of a text that are not in the corpus.

        Parameters
        ----------
        text : str
            Any text.

        Returns
        -------
        list of (int, int)
            Half-open spans in the text, in characters, that do not overlap.
        """
        spans: list[tuple[int, int]] = []
        for start, end in _units(text):
            if text[start:end].casefold() in self._words:
                continue
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return spans

    def _longest_copy(self, text: str) -> int:
        """Return the length of the longest substring of a text that is in the corpus."""
        bounds = self._bounds(text)
        best, searches = 0, 0
        absent: set[str] = set()
        for start in np.argsort(-bounds, kind="stable").tolist():
            # The longest prefix of `part` in the corpus has `best` characters, or `low` to `high`.
            part = text[start : start + int(bounds[start])]
            low, high, middle = best, len(part), best + 1
            if high <= best:
                break
            if part[:middle] in absent:
                continue
            while low < high:
                if searches == MAX_SEARCHES:
                    return _LongerCopies(self._corpus, text, bounds).longest(low)
                searches += 1
                if self._is_in_corpus(part[:middle]):
                    low = middle
                elif middle == best + 1:
                    absent.add(part[:middle])
                    break
                else:
                    high = middle - 1
                middle = (low + high + 1) // 2
            best = low
        return best

    def _is_in_corpus(self, part: str) -> bool:
        return part in self._corpus

    def _bounds(self, text: str) -> npt.NDArray[np.int64]:
        """Return for each position of a text an upper bound of the length of a copy there."""
        characters = len(text)
        bounds = np.arange(characters, 0, -1)
        for (length, hashes), index in zip(_ngram_hashes(text), self._index, strict=False):
            present = _contains(hashes, index)
            count = len(present)
            # For each position, the first n-gram at or after it that is absent.
            absent_at = np.where(present, count, np.arange(count))
            first_absent = np.minimum.accumulate(absent_at[::-1])[::-1]
            longest = length - 1 + first_absent - np.arange(count)
            np.minimum(bounds[:count], longest, out=bounds[:count])
        return bounds


def _units(text: str) -> Iterator[tuple[int, int]]:
    """Yield the span of each word, or unit of a word, in a text."""
    for match in WORD.finditer(text):
        for start, end in word_units(match[0]):
            yield match.start() + start, match.start() + end


def _known_words(corpus: str) -> tuple[frozenset[str], Hashes]:
    """Return the words of a corpus, and the hashes of its pairs of consecutive words, ascending.

    The words are without the single letters that are not words there.
    """
    counts: Counter[str] = Counter()
    pairs = _PairCollector()
    for words in find_all(WORD, corpus):
        # Most words occur often: divide each distinct one only once.
        hashes: dict[str, list[int]] = {}
        for word, times in Counter(words).items():
            units = [word[start:end].casefold() for start, end in word_units(word)]
            hashes[word] = [_word_hash(unit) for unit in units]
            for unit in units:
                counts[unit] += times
        pairs.add(np.fromiter((each for word in words for each in hashes[word]), np.uint64))
    enough = counts.total() * COMMON_SHARE
    known = frozenset(
        word for word, times in counts.items() if times >= enough or not has_one_letter(word)
    )
    return known, pairs.sorted()


class _PairCollector:
    """Collects the different pairs of consecutive words of a text, as 64-bit hashes.

    Two of a million different pairs have the same hash with a probability of less than one in ten
    million. Repetitions are removed whenever as many hashes have been added as were kept, which
    bounds the memory to about three times that of the result.
    """

    def __init__(self) -> None:
        self._kept: Hashes = np.empty(0, dtype=np.uint64)
        self._added: list[Hashes] = []
        self._count = 0
        self._last: Hashes = np.empty(0, dtype=np.uint64)

    def add(self, words: Hashes) -> None:
        """Add the pairs of the next words of the text, given by their hashes."""
        # The last word of the part before is the first of a pair.
        words = np.concatenate([self._last, words])
        self._last = words[-1:]
        self._added.append(_distinct(_pair_hashes(words)))
        self._count += len(self._added[-1])
        if self._count > max(len(self._kept), MIN_PAIRS_MERGED):
            self._merge()

    def _merge(self) -> None:
        self._kept = _distinct(np.concatenate([self._kept, *self._added]))
        self._added, self._count = [], 0

    def sorted(self) -> Hashes:
        """Return the hashes, ascending."""
        self._merge()
        return self._kept


def _distinct(hashes: Hashes) -> Hashes:
    """Return each hash once, ascending. `numpy.unique` takes several times as long."""
    hashes = np.sort(hashes)
    distinct: Hashes = hashes[np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]]
    return distinct


def _word_hash(word: str) -> int:
    """Return a 64-bit hash of a word, the same in every process."""
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _pair_hashes(words: Hashes) -> Hashes:
    """Return the hash of each pair of consecutive words, given their hashes."""
    return _combined(words, 1) if len(words) > 1 else np.empty(0, dtype=np.uint64)


def _share(truths: list[bool]) -> float | None:
    return sum(truths) / len(truths) if truths else None


class _LongerCopies:
    """Finds the longest copy in one pass over the corpus.

    A chunk of the corpus is hashed for the shortest length that would be longer than the best copy
    so far. Only if the chunk contains such a copy is the length of its longest one searched for, by
    bisection: every part of a copy is a copy. The hashes of a length l between two powers of two
    are those of the two n-grams of the lower power, at the beginning and at the end.

    Parameters
    ----------
    corpus, text : str
        Both texts.
    bounds : ndarray of int64, shape (n,)
        For each position of the text, an upper bound of the length of a copy there.
    """

    def __init__(self, corpus: str, text: str, bounds: npt.NDArray[np.int64]) -> None:
        self._corpus = corpus
        self._text = text
        self._bounds = bounds
        self._longest_possible = int(bounds.max(initial=0))
        self._hash_text = _hasher(text)

    def longest(self, best: int) -> int:
        """Return the length of the longest copy; `best` is that of a known one."""
        # Consecutive chunks overlap by less than a quarter.
        step = max(PASS_CHARACTERS, 4 * self._longest_possible)
        for start in range(0, len(self._corpus), step):
            if best >= self._longest_possible:
                break
            chunk = self._corpus[start : start + step + self._longest_possible - 1]
            hash_chunk = _hasher(chunk)
            if not self._has_copy(chunk, hash_chunk, best + 1):
                continue
            low, high = best + 1, self._longest_possible
            while low < high:
                middle = (low + high + 1) // 2
                if self._has_copy(chunk, hash_chunk, middle):
                    low = middle
                else:
                    high = middle - 1
            best = low
        return best

    def _has_copy(self, chunk: str, hash_chunk: Callable[[int], Hashes], length: int) -> bool:
        """Whether a substring of the text with this length is in a chunk of the corpus."""
        if length > len(chunk):
            return False
        starts = np.flatnonzero(self._bounds >= length)
        hashes, first = np.unique(self._hash_text(length)[starts], return_index=True)
        bits = 1 << (len(hashes) * TABLE_BITS_PER_NGRAM - 1).bit_length()
        table = np.zeros(bits // 8, dtype=np.uint8)
        slots = _slots(hashes, table)
        np.bitwise_or.at(table, slots >> np.uint64(3), _bit(slots))
        of_chunk = hash_chunk(length)
        found = np.flatnonzero(_contains(of_chunk, table))
        for begin in range(0, len(found), COMPARED_AT_ONCE):
            places = found[begin : begin + COMPARED_AT_ONCE]
            known = np.searchsorted(hashes, of_chunk[places]).clip(max=len(hashes) - 1)
            equal = hashes[known] == of_chunk[places]
            for place, ngram in zip(places[equal].tolist(), known[equal].tolist(), strict=True):
                start = int(starts[first[ngram]])
                # Different texts may have equal hashes.
                if chunk[place : place + length] == self._text[start : start + length]:
                    return True
        return False


def _hasher(text: str) -> Callable[[int], Hashes]:
    """Return a function that hashes all n-grams of a length, from 1 to the length of the text."""
    of_powers = [_code_points(text)]

    def hash_ngrams(length: int) -> Hashes:
        exponent = length.bit_length() - 1
        while len(of_powers) <= exponent:
            of_powers.append(_combined(of_powers[-1], 1 << (len(of_powers) - 1)))
        rest = length - (1 << exponent)
        return _combined(of_powers[exponent], rest) if rest else of_powers[exponent]

    return hash_ngrams


def _build_index(corpus: str) -> list[BitIndex]:
    """Return, for each n-gram length, a bit set of the hashes that occur in the corpus."""
    wanted_bits = max(len(corpus), 1) * BITS_PER_CHARACTER
    bits = min(MAX_INDEX_BITS, 1 << (wanted_bits - 1).bit_length())
    index = [np.zeros(bits // 8, dtype=np.uint8) for _ in NGRAM_LENGTHS]
    for start in range(0, len(corpus), CHUNK_CHARACTERS):
        chunk = corpus[start : start + CHUNK_CHARACTERS + NGRAM_LENGTHS[-1] - 1]
        for (_, hashes), table in zip(_ngram_hashes(chunk), index, strict=False):
            where = _slots(hashes, table)
            np.bitwise_or.at(table, where >> np.uint64(3), _bit(where))
    return index


def _ngram_hashes(text: str) -> Iterator[tuple[int, Hashes]]:
    """Yield each n-gram length that fits, and the hashes of all n-grams of that length."""
    hashes = _code_points(text)
    for length in NGRAM_LENGTHS:
        if length > len(text):
            return
        hashes = _combined(hashes, length // 2)
        yield length, hashes


def _code_points(text: str) -> Hashes:
    encoded = text.encode("utf-32-le", errors="surrogatepass")
    code_points = np.frombuffer(encoded, dtype="<u4").astype(np.uint64)
    # Without it, "aab" and "abb" collide: the differences of neighbouring letters cancel out.
    code_points *= LETTER_MULTIPLIER
    return code_points ^ (code_points >> np.uint64(32))


def _combined(hashes: Hashes, distance: int) -> Hashes:
    """Return the hash of each pair of n-grams at a distance, given the hashes of all n-grams."""
    left, right = hashes[:-distance], hashes[distance:]
    # Without the shift, strings of few letters collide: polynomials modulo 2**64.
    combined: Hashes = (left ^ (left >> np.uint64(29))) * HASH_MULTIPLIER + right
    return combined


def _slots(hashes: Hashes, table: BitIndex) -> Hashes:
    """Return the bit number of each hash."""
    # The high bits of a product depend on all bits of the factors.
    shift = np.uint64(64 - (len(table) * 8 - 1).bit_length())
    return (hashes * HASH_MULTIPLIER) >> shift


def _bit(slots: Hashes) -> BitIndex:
    """Return the mask of each bit number within its byte."""
    return np.left_shift(1, (slots & np.uint64(7)).astype(np.uint8), dtype=np.uint8)


def _contains(hashes: Hashes, table: BitIndex) -> npt.NDArray[np.bool_]:
    """Return which hashes are in a bit set."""
    slots = _slots(hashes, table)
    present: npt.NDArray[np.bool_] = (table[slots >> np.uint64(3)] & _bit(slots)) != 0
    return present
