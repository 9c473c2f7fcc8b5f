"""How surprising each character is in each language, as costs in nats (-ln of a probability).

The costs are coarse: a letter's depends on its rank among the letters of its
language. Only differences between readings of the same bytes matter.
"""

import math
import unicodedata
from functools import cache
from string import ascii_lowercase

from charset_normalizer.constant import FREQUENCIES

__all__ = ["ANY_LANGUAGE", "FOREIGN_LETTER", "ascii_letter_costs", "character_cost"]

ANY_LANGUAGE = "any"
"""The language of text in UTF-8, whose bytes identify it."""

FOREIGN_LETTER = 11.0
"""Cost of a letter that the language does not have."""

_ASCII = 3.0
_REPLACEMENT = 8.0
"""A damaged character is more likely than one that no language uses."""
_UTF_8_SEQUENCE = 5.0
_UNASSIGNED = 16.0
_SYMBOL = 6.0
_CAPITAL = 2.5
_RARE_IDEOGRAPH = 12.0
_LEVEL_1_IDEOGRAPH = 8.8
_HANGUL_SYLLABLE = 7.6
_KANA = 6.0
_HALF_WIDTH_KANA = 4.3

_PUNCTUATION = "’“”—–…«»„‘\xa0‚·•§°№¿¡´`©®™£€½¼¾×ºª\xad‹›†¹²³±¶¢¥"
_EAST_ASIAN_PUNCTUATION = "、。，「」：！？　；（）・…—“”《》『』〜～ー々【】．‘’〈〉－"

_ACCENTED = {
    # The most frequent first.
    "French": "éàèêçùâôîûœëïæüÿ",
    "German": "üäößé",
    "Spanish": "óíáéñúü",
    "Portuguese": "ãáéçóíêõâàôúü",
    "Italian": "èàùòìéîóíú",
    "Swedish": "åäöéüà",
    "Danish": "åæøéüöäóòô",
    "Finnish": "äöåéü",
    "Icelandic": "íðáþéóúæýö",
    "Dutch": "ëéïèöüêáóíú",
    "Catalan": "éàóèíçúòïü",
    "English": "éèàïçüöêâñôäëåæøœî",
    "Polish": "łęążśóćńźé",
    "Czech": "íáěéřžýščůúóťďňüö",
    "Slovak": "áíéýčžšľúťôňďóäĺŕöü",
    "Hungarian": "áéőóöíüúű",
    "Romanian": "ăîâșțşţéè",
    "Slovene": "čšžćđéö",
    "Turkish": "ıüşçğöâîûİ",
    "Latvian": "āīēšūņļžčģķōŗ",
    "Lithuanian": "ėųšįūąžčę",
    "Estonian": "äõüöšžé",
    "Vietnamese": "đưăâơêôàáãéèêìíòóõùúýăằắảạấầẩẫậẹẻẽềếểễệỉĩịọỏốồổỗộớờởỡợủũụứừửữựỳỷỹỵ",
}
_LETTERS = {
    "Russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "Ukrainian": FREQUENCIES["Ukrainian"],
    "Bulgarian": FREQUENCIES["Bulgarian"],
    "Serbian": "аиоенрсуткјвдмплгзбцшчжхћњљђџф",
    "Belarusian": "анеіртсоклявдмупзыгьйбчцжшхўюфэёщґ",
    "Greek": "αοιετνσρκηπςυμλίόάγέδήωχθύώβφξζψϊϋΐΰ",
    "Hebrew": FREQUENCIES["Hebrew"],
    "Arabic": FREQUENCIES["Arabic"],
    "Persian": FREQUENCIES["Farsi"],
    "Thai": "านรกอเง่มยลว้ดทสตะปบคหัีิ์แจพชขใไโุูถณึืซฉธศผภญฐฎษ็ำฟๆฮ",
}
_SIMPLIFIED = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之"
    "年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样"
    "理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将"
    "两高间由问很最重并物手应向头文体政美相见被利什二等产或新己制身果加西月话合回代内信表化老"
    "给世位次门任常先海通教原东声提立及比员解水名真论处走义各入几口认条平气题更别打女变四神总"
    "何电安少报才结反受目太再感做接必件计管期市直命山指至队形社空马五眼书非则听白光放难权王色"
    "路记南告类北边死张该交万取拉今切候带导争运往怕住字风门花父母叫句早坐象车夜雨石木火万岁吃"
)
_TRADITIONAL = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之"
    "年過發後作裡用道行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣"
    "理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情明性知全三又關點正業外將"
    "兩高間由問很最重並物手應向頭文體政美相見被利什二等產或新己制身果加西月話合回代內信表化老"
    "給世位次門任常先海通教原東聲提立及比員解水名真論處走義各入幾口認條平氣題更別打女變四神總"
    "何電安少報才結反受目太再感做接必件計管期市直命山指至隊形社空馬五眼書非則聽白光放難權王色"
    "路記南告類北邊死張該交萬取拉今切候帶導爭運往怕住字風花父母叫句早坐象車夜雨石木火歲吃曰矣"
)
_KANJI = (
    "日人一大年出本中子見国言上分生手自行者二間事思時気会十家女三前的方入小地合後目長場代私下"
    "立部学物月田何来彼話体動社知理山内同心発高実作当新世今書度明五戦力名金性対意用男主通関文"
    "屋感郎業定政持道外取所現最化四先民身不口川東相法声聞車員食連表回平正力水使無信全結明顔野"
    "北安元神海西多木音足京米引空週真切花強近開風夜少死家校教友南母父白天重題頭問朝界始戸利情"
    "向話考語有原成決変公以初議保市都村電画古町黒色早病車若有過次指親院葉光記点猫頁等々作終店"
)
_HIRAGANA = (
    "のにるたとはしいをでてがなれからさっりすあもこまうくよきんめおけそつだやえどわちみせじばへびずろ"
    "ほげむべひょゆぶごゃねふぐぎぼゅづざぞぬぜぱぽぷぴぃぁぇぺぅぉぢゞゝ"
)
_KATAKANA = (
    "ーンスルトリイアラックドシレジタフロカテマィグバムプオコデニウメサビナブャエュチキズダパミェョハ"
    "セベガモツネボソノァヴワポペピケゴギザホゲォヤヒユヨヘゼヌゥゾヲヶヅヂ"
)
_HANGUL = (
    "이다에의는로하을가고지서한은기으년대사시를리도인스일나어그자라수정아제있부해여주전구들보장성었니"
    "습않과만상면것원오마무때안관조미공용게비세우유신했었중계와동방물선당치러생요내모경개말"
)

