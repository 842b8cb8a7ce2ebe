"""Keyed hashes that let sealed values be found without being opened (blind index)."""

import hashlib
from collections.abc import Iterator

from shared.keyring.words import is_of_no_spaces, words_of

MIN_PREFIX = 2
MAX_PREFIX = 20
MAX_PART = 4
TOKEN_BYTES = 12


class SearchIndex:
    """Tokens of word prefixes: case- and accent-insensitive, in any script.

    A token is BLAKE2b-96 in hex, keyed with `index_key` (32 bytes): without the key nobody can
    guess names from tokens. Prefixes have 2 to 20 characters. In scripts without spaces between
    words every part of 1 to 4 characters has a token, wherever it stands.
    """

    __slots__ = ("_key",)

    def __init__(self, index_key: bytes) -> None:
        self._key = index_key

    def tokens_of(self, text: str) -> tuple[str, ...]:
        """Tokens of all by which `text` may be found, sorted, each once."""
        found = {part for word in words_of(text) for part in _parts(word)}
        return tuple(sorted(self._token(part) for part in found))

    def tokens_to_find(self, query: str) -> tuple[str, ...]:
        """Tokens that a text with all words of `query` has; words that are too short are left
        out."""
        wanted = (part for word in words_of(query) for part in _wanted(word))
        return tuple(self._token(part) for part in dict.fromkeys(wanted))

    def claim_key(self, udid: str) -> str:
        """The keyed hash under which a bear's UDID is reserved."""
        return hashlib.blake2b(udid.encode(), key=self._key, person=b"udid").hexdigest()

    def _token(self, prefix: str) -> str:
        return hashlib.blake2b(
            prefix.encode(), digest_size=TOKEN_BYTES, key=self._key, person=b"name"
        ).hexdigest()


def is_too_short(word: str) -> bool:
    """Whether nothing can be found by this word of `words_of`."""
    return len(word) < MIN_PREFIX and not is_of_no_spaces(word)


def _parts(word: str) -> Iterator[str]:
    if is_of_no_spaces(word):
        for start in range(len(word)):
            for end in range(start + 1, min(start + MAX_PART, len(word)) + 1):
                yield word[start:end]
    else:
        for length in range(MIN_PREFIX, min(len(word), MAX_PREFIX) + 1):
            yield word[:length]


def _wanted(word: str) -> Iterator[str]:
    if is_of_no_spaces(word):
        for start in range(max(1, len(word) - MAX_PART + 1)):
            yield word[start : start + MAX_PART]
    elif not is_too_short(word):
        yield word[:MAX_PREFIX]
