"""The features of a text, each with its name in words and a value for each character."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from server.corpora.proper_names import find_names
from server.corpora.text_features.character_classes import (
    CLASSES,
    class_names,
    displayed,
    letter_name,
)
from server.corpora.text_features.spans import (
    Span,
    bracket_spans,
    quotation_spans,
    sentence_spans,
    single_quotation_spans,
)
from server.corpora.words import LETTER_OR_MARK, WORD, word_units

__all__ = ["Stretch", "TextFeatures", "text_features"]

FREQUENT_CHARACTERS, FREQUENT_WORDS, NAMES = 24, 30, 40

MIN_OCCURRENCES = 10
"""A feature that occurs less often on a stretch is left out: its correlation would depend on a few
places."""

MAX_DISTANCE = 500
"""Greater distances count as this one, so that a few long gaps do not decide a correlation."""

NEIGHBOURS = (
    *("a space", "a line end", "punctuation", "the end of a sentence", "a digit"),
    *("a vowel", "a consonant", "an upper-case letter", "a combining mark"),
)
"""The classes that also are features of the character before and the one after."""

Values = NDArray[Any]
"""Of shape (n,): booleans, or distances in characters."""

Found = Iterator[tuple[str, Values]]

_LINE = regex.compile(r"[^\n]*\n?")
_PARAGRAPH = regex.compile(r"(?:(?!\n[^\S\n]*\n).)+", regex.DOTALL)
_INDENT = regex.compile(r"^[^\S\n]+", regex.MULTILINE)
_DASHED_LINE = regex.compile(r"^[^\S\n]*[-–—―][^\S\n]*(?=[^\W_])[^\n]*", regex.MULTILINE)
_NUMBER = regex.compile(r"\p{Nd}+(?:[.,:]\p{Nd}+)*")
_CAPITALS = regex.compile(r"\b\p{Lu}[\p{Lu}\p{M}]+\b")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a text, with some of the text around it.

    Attributes
    ----------
    text : str
        The part, and text before and after it.
    start, end : int
        The part is ``text[start:end]``.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """The features of stretches of a text.

    Attributes
    ----------
    names : list of str
        The name of each of the F features, such as "inside quotation marks".
    values : list of ndarray of shape (F, n), uint16
        For each stretch of n characters: 1 where the feature holds and 0 elsewhere, or a number of
        characters.
    """

    names: list[str]
    values: list[NDArray[np.uint16]]


def text_features(stretches: Sequence[Stretch]) -> TextFeatures:
    """Return the features of stretches of a text.

    The frequent characters, the frequent words and the names are those of the first stretch.

    Parameters
    ----------
    stretches : sequence of Stretch
        At least one.

    Returns
    -------
    TextFeatures
        Without the features that are constant on a stretch, or nearly, and without those that equal
        an earlier one on every stretch.
    """
    text = stretches[0].text
    frequent = _Frequent(
        [character for character, _ in Counter(text).most_common(FREQUENT_CHARACTERS)],
        [word for word, _ in Counter(_words(text)).most_common(FREQUENT_WORDS)],
        find_names(text, NAMES),
    )
    found = [dict(_features(stretch, frequent)) for stretch in stretches]
    names: dict[bytes, str] = {}
    for name in found[0]:
        values = [features[name] for features in found if name in features]
        if len(values) == len(found) and all(map(_occurs_often, values)):
            content = hashlib.sha256(b"".join(each.tobytes() for each in values))
            names.setdefault(content.digest(), name)
    return TextFeatures(
        list(names.values()),
        [
            np.array([features[name] for name in names.values()], dtype=np.uint16).reshape(
                len(names), stretch.end - stretch.start
            )
            for features, stretch in zip(found, stretches, strict=True)
        ],
    )


@dataclass(frozen=True, slots=True)
class _Frequent:
    """What is frequent in a text, the most frequent first."""

    characters: list[str]
    words: list[str]
    names: list[str]


def _occurs_often(values: Values) -> bool:
    """Whether a feature begins, and ends, often enough; a distance ends where it starts again."""
    before, after = values[:-1], values[1:]
    changes = np.count_nonzero(after > before), np.count_nonzero(after < before)
    return int(min(changes)) >= MIN_OCCURRENCES


def _features(stretch: Stretch, frequent: _Frequent) -> Found:
    """Yield the features of one stretch, those with the plainest names first."""
    text = stretch.text
    found = chain(_of_characters(text, frequent), _of_spans(text), _of_words(text, frequent))
    for name, values in found:
        yield name, values[stretch.start : stretch.end]


def _of_characters(text: str, frequent: _Frequent) -> Found:
    """Yield the features of each character, and of those beside it."""
    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    distinct, indices = np.unique(code_points, return_inverse=True)
    characters = [chr(point) for point in distinct]
    classes = [class_names(character) for character in characters]
    found = set().union(*classes)
    holds = {
        name: np.array([name in each for each in classes])[indices]
        for name in CLASSES
        if name in found
    }
    yield from holds.items()
    letters = np.array([letter_name(character) or "" for character in characters])
    for name in sorted(set(letters.tolist()) - {""}):
        yield name, (letters == name)[indices]
    for name in NEIGHBOURS:
        if name in holds:
            yield f"after {name}", _shifted(holds[name], 1)
            yield f"before {name}", _shifted(holds[name], -1)
    for character in frequent.characters:
        here = code_points == ord(character)
        yield f"the character {displayed(character)}", here
        yield f"after the character {displayed(character)}", _shifted(here, 1)
    same = np.append(False, code_points[1:] == code_points[:-1])
    yield "the same as the character before", same


def _of_spans(text: str) -> Found:
    """Yield the features of quotations, brackets, lines, paragraphs and sentences."""
    n = len(text)
    yield "inside quotation marks", _inside(n, quotation_spans(text))
    yield "inside single quotation marks", _inside(n, single_quotation_spans(text))
    yield "in a line that begins with a dash", _inside(n, _spans(_DASHED_LINE, text))
    brackets = _depth(n, bracket_spans(text))
    yield "inside brackets", brackets > 0
    yield "how many brackets are open", brackets

    lines = list(_spans(_LINE, text))
    yield "position in the line", _position(n, (start for start, _ in lines))
    yield "in the first ten characters of a line", _inside(n, ((s, s + 10) for s, _ in lines))
    yield "indentation of the line", _indentation(text, lines)
    paragraphs = list(_spans(_PARAGRAPH, text))
    yield "position in the paragraph", _position(n, (start for start, _ in paragraphs))

    sentences = list(sentence_spans(text))
    spans = [(start, end) for start, end, _ in sentences]
    # From the mark that ends a sentence up to the next one.
    yield "between two sentences", ~_inside(n, ((start, end - 1) for start, end in spans))
    yield "position in the sentence", _position(n, (start for start, _ in spans))
    first_words = (WORD.search(text, start, end) for start, end in spans)
    yield "in the first word of a sentence", _inside(n, (w.span() for w in first_words if w))
    for kind, marks in (("a question", "?？؟;"), ("an exclamation", "!！")):
        yield f"inside {kind}", _inside(n, ((s, e) for s, e, mark in sentences if mark in marks))


def _of_words(text: str, frequent: _Frequent) -> Found:
    """Yield the features of words, numbers and names."""
    n = len(text)
    words = list(_spans(WORD, text))
    starts = np.array([start for start, _ in words], dtype=np.intp)
    ends = np.array([end for _, end in words], dtype=np.intp)
    inside = _inside(n, words)
    yield "inside a word", inside
    yield "position in the word", np.where(inside, _position(n, starts) + 1, 0)
    yield "the first letter of a word", _at(n, starts)
    yield "the last letter of a word", _at(n, ends - 1)
    yield "inside a number", _inside(n, _spans(_NUMBER, text))
    yield "inside a word in capitals", _inside(n, _spans(_CAPITALS, text))
    if frequent.names:
        names = list(_spans(_whole_words(frequent.names), text))
        yield "inside a name", _inside(n, names)
        yield "characters since the last name", _position(n, (end for _, end in names))
    places: dict[str, list[Span]] = {word: [] for word in frequent.words}
    for start, end, word in _word_spans(text):
        if word in places:
            places[word].append((start, end))
    for word, spans in places.items():
        yield f"inside the word “{word}”", _inside(n, spans)


def _words(text: str) -> Iterator[str]:
    return (word for _, _, word in _word_spans(text))


def _word_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield each word in lower case; in a script without spaces, each n-gram."""
    for found in WORD.finditer(text):
        at, word = found.start(), found[0].lower()
        if word.isascii():
            yield *found.span(), word
        else:
            for start, end in word_units(found[0]):
                yield at + start, at + end, found[0][start:end].lower()


