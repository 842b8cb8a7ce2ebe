"""Words as search sees them: case, accents and ways of writing the same letter make no difference.

An accent is a mark that a reader may leave out: on Latin, Greek and Cyrillic letters, the points of
Hebrew, the vowel signs of Arabic. In other scripts marks are letters (the vowels of Devanagari or
Thai, the voicing of kana) and stay. Hangul is taken apart into its letters, so that a syllable that
is still being typed finds the name. Scripts without spaces are told apart: a reader searches for
any part of what looks like one long word.
"""

import re
import unicodedata
from itertools import groupby

_ACCENTS = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"  # on Latin, Greek, Cyrillic
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew points
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"  # Han, kana, Bopomofo
)
_HANGUL_SYLLABLE = re.compile("[\uac00-\ud7a3]")
_SAME_LETTER = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ħ": "h",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ð": "d",
    }
)
"""Latin letters that Unicode does not take apart, as they are written without their key."""

_UNSEEN, _SEPARATOR, _LETTER, _OF_NO_SPACES = range(4)


def words_of(text: str) -> list[str]:
    """The words of `text` in the form in which they are compared."""
    classified: list[tuple[int, str]] = []
    for character in _folded(text):
        kind = _kind(character)
        if kind == _UNSEEN:
            continue
        if unicodedata.category(character)[0] == "M" and classified:
            kind = classified[-1][0]  # a mark belongs to what it stands on
        classified.append((kind, character))
    runs = groupby(classified, key=lambda each: each[0])
    return ["".join(c for _, c in run) for kind, run in runs if kind != _SEPARATOR]


def is_of_no_spaces(word: str) -> bool:
    """Whether the word's script puts no spaces between words."""
    return _SPACELESS.match(word) is not None


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = _ACCENTS.sub("", decomposed).translate(_SAME_LETTER)
    composed = unicodedata.normalize("NFC", bare)
    return _HANGUL_SYLLABLE.sub(lambda found: unicodedata.normalize("NFD", found[0]), composed)


def _kind(character: str) -> int:
    category = unicodedata.category(character)
    if category == "Cf":
        return _UNSEEN
    if _SPACELESS.match(character) and category[0] in "LNM":
        return _OF_NO_SPACES
    return _LETTER if category[0] in "LNM" else _SEPARATOR
