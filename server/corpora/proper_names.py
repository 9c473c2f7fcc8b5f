"""The names in a book, found by themselves, and watched words in a sample."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from math import inf

import regex

from server.corpora.words import APOSTROPHE, LETTER, LETTER_OR_MARK, find_all

DEFAULT_LIMIT = 12
"""How many names are found unless told otherwise."""

LOWER_CASE_SHARE = 0.1
"""A name is written in lower case at most this often, compared with in upper case."""

MID_SENTENCE_SHARE = 0.1
"""At least this share of a name's occurrences stands inside a sentence."""

NOUNS_SHARE = 0.12
"""Where this share of the words inside sentences is capitalised, all nouns are, as in German."""

NOUNS_DISTINCT = 20
"""But where they are fewer words than this, they may well be the people of a very short tale."""

OPENING_SHARE = 0.1
"""There a name opens at least this share of its sentences; a noun leaves that to its article."""

TITLE_SHARE = 0.6
"""A word with at least this share of its occurrences before another name is a title."""

PAIR_SHARE = 0.75
"""A pair that makes up this share of a name's occurrences is the name."""

UNSPACED_LETTER = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""A letter of a script without spaces between words.

Korean has spaces, but its particles are written as part of the word.
"""

_LETTER_OR_MARK = r"[\p{L}\p{M}]"
_NAME_OR_MARK = regex.compile(
    # The possessive 's is not part of a name.
    rf"{LETTER}{LETTER_OR_MARK}*(?:{APOSTROPHE}(?!s\b){LETTER}{LETTER_OR_MARK}*)*"
    r"|[^\p{L}\p{N}_\s]"
)


def find_names(text: str, limit: int = DEFAULT_LIMIT) -> list[str]:
    """Find a text's most frequent proper names.

    Nothing but the text itself says what a name is: a capitalised word that
    stands in mid-sentence, too, and hardly ever in lower case. Words that
    mostly stand before another capitalised word ("Mr", "Captain") are titles
    and no names of their own. Where a name is nearly always part of the same
    pair ("Mistress Dray"), the pair is the name.

    Parameters
    ----------
    text : str
        The text. One in a script without capitals has no names that could be
        found in this way.
    limit : int, default=12
        How many names to find at most.

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
            bound = [name for name in (first, second) if count >= PAIR_SHARE * names.get(name, inf)]
            for name in bound:
                found[f"{first} {second}"] = count
                found.pop(name, None)
    return [name for name, _ in found.most_common(limit)]


def _capitalised_names(pairs: Counter[tuple[str, str]], lower: Counter[str]) -> dict[str, int]:
    """Return the words that are names, titles among them, and how often each occurs."""
    total: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for (before, word), count in pairs.items():
        total[word] += count
        if before[0].isalpha() or before in {",", ";"}:
            inside[word] += count

    capitalised = inside.total()
    uncapitalised = sum(count for word, count in lower.items() if word[0].isalpha())
    is_frequent = capitalised > NOUNS_SHARE * (capitalised + uncapitalised)
    nouns_too = is_frequent and len(inside) >= NOUNS_DISTINCT
    opening_share = OPENING_SHARE if nouns_too else 0.0
    return {
        word: count
        for word, count in total.items()
        if inside[word] >= max(2, MID_SENTENCE_SHARE * count)
        and lower[word.lower()] <= LOWER_CASE_SHARE * count
        and count - inside[word] >= opening_share * count
    }


def _count(text: str) -> tuple[Counter[tuple[str, str]], Counter[str], Counter[str]]:
    """Count the evidence.

    Returns
    -------
    tuple of Counter
        Capitalised words, each with what stands before it; whatever stands
        before a capitalised word, or before a full stop, which a title's
        abbreviation often has; words in lower case.
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
    """Count each word or punctuation mark with the one before it, in the order of the text."""
    found: Counter[tuple[str, str]] = Counter()
    last = "."
    for tokens in find_all(_NAME_OR_MARK, text):
        found.update(pairwise([last, *tokens]))
        last = tokens[-1] if tokens else last
    return found


def _is_capitalised(word: str) -> bool:
    """Tell "Orla" and "O'Hara" from "I", "FOG" and "I've"."""
    if not word[0].isupper() or word.isupper():
        return False
    last_part = word.replace("\u2019", "'").rpartition("'")[2]
    return last_part[0].isupper()


def find_words(text: str, watched: Iterable[str]) -> list[str]:
    """Find which of the watched words stand in a text.

    Parameters
    ----------
    text : str
        Where to look.
    watched : Iterable[str]
        Words, or several words parted by spaces, which stand for any white
        space. Upper and lower case differ. A word is whole: no letter or
        combining mark stands beside it, unless its script parts no words.

    Returns
    -------
    list[str]
        Those that are there, each once, in the order in which they are watched.
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
    return bool(regex.match(_LETTER_OR_MARK, edge)) and not regex.match(UNSPACED_LETTER, edge)
