"""Classes of characters, in words, for any script."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import regex

__all__ = ["CLASSES", "class_names", "displayed", "letter_name"]

VOWELS = frozenset("aeiouyæœøıαεηιουωаеиоуыэюяєѣіეაიოუաեէըիոօ")
"""Vowels of alphabets with both vowels and consonants, without accents, in lower case."""

NOT_VOWELS = frozenset("йў")
"""Consonants that Unicode decomposes into a vowel and an accent."""

_PATTERNS: Mapping[str, regex.Pattern[str]] = {
    name: regex.compile(pattern)
    for name, pattern in {
        "a space": r"[^\S\n]",
        "a line end": r"\n",
        "a letter": r"\p{L}",
        "an upper-case letter": r"[\p{Lu}\p{Lt}]",
        "a digit": r"\p{Nd}",
        "punctuation": r"\p{P}",
        "the end of a sentence": r"\p{Sentence_Terminal}",
        "a symbol": r"\p{S}",
        # Arabic and Hebrew. Vowel marks are rare in most texts; these letters are long vowels.
        "a vowel mark": r"[\u05b0-\u05bc\u05c7\u064b-\u0652\u0670]",
        "a letter of long vowels": r"[אהויاآوىيیو]",
        # The Indic scripts, and Thai, Lao, Khmer, Burmese and Tibetan.
        "a vowel sign": r"\p{Indic_Syllabic_Category=Vowel_Dependent}",
        "an independent vowel": r"\p{Indic_Syllabic_Category=Vowel_Independent}",
        "a virama": r"\p{Indic_Syllabic_Category=Virama}",
        "a nasal sign": r"\p{Indic_Syllabic_Category=Bindu}",
        "a tone mark": r"\p{Indic_Syllabic_Category=Tone_Mark}",
        "a syllable with a final consonant": r"\p{Hangul_Syllable_Type=LVT}",
        "hiragana": r"\p{Hiragana}",
        "katakana": r"[\p{Katakana}\u30fc]",
        "a Chinese character": r"\p{Han}",
        "a combining mark": r"\p{M}",
    }.items()
}
CLASSES = (*_PATTERNS, "a vowel", "a consonant")
"""The names of all classes. Where two hold for the same characters, the first says it better."""

_CONSONANT_SIGN = regex.compile(r"\p{Indic_Syllabic_Category=Consonant}")
_ALPHABETS_WITH_VOWELS = frozenset({"LATIN", "GREEK", "CYRILLIC", "GEORGIAN", "ARMENIAN"})
# They have classes above.
_NOT_ALPHABETS = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})


def class_names(character: str) -> set[str]:
    """Return the classes of a character, each with its article: "a vowel", "punctuation".

    Parameters
    ----------
    character : str
        One code point.
    """
    names = {name for name, pattern in _PATTERNS.items() if pattern.match(character)}
    base = unicodedata.normalize("NFD", character)[0].casefold()
    if base in VOWELS and character.casefold() not in NOT_VOWELS:
        names.add("a vowel")
    elif _CONSONANT_SIGN.match(character) or _alphabet(character) in _ALPHABETS_WITH_VOWELS:
        names.add("a consonant")
    return names


def letter_name(character: str) -> str | None:
    """Return the alphabet of a letter, as in "a Greek letter"; None if it is no such letter."""
    alphabet = _alphabet(character)
    if not alphabet or alphabet in _NOT_ALPHABETS:
        return None
    name = alphabet.capitalize()
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name} letter"


def displayed(character: str) -> str:
    """Return a character in quotation marks, or the name of one that would not be seen."""
    if unicodedata.category(character)[0] in "CMZ":
        return unicodedata.name(character, f"U+{ord(character):04X}").lower()
    return f"“{character}”"


def _alphabet(character: str) -> str:
    """Return the first word of a letter's Unicode name, such as "GREEK"; empty for others."""
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""
