"""Proper names in a book, and watched words in a sample."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from math import inf

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
    pairs, leading, lower = _count(text)
    names = _capitalised_names(pairs, lower)
    words = {word for _, word in pairs}
    found = Counter({word: n for word, n in names.items() if leading[word] < TITLE_SHARE * n})
    for (first, second), count in pairs.items():
        if first in words:
            absorbed = [
                name for name in (first, second) if count >= PAIR_SHARE * names.get(name, inf)
            ]
            for name in absorbed:
                found[f"{first} {second}"] = count
                found.pop(name, None)
    return [name for name, _ in found.most_common(limit)]


def _capitalised_names(pairs: Counter[tuple[str, str]], lower: Counter[str]) -> dict[str, int]:
    """Return the names, including titles, and the number of occurrences of each."""
    total: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for (before, word), count in pairs.items():
        total[word] += count
        if before[0].isalpha() or before in {",", ";"}:
            inside[word] += count

    capitalised = inside.total()
    uncapitalised = sum(count for word, count in lower.items() if word[0].isalpha())
    is_frequent = capitalised > NOUNS_SHARE * (capitalised + uncapitalised)
    nouns_are_capitalised = is_frequent and len(inside) >= NOUNS_DISTINCT
    opening_share = OPENING_SHARE if nouns_are_capitalised else 0.0
    return {
        word: count
        for word, count in total.items()
        if inside[word] >= max(2, MID_SENTENCE_SHARE * count)
        and lower[word.lower()] <= LOWER_CASE_SHARE * count
        and count - inside[word] >= opening_share * count
    }


def _count(text: str) -> tuple[Counter[tuple[str, str]], Counter[str], Counter[str]]:
    """Count words by case.

    Returns
    -------
    tuple of Counter
        Capitalised words with the token before each; tokens before a
        capitalised word or a full stop, which often ends an abbreviated title;
        words in lower case.
    """
    pairs: Counter[tuple[str, str]] = Counter()
    leading: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    for (before, after), count in _bigrams(text).items():
        if _is_capitalised(after):
            pairs[before, after] += count
            leading[before] += count
        elif after == ".":
            leading[before] += count
        else:
            lower[after] += count
    return pairs, leading, lower


def _bigrams(text: str) -> Counter[tuple[str, str]]:
    """Count pairs of adjacent words or punctuation marks, in the order of the text."""
    found: Counter[tuple[str, str]] = Counter()
    last = "."
    for tokens in find_all(_NAME_OR_MARK, text):
        found.update(pairwise([last, *tokens]))
        last = tokens[-1] if tokens else last
    return found


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
