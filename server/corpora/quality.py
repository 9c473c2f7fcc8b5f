"""How much of a text is real, and how much is copied."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from server.corpora.words import WORD, find_all

NGRAM_LENGTHS = (2, 4, 8, 16, 32, 64)
"""Lengths of the strings whose presence in the corpus is indexed, each twice the last."""

BITS_PER_CHARACTER = 8
"""Size of each gram length's index, rounded up to a power of two."""

MAX_INDEX_BITS = 1 << 27
"""Greatest size of each gram length's index (16 MiB)."""

CHUNK_CHARACTERS = 1 << 20
"""How much of the corpus is hashed at once, which bounds the memory it takes."""

HASH_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""An odd constant, 2**64 over the golden ratio (Knuth's multiplicative hashing)."""

BitIndex = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Quality:
    """How much of a text is real, and how much is copied.

    Attributes
    ----------
    real_words : float
        Share of the text's words that are in the corpus, 0 to 1; 0 if it has none.
    longest_real_run : int
        Greatest number of words in a row that are all in the corpus.
    longest_copy : int
        Length in characters of the longest part of the text that stands in the
        corpus exactly so.
    """

    real_words: float
    longest_real_run: int
    longest_copy: int


class QualityMeasure:
    """Measure texts against one corpus, exactly.

    Words are those of `WORD`, compared without regard to case. Every
    word counts, also one that the text's end cuts short.

    The longest copy is found by asking Python whether a part of the text is
    ``in`` the corpus, which is exact but reads the whole corpus when it is not.
    So that this is asked a few times only, an index of hashed n-grams first
    bounds from above how long a copy can be at each place of the text: a copy
    of length l that begins at i has all its l - n + 1 n-grams in the corpus.
    A collision of hashes can only loosen the bound.

    Parameters
    ----------
    corpus : str
        The text to compare with. It is kept, with 6 to 12 bytes of index for
        each of its characters, at most 96 MiB.
    """

    def __init__(self, corpus: str) -> None:
        self._corpus = corpus
        self._words = {word.casefold() for words in find_all(WORD, corpus) for word in words}
        self._index = _index_of(corpus)

    def measure(self, text: str) -> Quality:
        """Measure a text.

        Parameters
        ----------
        text : str
            Any text; the empty one measures 0 throughout.

        Returns
        -------
        Quality
            Its measures.
        """
        words = WORD.findall(text)
        real, run, longest_run = 0, 0, 0
        for word in words:
            run = run + 1 if word.casefold() in self._words else 0
            real += run > 0
            longest_run = max(longest_run, run)
        share = real / len(words) if words else 0.0
        return Quality(share, longest_run, self._longest_copy(text))

    def invented(self, text: str) -> list[tuple[int, int]]:
        """Find the words of a text that the corpus lacks.

        Parameters
        ----------
        text : str
            Any text.

        Returns
        -------
        list of (int, int)
            Where each begins and ends in the text, in characters, the end not included.
        """
        return [
            match.span()
            for match in WORD.finditer(text)
            if match.group().casefold() not in self._words
        ]

    def _longest_copy(self, text: str) -> int:
        """Return the length of the longest part of a text that is in the corpus."""
        bounds = self._bounds(text)
        best = 0
        absent: set[str] = set()
        for start in np.argsort(-bounds, kind="stable"):
            bound = int(bounds[start])
            if bound <= best:
                break
            longer = text[start : start + best + 1]
            if longer in absent:
                continue
            if longer in self._corpus:
                best = self._longest_at(text[start : start + bound], best + 1)
            else:
                absent.add(longer)
        return best

    def _longest_at(self, part: str, known: int) -> int:
        """Return how long a beginning of `part` is in the corpus; `known` is."""
        low, high = known, len(part)
        while low < high:
            middle = (low + high + 1) // 2
            if part[:middle] in self._corpus:
                low = middle
            else:
                high = middle - 1
        return low

    def _bounds(self, text: str) -> npt.NDArray[np.int64]:
        """Return for each place of a text the length no copy from there exceeds."""
        characters = len(text)
        bounds = np.arange(characters, 0, -1)
        for (length, hashes), index in zip(_gram_hashes(text), self._index, strict=False):
            present = _places(hashes, index)
            count = len(present)
            # Runs of present grams: from each place, the first absent one at or after it.
            absent_at = np.where(present, count, np.arange(count))
            first_absent = np.minimum.accumulate(absent_at[::-1])[::-1]
            longest = length - 1 + first_absent - np.arange(count)
            np.minimum(bounds[:count], longest, out=bounds[:count])
        return bounds


def _index_of(corpus: str) -> list[BitIndex]:
    """Return for each gram length a bit for every hash that occurs in the corpus."""
    wanted_bits = max(len(corpus), 1) * BITS_PER_CHARACTER
    bits = min(MAX_INDEX_BITS, 1 << (wanted_bits - 1).bit_length())
    index = [np.zeros(bits // 8, dtype=np.uint8) for _ in NGRAM_LENGTHS]
    for start in range(0, len(corpus), CHUNK_CHARACTERS):
        chunk = corpus[start : start + CHUNK_CHARACTERS + NGRAM_LENGTHS[-1] - 1]
        for (_, hashes), table in zip(_gram_hashes(chunk), index, strict=False):
            where = _slots(hashes, table)
            np.bitwise_or.at(table, where >> np.uint64(3), _bit(where))
    return index


def _gram_hashes(text: str) -> Iterator[tuple[int, Hashes]]:
    """Yield each gram length that fits and the hashes of all grams of that length."""
    code_points = text.encode("utf-32-le", errors="surrogatepass")
    hashes = np.frombuffer(code_points, dtype="<u4").astype(np.uint64)
    for length in NGRAM_LENGTHS:
        if length > len(text):
            return
        half = length // 2
        left, right = hashes[:-half], hashes[half:]
        # The shift keeps strings of few letters apart, whose plain polynomials collide mod 2**64.
        hashes = (left ^ (left >> np.uint64(29))) * HASH_MULTIPLIER + right
        yield length, hashes


def _slots(hashes: Hashes, table: BitIndex) -> Hashes:
    """Return the number of the bit that stands for each hash."""
    # The high bits of a product depend on all bits of both factors.
    shift = np.uint64(64 - (len(table) * 8 - 1).bit_length())
    return (hashes * HASH_MULTIPLIER) >> shift


def _bit(slots: Hashes) -> BitIndex:
    """Return for each slot its byte's bit."""
    return np.left_shift(1, (slots & np.uint64(7)).astype(np.uint8), dtype=np.uint8)


def _places(hashes: Hashes, table: BitIndex) -> npt.NDArray[np.bool_]:
    """Tell which hashes occur in a table."""
    slots = _slots(hashes, table)
    present: npt.NDArray[np.bool_] = (table[slots >> np.uint64(3)] & _bit(slots)) != 0
    return present