_ASCII_LETTERS = {
    **{name: "".join(FREQUENCIES[name]) for name in _ACCENTED if name in FREQUENCIES},
    "Icelandic": "arnieslutgmkfhvdjobyp",
    "Catalan": "easrlintdocumpvbgfqhxjyz",
    "Latvian": "aisteurnokmlpdvzjbgcf",
}
_EAST_ASIAN = {
    # The codec and the lead bytes of the usual ideographs, the first level of its standard.
    "Simplified Chinese": ("gb2312", 0xB0, 0xD7),
    "Traditional Chinese": ("big5", 0xA4, 0xC6),
    "Japanese": ("euc_jp", 0xB0, 0xCF),
    # Hangul syllables; the ideographs are rare.
    "Korean": ("euc_kr", 0xB0, 0xC8),
}
_SCRIPTS = {
    "Vietnamese": (0x300, 0x323),  # tones
    "Greek": (0x370, 0x3FF),
    **dict.fromkeys(("Russian", "Ukrainian", "Bulgarian", "Serbian", "Belarusian"), (0x400, 0x52F)),
    "Hebrew": (0x591, 0x5F4),
    **dict.fromkeys(("Arabic", "Persian"), (0x60C, 0x6FF)),
    "Thai": (0xE01, 0xE5B),
}


@cache
def ascii_letter_costs() -> dict[str, dict[str, float]]:
    """Return the cost of each ASCII letter in each language in the Latin script, in nats."""
    return {
        language: {
            letter: min(2.0 + letters.index(letter) / 7, 6.0) if letter in letters else 6.0
            for letter in ascii_lowercase
        }
        for language, letters in _ASCII_LETTERS.items()
    }


def _ranked(letters: str, first: float, step: float, last: float) -> dict[str, float]:
    """Return costs that grow with the rank, from `first` up to `last`."""
    distinct = dict.fromkeys(letters)
    return {c: min(first + step * rank, last) for rank, c in enumerate(distinct)}


