"""An attacker with every database, every topic and the key file, who knows what to guess."""

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.keyring.key_file import KeyFile
from shared.keyring.search_index import SearchIndex

PREFIX = 8
"""Bytes of a digest that are compared; the shortest that is kept has as many."""

PERSONS = (b"", b"udid", b"device", b"bear", b"name", b"rate limits", b"consistency")
SIZES = (8, 12, 16, 20, 32, 64)
PURPOSES = (b"request print", b"request key", b"teddy request print\x01")
NAMESPACE = uuid.UUID("5f0e4a1c-0d0b-5c58-9f53-2f3c3b0d9a61")
"""Of derived ids."""

_HEX = re.compile(rb"[0-9a-f]{16,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}={0,2}")
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request whose caller, and whose key, may have been guessed, too."""

    role: str
    subject: str
    key: str
    method: str
    path: str
    body: Any

    @property
    def content(self) -> bytes:
        body = b"" if self.body is None else orjson.dumps(self.body, option=orjson.OPT_SORT_KEYS)
        return f"{self.method}\n{self.path}\n".encode() + body


def values_of(stored: Any) -> Iterator[bytes]:
    """Every text and every byte string in documents, read; keys of fields too."""
    if isinstance(stored, bytes):
        yield stored
    elif isinstance(stored, str):
        yield stored.encode()
    elif isinstance(stored, Mapping):
        yield from values_of(list(stored))
        yield from values_of(list(stored.values()))
    elif isinstance(stored, Iterable):
        for each in stored:
            yield from values_of(each)


@dataclass(frozen=True, slots=True)
class Loot:
    """What was found anywhere: the beginnings of all that may be a digest, and derived ids."""

    digests: frozenset[bytes]
    ids: frozenset[str]

    @staticmethod
    def of(values: Iterable[bytes]) -> "Loot":
        digests: set[bytes] = set()
        ids: set[str] = set()
        for value in values:
            digests.add(value[:PREFIX])
            digests.update(bytes.fromhex(run[: 2 * PREFIX].decode()) for run in _HEX.findall(value))
            for run in _BASE64.findall(value):
                digests.update(_of_base64(run))
            ids.update(found.decode() for found in _UUID.findall(value))
        return Loot(frozenset(digests), frozenset(ids))


def confirmed(
    loot: Loot, keys: KeyFile, guesses: Mapping[str, str], requests: Sequence[Sent] = ()
) -> set[str]:
    """Names of the guesses that `loot` confirms. A request confirms itself by `METHOD path`."""
    known = _keys_of(keys)
    found = {
        name
        for name, guess in guesses.items()
        for text in _written(guess)
        if _is_in(loot, known, text)
    }
    index = SearchIndex(keys.index_key)
    found |= {
        name
        for name, guess in guesses.items()
        if all(bytes.fromhex(token)[:PREFIX] in loot.digests for token in index.tokens_of(guess))
    }
    for sent in requests:
        if _is_in(loot, known, sent.content) or _made_an_id(loot, known, sent):
            found.add(f"{sent.method} {sent.path}")
    return found


def _keys_of(keys: KeyFile) -> list[bytes]:
    """All in the key file, and what is derived from them."""
    own = [keys.index_key, keys.signature_key, *keys.keks.values()]
    derived = [hmac.digest(key, purpose, "sha256") for key in own for purpose in PURPOSES]
    limits = [hashlib.blake2b(key, person=b"rate limits").digest() for key in own]
    return [*own, *derived, *limits]


def _written(guess: str) -> set[bytes]:
    """As somebody may have hashed it."""
    cases = {guess, guess.upper(), guess.lower(), guess.casefold()}
    encoded = ((text.encode(), orjson.dumps(text), text.encode("utf-16")) for text in cases)
    return {form for forms in encoded for form in forms}


def _is_in(loot: Loot, keys: Sequence[bytes], text: bytes) -> bool:
    return any(digest[:PREFIX] in loot.digests for digest in _digests(keys, text))


def _digests(keys: Sequence[bytes], text: bytes) -> Iterator[bytes]:
    """Every digest that there is in the code, under every key."""
    for name in ("md5", "sha1", "sha256", "sha512"):
        yield hashlib.new(name, text, usedforsecurity=False).digest()
        yield from (hmac.digest(key, text, name) for key in keys)
    for person in PERSONS:
        for size in SIZES:
            yield hashlib.blake2b(text, digest_size=size, person=person).digest()
            for key in keys:
                yield hashlib.blake2b(text, digest_size=size, key=key, person=person).digest()


def _made_an_id(loot: Loot, keys: Sequence[bytes], sent: Sent) -> bool:
    """Ids that follow from the request, as this release and the ones before derive them."""
    scoped = f"{sent.role}\n{sent.subject}\n{sent.key}".encode()
    stored = [hashlib.sha256(scoped).hexdigest()]
    prints = [hmac.digest(key, sent.content, "sha256").hex() for key in keys]
    names = [
        f"{what}\n{key}\n{print_}"
        for what in ("child", "violation", "conversation")
        for key in stored
        for print_ in prints
    ]
    return any(str(uuid.uuid5(NAMESPACE, name)) in loot.ids for name in names)


def _of_base64(run: bytes) -> Iterator[bytes]:
    for altchars in (None, b"-_"):
        try:
            yield base64.b64decode(run + b"=" * (-len(run) % 4), altchars)[:PREFIX]
        except binascii.Error:
            continue
