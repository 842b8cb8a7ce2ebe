"""Keyed hashes that let sealed values be found without being opened (blind index)."""

import hashlib
import unicodedata

MIN_PREFIX = 2
MAX_PREFIX = 20
TOKEN_BYTES = 12


class SearchIndex:
    """Tokens of word prefixes: case- and accent-insensitive, in any script.

    A token is BLAKE2b-96 in hex, keyed with `index_key` (32 bytes): without the key nobody can
    guess names from tokens. Prefixes have 2 to 20 characters.
    """

    __slots__ = ("_key",)

    def __init__(self, index_key: bytes) -> None:
        self._key = index_key

    def tokens_of(self, text: str) -> tuple[str, ...]:
        """Tokens of every prefix of every word of `text`, sorted, each once."""
        prefixes = {
            word[:length]
            for word in words_of(text)
            for length in range(MIN_PREFIX, min(len(word), MAX_PREFIX) + 1)
        }
        return tuple(sorted(self._token(prefix) for prefix in prefixes))

    def tokens_to_find(self, query: str) -> tuple[str, ...]:
        """One token a word of `query`; words under 2 characters are left out."""
        words = (word[:MAX_PREFIX] for word in words_of(query))
        return tuple(self._token(word) for word in words if len(word) >= MIN_PREFIX)

    def claim_key(self, udid: str) -> str:
        """The keyed hash under which a bear's UDID is reserved."""
        return hashlib.blake2b(udid.encode(), key=self._key, person=b"udid").hexdigest()

    def _token(self, prefix: str) -> str:
        return hashlib.blake2b(
            prefix.encode(), digest_size=TOKEN_BYTES, key=self._key, person=b"name"
        ).hexdigest()


def words_of(text: str) -> list[str]:
    """Words folded for comparison: compatibility-decomposed, accents dropped, case folded."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = (c for c in decomposed if not unicodedata.combining(c))
    return "".join(c if c.isalnum() else " " for c in kept).split()
