"""Which characters of a name can be seen.

Refused is what Unicode has not assigned or left to private use (its noncharacters among them),
controls, and what shows nothing: Default_Ignorable_Code_Point of the Unicode Character Database,
format characters, and three signs that are blank. Two names that look alike are then alike.

Some scripts write names with characters that show nothing by themselves. They are taken where they
change what is seen (after Unicode Standard Annex 31, 2.3.1): joiners beside a virama and in cursive
scripts, the variation selectors of Mongolian letters and of Han ideographs.
"""

import re
import unicodedata
from itertools import pairwise

UNASSIGNED = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""General categories that no name has; of `Cf` see above."""

DEFAULT_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
"""From DerivedCoreProperties.txt, as the inside of a character class."""

_BLANK = "\u2800\U00016fe4\U0001d159"
_UNSEEN = re.compile(f"[{DEFAULT_IGNORABLE}{_BLANK}]")
_JOINERS = "\u200c\u200d"
_VIRAMA = 9
"""Canonical combining class of the signs that take a consonant's vowel."""

_INDIC = re.compile("[\u0900-\u0dff]")
_CURSIVE = re.compile(
    "[\u0620-\u06ff\u0710-\u077f\u07ca-\u07ff\u0840-\u0858\u0860-\u08ff\u1820-\u18aa\ua840-\ua871"
    "\U00010ac0-\U00010aff\U00010b80-\U00010baf\U00010d00-\U00010d3f\U00010f30-\U00010f6f"
    "\U0001e900-\U0001e95f]"
)
"""Letters that join: Arabic, Syriac, N'Ko, Mandaic, Mongolian, Phags-pa and younger ones."""

_STACKING = re.compile("[\u1000-\u109f\u1780-\u17dd]")
"""Myanmar and Khmer, in which a joiner keeps signs apart."""

_MONGOLIAN = re.compile("[\u1820-\u18aa]")
_MONGOLIAN_SELECTOR = re.compile("[\u180b-\u180f]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\ufa0e-\ufa29\U00020000-\U0003ffff]")
_HAN_SELECTOR = re.compile("[\U000e0100-\U000e01ef]")


def is_seen(name: str) -> bool:
    """Whether every character of `name` shows, by itself or in what stands beside it. Looks at each
    once."""
    base = before = ""
    for character, after in pairwise(f"{name} "):
        is_plain = _is_plain(character)
        if not is_plain and not _shows_beside(character, base, before, after):
            return False
        if is_plain and unicodedata.category(character)[0] != "M":
            base = character
        before = character
    return True


def _is_plain(character: str) -> bool:
    unassigned = unicodedata.category(character) in UNASSIGNED
    return not unassigned and _UNSEEN.match(character) is None


def _shows_beside(character: str, base: str, before: str, after: str) -> bool:
    """`base`: the last character that is no mark; `before` and `after`: the neighbours."""
    if character in _JOINERS:
        return bool(base) and before not in _JOINERS and _joins(base, before, after)
    if _MONGOLIAN_SELECTOR.match(character):
        return _MONGOLIAN.match(before) is not None
    return _HAN_SELECTOR.match(character) is not None and _HAN.match(before) is not None


def _joins(base: str, before: str, after: str) -> bool:
    if unicodedata.combining(before) == _VIRAMA:
        return True
    if _INDIC.match(base):
        return unicodedata.combining(after) == _VIRAMA
    return (_CURSIVE.match(base) or _STACKING.match(base)) is not None
