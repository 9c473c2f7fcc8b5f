r"""Texts with right answers: characters that the earlier ones in their line determine.

A text has answers if all its lines follow one of these grammars, whatever wrote it. Answers are
underlined, and ``$`` is the end of a line. ``.`` and ``:`` separate: no string contains them. ::

    abc.....abc$      a string, a delay, the same string; both lengths are equal in all lines
            ~~~
    abcd:abcd$        a string of any length, and the same string
         ~~~~~
    abcd:dcba$        a string of any length, and the string backwards
         ~~~~~
    [.(<..>.)]$       a pair of brackets; each pair holds two things, dots or pairs
          ~ ~~~
    aaabbb$           any number of a, and as many b
        ~~~

Where an answer is, no other character is possible. Neither is one at the dots and the end of the
first line, nor at the first a; but these are the same in all lines, and no answers.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from server.rnn.vocabulary import Vocabulary

__all__ = ["MAX_LINE_CHARACTERS", "MIN_LINES", "find_answers"]

MIN_LINES: Final = 10
"""A text with fewer complete lines has no answers: a few may fit a grammar by chance."""

MAX_LINE_CHARACTERS: Final = 1_000
"""If one of the first `MIN_LINES` lines is longer, its end included, the text has no answers."""

Masks: TypeAlias = list[bytes]
"""For each line, a byte for each of its characters and for its end: 1 for an answer, 0 if not."""

Grammar: TypeAlias = Callable[[Sequence[str]], Masks | None]
"""Returns the answers in lines without their ends; None if a line does not follow the grammar."""

_BRACKETS: Final = {"(": ")", "[": "]", "{": "}", "<": ">"}


def find_answers(text: NDArray[np.integer], vocabulary: Vocabulary) -> NDArray[np.bool_] | None:
    """Return which characters of a text are answers.

    For other texts, the first line is usually enough to see that they have none. Characters
    after the last line's end are no answers.

    Parameters
    ----------
    text : ndarray of int, shape (n,)
        Indices of `vocabulary`.
    vocabulary : Vocabulary

    Returns
    -------
    ndarray of shape (n,), bool, or None
        None if the text follows no grammar.
    """
    first = _lines(vocabulary.decode(text[: MIN_LINES * MAX_LINE_CHARACTERS]))
    if len(first) < MIN_LINES:
        return None
    for grammar in _GRAMMARS:
        if grammar(first) is None:
            continue
        masks = grammar(_lines(vocabulary.decode(text)))
        if masks is not None:
            marked = np.frombuffer(b"".join(masks), dtype=np.bool_)
            return np.pad(marked, (0, len(text) - len(marked)))
    return None


def _lines(text: str) -> list[str]:
    return text.split("\n")[:-1]


def _each(lines: Sequence[str], answers: Callable[[str], bytes | None]) -> Masks | None:
    masks = []
    for line in lines:
        mask = answers(line)
        if mask is None:
            return None
        masks.append(mask)
    return masks


def _delayed_copies(lines: Sequence[str]) -> Masks | None:
    first = re.fullmatch(r"([^.]+)(\.+)\1", lines[0])
    if first is None:
        return None
    length, delay = map(len, first.groups())
    same = re.compile(rf"([^.]{{{length}}})\.{{{delay}}}\1")
    mask = bytes(length + delay) + bytes([1]) * length + bytes(1)
    return _each(lines, lambda line: mask if same.fullmatch(line) else None)


def _copies(lines: Sequence[str]) -> Masks | None:
    return _each(lines, lambda line: _after_colon(line, backwards=False))


def _reversals(lines: Sequence[str]) -> Masks | None:
    return _each(lines, lambda line: _after_colon(line, backwards=True))


def _after_colon(line: str, *, backwards: bool) -> bytes | None:
    string, _, answer = line.partition(":")
    if not string or answer != (string[::-1] if backwards else string):
        return None
    return bytes(len(string) + 1) + bytes([1]) * (len(string) + 1)


def _counts(lines: Sequence[str]) -> Masks | None:
    return _each(lines, _count)


def _count(line: str) -> bytes | None:
    n = len(line) // 2
    if not n or line != "a" * n + "b" * n:
        return None
    # The first b is no answer: another a would be possible.
    return bytes(n + 1) + bytes([1]) * n


def _brackets(lines: Sequence[str]) -> Masks | None:
    return _each(lines, _bracket)


def _bracket(line: str) -> bytes | None:
    mask = bytearray(len(line) + 1)
    # The closing brackets that are missing, and how many things each pair holds so far.
    closing: list[str] = []
    held: list[int] = []
    for index, character in enumerate(line):
        if index and not closing:
            return None
        if held and held[-1] == 2:
            if character != closing.pop():
                return None
            mask[index] = 1
            held.pop()
        elif character in _BRACKETS:
            closing.append(_BRACKETS[character])
            held.append(0)
            continue
        elif character != "." or not held:
            return None
        if held:
            held[-1] += 1
    if closing or not line:
        return None
    mask[-1] = 1
    return bytes(mask)


_GRAMMARS: Final[tuple[Grammar, ...]] = (
    _delayed_copies,
    _copies,
    _reversals,
    _counts,
    _brackets,
)
