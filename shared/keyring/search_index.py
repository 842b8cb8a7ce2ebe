"""Searching for names that are sealed: keyed tokens of their words."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby, pairwise

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
_SELECTOR = re.compile("[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Which form of a letter or ideograph is meant: a reader may leave it out."""

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

_APOSTROPHES = re.compile("[\u02b9-\u02bf\u02c8\u02ca-\u02cc\ua78b\ua78c]")
"""Those that Unicode holds for letters; all others are punctuation."""

LEAST_LETTERS = 2
"""Of a word by whose beginning a name is found."""

_UNSEEN, _SEPARATOR, _LETTER, _OF_NO_SPACES = range(4)


def words_of(text: str) -> list[str]:
    """The words of `text` in the form in which they are compared.

    An accent is a mark that a reader may leave out: on Latin, Greek and Cyrillic letters, the
    points of Hebrew, the vowel signs of Arabic. In other scripts marks are letters (the vowels of
    Devanagari or Thai, the voicing of kana) and stay. Hangul is taken apart into its letters, so
    that a syllable that is still being typed finds the name. Scripts without spaces are kept apart:
    a reader searches for any part of what looks like one long word.
    """
    return [word for chunk in _chunks(text) for word in chunk]


def forms_of(name: str) -> list[str]:
    """All words by whose beginnings `name` is found: its words of two letters or more; those that
    something joins (an apostrophe, a hyphen), also as one; a letter by itself, as one with the word
    or the letters after it.

    Names are written with and without what joins their parts: O'Neil is found as o'neil, ONeil and
    Neil, Anna-Lena as annalena and lena. A letter by itself (Anna L, J. K. Rowan) is found with the
    words beside it.
    """
    chunks = _chunks(name)
    words = [word for chunk in chunks for word in chunk]
    joined = ["".join(chunk) for chunk in chunks if _may_be_joined(chunk)]
    letters = ["".join(run) for short, run in groupby(words, is_too_short) if short]
    initials = [one + other for one, other in pairwise(words) if is_too_short(one)]
    forms = [*words, *joined, *letters, *initials]
    return list(dict.fromkeys(form for form in forms if not is_too_short(form))) or _whole(name)


def forms_to_find(asked: str) -> list[str]:
    """The words of which a name that is asked for has every one among its `forms_of`. A letter by
    itself says too little where there are words; where there are none, all count as one."""
    wanted = [form for chunk in _chunks(asked) for form in _asked_for(chunk)]
    return [form for form in wanted if not is_too_short(form)] or _whole(asked)


def _asked_for(chunk: list[str]) -> list[str]:
    """O'Neil is asked for as one word: of its parts, one says nothing and the other too little."""
    as_one = _may_be_joined(chunk) and any(map(is_too_short, chunk))
    return ["".join(chunk)] if as_one else chunk


def is_of_no_spaces(word: str) -> bool:
    """Whether the word's script puts no spaces between words."""
    return _SPACELESS.match(word) is not None


def is_too_short(word: str) -> bool:
    """Whether nothing can be found by this word's beginning."""
    return len(word) < LEAST_LETTERS and not is_of_no_spaces(word)


def _whole(text: str) -> list[str]:
    """All of a text that has no word of two letters: its letters, or else its signs, as one."""
    letters = "".join(words_of(text))
    signs = "".join(c for c in _folded(text) if not c.isspace() and _kind(c) != _UNSEEN)
    return [letters or signs] if letters or signs else []


def _chunks(text: str) -> list[list[str]]:
    """The words of each part between spaces."""
    return [_words(chunk) for chunk in _folded(text).split()]


def _may_be_joined(chunk: list[str]) -> bool:
    return len(chunk) > 1 and not any(map(is_of_no_spaces, chunk))


def _words(chunk: str) -> list[str]:
    """Of a folded text without spaces."""
    classified: list[tuple[int, str]] = []
    for character in chunk:
        kind = _kind(character)
        if kind == _UNSEEN:
            continue
        if unicodedata.category(character)[0] == "M" and classified:
            kind = classified[-1][0]  # a mark belongs to what it stands on
        classified.append((kind, character))
    runs = groupby(classified, key=lambda each: each[0])
    return ["".join(c for _, c in run) for kind, run in runs if kind != _SEPARATOR]


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = _ACCENTS.sub("", _APOSTROPHES.sub("'", decomposed)).translate(_SAME_LETTER)
    composed = unicodedata.normalize("NFC", bare)
    return _HANGUL_SYLLABLE.sub(lambda found: unicodedata.normalize("NFD", found[0]), composed)


def _kind(character: str) -> int:
    category = unicodedata.category(character)
    if category == "Cf" or _SELECTOR.match(character):
        return _UNSEEN
    if _SPACELESS.match(character) and category[0] in "LNM":
        return _OF_NO_SPACES
    return _LETTER if category[0] in "LNM" else _SEPARATOR


MAX_PREFIX = 20
MAX_PART = 4
TOKEN_BYTES = 12


class SearchIndex:
    """Tokens of word prefixes: case- and accent-insensitive, in any script.

    A token is BLAKE2b-96 in hex, keyed with `index_key` (32 bytes): without the key nobody can
    guess names from tokens. Prefixes have 2 to 20 characters, one where a name has no more: how
    many names begin with which letter is not to be counted. In scripts without spaces between words
    every part of 1 to 4 characters has a token, wherever it stands.
    """

    __slots__ = ("_key",)

    def __init__(self, index_key: bytes) -> None:
        self._key = index_key

    def tokens_of(self, text: str) -> tuple[str, ...]:
        """Tokens of all by which `text` may be found, sorted, each once."""
        found = {part for form in forms_of(text) for part in _parts(form)}
        return tuple(sorted(self._token(part) for part in found))

    def tokens_to_find(self, query: str) -> tuple[str, ...]:
        """Tokens that a text has which `query` asks for: whatever is a name, finds it. None where
        nothing can be seen in the query."""
        wanted = (part for form in forms_to_find(query) for part in _wanted(form))
        return tuple(self._token(part) for part in dict.fromkeys(wanted))

    def _token(self, prefix: str) -> str:
        return hashlib.blake2b(
            prefix.encode(), digest_size=TOKEN_BYTES, key=self._key, person=b"name"
        ).hexdigest()


def _parts(word: str) -> Iterator[str]:
    if is_of_no_spaces(word):
        for start in range(len(word)):
            for end in range(start + 1, min(start + MAX_PART, len(word)) + 1):
                yield word[start:end]
    elif len(word) < LEAST_LETTERS:  # all that there is of the name
        yield word
    else:
        for length in range(LEAST_LETTERS, min(len(word), MAX_PREFIX) + 1):
            yield word[:length]


def _wanted(word: str) -> Iterator[str]:
    if is_of_no_spaces(word):
        for start in range(max(1, len(word) - MAX_PART + 1)):
            yield word[start : start + MAX_PART]
    else:
        yield word[:MAX_PREFIX]
