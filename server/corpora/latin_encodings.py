"""Which of the old encodings a text in the Latin script is in, told by its letters.

General detectors tell scripts apart well and Latin ones badly: read as cp1250,
the French of a cp1252 text has fine Polish and Czech letters. But no language
has both. So each encoding is tried with the alphabets of the languages that
were written in it.
"""

from collections import Counter

_MARKS = "«»‹›“”„‘’‚–—…·•¡¿§¶°ºª©®™£€¢¥×½¼¾\xa0\xad"
"""Signs found between the words of any of these languages."""

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
    # Of equals the first is taken, so the commonest comes first.
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
"""What a letter counts that is in another alphabet of the same encoding."""

_LEAST_SHARE = 0.7
"""An alphabet that explains less of a text than this is not its own."""


def latin_encoding(sample: bytes) -> str | None:
    """Guess the encoding of a text in the Latin script.

    Parameters
    ----------
    sample : bytes
        Part of the text, with characters beyond ASCII.

    Returns
    -------
    str or None
        The name of Python's codec; None if no language known here has the letters.
    """
    best, best_share = None, _LEAST_SHARE
    for encoding, alphabets in _ALPHABETS.items():
        share = _explained_share(sample, encoding, alphabets)
        if share > best_share:
            best, best_share = encoding, share
    return best


def _explained_share(sample: bytes, encoding: str, alphabets: tuple[str, ...]) -> float:
    """Return the share of a sample beyond ASCII that is in the alphabet that suits it best."""
    try:
        counts = Counter(sample.decode(encoding))
    except UnicodeDecodeError:
        return 0.0
    beyond_ascii = {c: n for c, n in counts.items() if not c.isascii()}
    total = sum(beyond_ascii.values())
    known = [set(_MARKS + letters + letters.upper()) for letters in alphabets]
    counted = [sum(n for c, n in beyond_ascii.items() if c in letters) for letters in known]
    in_any = sum(n for c, n in beyond_ascii.items() if c in set().union(*known))
    best = max(own + _MIXED_SHARE * (in_any - own) for own in counted)
    return best / total if total else 0.0
