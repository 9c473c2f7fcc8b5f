"""Proper names in a book, and watched words in a sample."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any

import regex

from server.corpora.words import (
    APOSTROPHE,
    IDEOGRAPHS_AND_KANA,
    LETTER,
    LETTER_OR_MARK,
    UNSPACED_LETTERS,
    find_all,
)

DEFAULT_LIMIT = 12
"""Default number of names."""

LOWER_CASE_SHARE = 0.1
"""Maximum ratio of a name's lower-case occurrences to its capitalised ones."""

MID_SENTENCE_SHARE = 0.1
"""Minimum share of a name's occurrences inside a sentence."""

NOUNS_SHARE = 0.12
"""If more of the words inside sentences are capitalised, nouns are capitalised, as in German."""

NOUNS_DISTINCT = 20
"""With fewer distinct capitalised words, they may be the names of a very short tale."""

OPENING_SHARE = 0.1
"""If nouns are capitalised: minimum share of a name's occurrences that start a sentence.

A noun rarely starts one, because its article does.
"""

TITLE_SHARE = 0.6
"""Minimum share of a title's occurrences that are followed by a name."""

PAIR_SHARE = 0.75
"""If a pair has at least this share of a name's occurrences, the pair is the name."""

MAX_COUNTED = 1 << 18
"""Number of distinct words or pairs that are counted. It bounds the memory for a long text; with
more, the rarest are left out, which are not names.
"""

_JOINED_LETTER = rf"{IDEOGRAPHS_AND_KANA}|{UNSPACED_LETTERS}|\p{{Hangul}}"
"""A letter of a script in which other words may follow directly.

Korean has spaces, but its particles are written as part of the word.
"""

_LETTER_OR_MARK = r"[\p{L}\p{M}]"
_NAME_OR_MARK = regex.compile(
    # The possessive 's is not part of a name.
    rf"{LETTER}{LETTER_OR_MARK}*(?:{APOSTROPHE}(?!s\b){LETTER}{LETTER_OR_MARK}*)*"
    r"|[^\p{L}\p{N}_\s]"
)


def find_names(text: str, limit: int = DEFAULT_LIMIT) -> list[str]:
    """Find the most frequent proper names of a text.

    No dictionary is used. A name is a capitalised word that also occurs inside
    sentences and hardly ever in lower case. Words that mostly precede another
    capitalised word ("Mr", "Captain") are titles, not names. If a name nearly
    always occurs in the same pair ("Mistress Dray"), the pair is the name.

    Parameters
    ----------
    text : str
        The text. In a script without capitals, no names are found.
    limit : int, default=12
        Maximum number of names.

    Returns
    -------
    list[str]
        The names, the most frequent first.
    """
    counts = _count(text)
    names = _capitalised_names(counts)
    leading = counts.leading
    found = Counter({word: n for word, n in names.items() if leading[word] < TITLE_SHARE * n})
    for (first, second), count in counts.pairs.items():
        absorbed = [name for name in (first, second) if count >= PAIR_SHARE * names.get(name, inf)]
        for name in absorbed:
            found[f"{first} {second}"] = count
            found.pop(name, None)
    return [name for name, _ in found.most_common(limit)]


@dataclass
class _WordCounts:
    """How often words occur.

    Attributes
    ----------
    total, inside : Counter
        Capitalised words, and those of them inside sentences.
    leading : Counter
        Capitalised words before another one or before a full stop, which often ends an abbreviated
        title.
    pairs : Counter
        Two adjacent capitalised words.
    lower : Counter
        All other tokens.
    all_inside, all_lower : int
        Number of capitalised words inside sentences, and of words in lower case.
    """

    total: Counter[str] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)
    leading: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    lower: Counter[str] = field(default_factory=Counter)
    all_inside: int = 0
    all_lower: int = 0


def _capitalised_names(counts: _WordCounts) -> dict[str, int]:
    """Return the names, including titles, and the number of occurrences of each."""
    inside, lower = counts.inside, counts.lower
    is_frequent = counts.all_inside > NOUNS_SHARE * (counts.all_inside + counts.all_lower)
    nouns_are_capitalised = is_frequent and len(inside) >= NOUNS_DISTINCT
    opening_share = OPENING_SHARE if nouns_are_capitalised else 0.0
    return {
        word: count
        for word, count in counts.total.items()
        if inside[word] >= max(2, MID_SENTENCE_SHARE * count)
        and lower[word.lower()] <= LOWER_CASE_SHARE * count
        and count - inside[word] >= opening_share * count
    }


def _count(text: str) -> _WordCounts:
    """Count the words of a text, in their order."""
    counts = _WordCounts()
    last = "."
    for tokens in find_all(_NAME_OR_MARK, text):
        _count_slice(Counter(pairwise([last, *tokens])), counts)
        last = tokens[-1] if tokens else last
        for counter in (counts.total, counts.inside, counts.leading, counts.pairs, counts.lower):
            _leave_out_rare(counter)
    return counts


def _count_slice(found: Counter[tuple[str, str]], counts: _WordCounts) -> None:
    """Add pairs of adjacent tokens to the counts."""
    capitalised = {word: _is_capitalised(word) for pair in found for word in pair}
    for (before, after), count in found.items():
        if capitalised[after]:
            counts.total[after] += count
            if before[0].isalpha() or before in {",", ";"}:
                counts.inside[after] += count
                counts.all_inside += count
            if capitalised[before]:
                counts.pairs[before, after] += count
                counts.leading[before] += count
        elif after == ".":
            if capitalised[before]:
                counts.leading[before] += count
        else:
            counts.lower[after] += count
            if after[0].isalpha():
                counts.all_lower += count


def _leave_out_rare(counter: Counter[Any]) -> None:
    """Delete the rarest entries of a counter with more than `MAX_COUNTED`."""
    least = 1
    while len(counter) > MAX_COUNTED:
        least += 1
        for key in [key for key, count in counter.items() if count < least]:
            del counter[key]


def _is_capitalised(word: str) -> bool:
    """Return True for "Orla" and "O'Hara", False for "I", "FOG" and "I've"."""
    if not word[0].isupper() or word.isupper():
        return False
    last_part = word.replace("\u2019", "'").rpartition("'")[2]
    return last_part[0].isupper()


def find_words(text: str, watched: Iterable[str]) -> list[str]:
    """Find the watched words that occur in a text.

    Parameters
    ----------
    text : str
        The text to search.
    watched : Iterable[str]
        Words or phrases. A space matches any white space; case matters. Only
        whole words match, without a letter or combining mark beside them,
        except in scripts without spaces between words.

    Returns
    -------
    list[str]
        Those that occur, without duplicates, in the order of `watched`.
    """
    return [word for word in dict.fromkeys(watched) if _contains_word(text, word)]


def _contains_word(text: str, word: str) -> bool:
    """Return whether a text contains a word that is not part of a longer word."""
    parts = word.split()
    # Most words are absent, and a plain substring search is the fastest way to find that out.
    if not parts or parts[0] not in text:
        return False
    before = f"(?<!{_LETTER_OR_MARK})" if _needs_boundary(parts[0][0]) else ""
    after = f"(?!{_LETTER_OR_MARK})" if _needs_boundary(parts[-1][-1]) else ""
    inner = r"\s+".join(regex.escape(part) for part in parts)
    return regex.search(before + inner + after, text) is not None


def _needs_boundary(edge: str) -> bool:
    """Return whether a letter or mark beside this edge of a word makes the word a longer one."""
    return bool(regex.match(_LETTER_OR_MARK, edge)) and not regex.match(_JOINED_LETTER, edge)