def _zipf(characters: str) -> dict[str, float]:
    """Return the costs of ideographs or syllables by Zipf's law."""
    distinct = dict.fromkeys(characters)
    return {c: 3.2 + 0.9 * math.log1p(rank / 3) for rank, c in enumerate(distinct)}


@cache
def _known_costs(language: str) -> dict[str, float]:
    """Return the costs of the usual characters of a language that are not ASCII."""
    costs = _ranked(_PUNCTUATION, 2.5, 0.25, 8.0)
    if language in _ACCENTED:
        first = 4.5 if language == "English" else 2.5
        letters = _ranked(_ACCENTED[language], first, 0.35, 8.0)
        costs |= {c.upper(): cost + _CAPITAL for c, cost in letters.items() if len(c.upper()) == 1}
        return costs | letters
    if language in _LETTERS:
        letters = _ranked("".join(_LETTERS[language]), 2.2, 1 / 9, 6.0)
        costs |= {c.upper(): cost + _CAPITAL for c, cost in letters.items()}
        return costs | letters
    costs |= _ranked(_EAST_ASIAN_PUNCTUATION, 2.5, 0.2, 8.0)
    if language == "Japanese":
        kana = _ranked(_HIRAGANA, 2.8, 0.05, 7.0) | _ranked(_KATAKANA, 3.2, 0.05, 7.0)
        return costs | {c: cost + 0.7 for c, cost in _zipf(_KANJI).items()} | kana
    if language == "Korean":
        return costs | _zipf(_HANGUL)
    return costs | _zipf(_SIMPLIFIED if language == "Simplified Chinese" else _TRADITIONAL)


@cache
def character_cost(character: str, language: str) -> float:
    """Return the cost of a character in a text in a language, in nats.

    Parameters
    ----------
    character : str
        One character.
    language : str
        The name of a language in `encoding_detection.ENCODINGS`.
    """
    if character.isascii():
        return _ASCII
    if character == "\ufffd":
        return _REPLACEMENT
    if language == ANY_LANGUAGE:
        return _UTF_8_SEQUENCE
    known = _known_costs(language).get(character)
    return _unusual_cost(character, language) if known is None else known


def _unusual_cost(character: str, language: str) -> float:
    """Return the cost of a character that is not in the language's lists."""
    category = unicodedata.category(character)
    if category in {"Cc", "Cn", "Co", "Cs"}:
        return _UNASSIGNED
    if language in _EAST_ASIAN:
        return _unusual_east_asian_cost(character, language, category)
    if category[0] not in "LM":
        return _SYMBOL
    first, last = _SCRIPTS.get(language, (1, 0))
    if first <= ord(character) <= last:
        return 3.0 if category == "Mn" else 7.0
    return FOREIGN_LETTER


def _unusual_east_asian_cost(character: str, language: str, category: str) -> float:
    """Return the cost of a character that is not in the lists of an East Asian language."""
    code = ord(character)
    codec, first, last = _EAST_ASIAN[language]
    is_ideograph = 0x4E00 <= code <= 0x9FFF
    if (is_ideograph or 0xAC00 <= code <= 0xD7A3) and _is_in(character, codec, 0x81, 0xFE):
        usual = _HANGUL_SYLLABLE if language == "Korean" else _LEVEL_1_IDEOGRAPH
        return usual if _is_in(character, codec, first, last) else _RARE_IDEOGRAPH
    if is_ideograph:
        return _RARE_IDEOGRAPH + 2
    if 0x3040 <= code <= 0x30FF:
        return _KANA if language == "Japanese" else FOREIGN_LETTER - 2
    if 0xFF61 <= code <= 0xFF9F and language == "Japanese":
        full_width = unicodedata.normalize("NFKC", character)
        return min(_HALF_WIDTH_KANA, _known_costs(language).get(full_width, _HALF_WIDTH_KANA))
    if category[0] not in "LM":
        return _SYMBOL
    return FOREIGN_LETTER + 2


def _is_in(character: str, codec: str, first: int, last: int) -> bool:
    """Return whether a character has a lead byte in a range."""
    try:
        return first <= character.encode(codec)[0] <= last
    except UnicodeEncodeError:
        return False
