"""Detection of the legacy encoding of a text in the Latin script, by its letters.

General detectors distinguish scripts well, but not Latin encodings: French in
cp1252, decoded as cp1250, consists of valid Polish and Czech letters. But no
language has both. So each encoding is scored with the alphabets of the
languages that were written in it.
"""

from collections import Counter

_PUNCTUATION = "«»‹›“”„‘’‚–—…·•¡¿§¶°ºª©®™£€¢¥×½¼¾\xa0\xad"
"""Punctuation and symbols in texts of any of these languages."""

_WESTERN = (
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüß",  # German
    "áéíñóúüï",  # Spanish
    "ãáâàçéêíóôõúü",  # Portuguese
    "àèéìíîòóùú",  # Italian
    "åäöéüàæøóôòê",  # Swedish, Danish, Norwegian, Finnish
    "áðéíóúýþæöø",  # Icelandic, Faroese
    "éëïèöüêáóíú",  # Dutch
    "àèéíïòóúüç",  # Catalan
)
_CENTRAL = (
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíĺľňóôŕšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "ăâîșțşţ",  # Romanian
    "čćđšž",  # Croatian, Slovene
)
_TURKISH = ("çğıİöşüâîû",)
_BALTIC = (
    "āčēģīķļņšūž",  # Latvian
    "ąčęėįšųūž",  # Lithuanian
    "äöüõšž",  # Estonian
)

_ALPHABETS: dict[str, tuple[str, ...]] = {
    # If two have the same score the first wins, so the most common comes first.
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "iso8859_2": _CENTRAL,
    "cp1254": _TURKISH,
    "cp1257": _BALTIC,
    "iso8859_15": _WESTERN,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp852": _CENTRAL,
    "mac_latin2": _CENTRAL,
    "cp857": _TURKISH,
}

_MIXED_SHARE = 0.9
"""Weight of a letter that is in another alphabet of the same encoding."""

_MIN_SHARE = 0.7
"""An encoding with a lower score is rejected."""


def latin_encoding(sample: bytes) -> str | None:
    """Detect the encoding of a text in the Latin script.

    Parameters
    ----------
    sample : bytes
        Part of the text, with non-ASCII characters.

    Returns
    -------
    str or None
        The name of the Python codec; None if no known language has these letters.
    """
    best, best_share = None, _MIN_SHARE
    for encoding, alphabets in _ALPHABETS.items():
        share = _explained_share(sample, encoding, alphabets)
        if share > best_share:
            best, best_share = encoding, share
    return best


def _explained_share(sample: bytes, encoding: str, alphabets: tuple[str, ...]) -> float:
    """Return the share of the non-ASCII characters that are in the best alphabet."""
    try:
        counts = Counter(sample.decode(encoding))
    except UnicodeDecodeError:
        return 0.0
    non_ascii = {c: n for c, n in counts.items() if not c.isascii()}
    total = sum(non_ascii.values())
    known = [set(_PUNCTUATION + letters + letters.upper()) for letters in alphabets]
    matches = [sum(n for c, n in non_ascii.items() if c in letters) for letters in known]
    in_any = sum(n for c, n in non_ascii.items() if c in set().union(*known))
    best = max(own + _MIXED_SHARE * (in_any - own) for own in matches)
    return best / total if total else 0.0
