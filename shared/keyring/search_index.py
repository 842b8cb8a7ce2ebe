"""Keyed hashes that let sealed values be found without being opened (blind index)."""

import hashlib
from collections.abc import Iterator

from shared.keyring.words import LEAST_LETTERS, forms_of, forms_to_find, is_of_no_spaces

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

    def udid_key(self, udid: str) -> str:
        """The keyed hash under which a bear's UDID is reserved."""
        return hashlib.blake2b(udid.encode(), key=self._key, person=b"udid").hexdigest()

    def device_key(self, device_id: str) -> str:
        """The keyed hash under which a bear's device id is reserved."""
        return hashlib.blake2b(device_id.encode(), key=self._key, person=b"device").hexdigest()

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