def _whole_words(words: Iterable[str]) -> regex.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    parts = (r"\s+".join(map(regex.escape, word.split())) for word in longest_first)
    return regex.compile(rf"(?<!{LETTER_OR_MARK})(?:{'|'.join(parts)})(?!{LETTER_OR_MARK})")


def _spans(pattern: regex.Pattern[str], text: str) -> Iterator[Span]:
    return (found.span() for found in pattern.finditer(text))


def _depth(n: int, spans: Iterable[Span]) -> NDArray[np.int32]:
    """Return in how many of the spans each of n characters is."""
    bounds = np.array(list(spans), dtype=np.intp).reshape(-1, 2).clip(0, n)
    steps = np.zeros(n + 1, dtype=np.int32)
    np.add.at(steps, bounds[:, 0], 1)
    np.add.at(steps, bounds[:, 1], -1)
    return np.cumsum(steps[:n], dtype=np.int32)


def _inside(n: int, spans: Iterable[Span]) -> NDArray[np.bool_]:
    return _depth(n, spans) > 0


def _at(n: int, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    found = np.zeros(n, dtype=np.bool_)
    found[places] = True
    return found


def _position(n: int, starts: Iterable[int]) -> NDArray[np.int32]:
    """Return the distance of each of n characters from the last start, at most `MAX_DISTANCE`."""
    last = np.full(n, -MAX_DISTANCE)
    places = np.array([start for start in starts if start < n], dtype=np.intp)
    last[places] = places
    return np.minimum(np.arange(n) - np.maximum.accumulate(last), MAX_DISTANCE).astype(np.int32)


def _indentation(text: str, lines: Sequence[Span]) -> NDArray[np.int32]:
    widths = [len(text[start:end]) - len(text[start:end].lstrip(" \t")) for start, end in lines]
    lengths = [end - start for start, end in lines]
    return np.repeat(np.array(widths, dtype=np.int32), lengths)


def _shifted(values: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """Return for each character the value `by` characters before it; False beyond the ends."""
    shifted = np.zeros_like(values)
    if by > 0:
        shifted[by:] = values[:-by]
    else:
        shifted[:by] = values[-by:]
    return shifted
