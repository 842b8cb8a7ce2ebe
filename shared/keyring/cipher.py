"""Sealing values of one child under its data key, and the provider that wraps data keys."""

import base64
import hmac
import os
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.event_store.port import StoreUnavailable


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A child's data key, encrypted under the key-encryption key named `kek_id`."""

    child_id: str
    kek_id: str
    wrapped: bytes


class UnknownKek(StoreUnavailable):
    """A data key is wrapped under a key-encryption key that the provider does not have, or not
    yet: the file of a rotation may still be on its way to this machine."""


class KeyProvider(Protocol):
    async def wrap(self, child_id: str, data_key: bytes) -> WrappedKey:
        """Encrypt `data_key` under the active key-encryption key."""

    async def unwrap(self, wrapped: WrappedKey) -> bytes:
        """The data key; raises UnknownKek, or SealBroken when it was altered or moved."""


KEY_BYTES = 32
NONCE_BYTES = 12

_PRINTS = b"teddy request print\x01"
"""HKDF-Expand (RFC 5869) of one block: the purpose, and the block's number."""


class SealBroken(Exception):
    """A ciphertext does not belong where it was found, or was altered."""


class ChildCipher:
    """Seals and opens one child's values. `place` binds a value to where it stands.

    Sealed form: base64 of nonce (12 bytes), ciphertext and tag (16 bytes). The additional
    authenticated data is the child's id and `place`, so a ciphertext moved to another child, event
    or field does not open.
    """

    __slots__ = ("_aead", "_child_id", "_print_key")

    def __init__(self, child_id: str, data_key: bytes) -> None:
        self._child_id = child_id
        self._aead = AESGCM(data_key)
        self._print_key = hmac.digest(data_key, _PRINTS, "sha256")

    def seal(self, plaintext: bytes, place: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = self._aead.encrypt(nonce, plaintext, self._associated(place))
        return base64.b64encode(nonce + ciphertext).decode("ascii")

    def open(self, sealed: str, place: str) -> bytes:
        """The plaintext; raises SealBroken when it was altered or moved."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            nonce, ciphertext = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
            return self._aead.decrypt(nonce, ciphertext, self._associated(place))
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"sealed value of {place} cannot be decrypted") from error

    def print_of(self, content: bytes) -> str:
        """HMAC-SHA-256 in hex, under a key derived from the data key: once that is destroyed nobody
        can tell what `content` was, not even by guessing."""
        return hmac.digest(self._print_key, content, "sha256").hex()

    def _associated(self, place: str) -> bytes:
        return f"{self._child_id}\0{place}".encode()


class ClosedCipher(ChildCipher):
    """Stands for the cipher of a child whose data key does not open; `error` says why. Nothing of
    the child opens with it, so that whoever works on many children gets to all the others."""

    __slots__ = ("error",)

    def __init__(self, child_id: str, error: Exception) -> None:
        self._child_id = child_id
        self.error = error

    def seal(self, plaintext: bytes, place: str) -> str:  # noqa: ARG002 - as in the base class
        raise SealBroken(str(self.error)) from self.error

    def open(self, sealed: str, place: str) -> bytes:  # noqa: ARG002 - as in the base class
        raise SealBroken(str(self.error)) from self.error

    def print_of(self, content: bytes) -> str:  # noqa: ARG002 - as in the base class
        raise SealBroken(str(self.error)) from self.error


def new_data_key() -> bytes:
    return os.urandom(KEY_BYTES)


def field_place(event_id: str, field_name: str, of: str | None) -> str:
    """Where a field of an event stands, for `ChildCipher.seal` and `open`. `of`: the id of what the
    field tells of, where a child has several; None: the child itself, and all values of releases
    that did not bind it."""
    place = f"{event_id}\0{field_name}"
    return place if of is None else f"{place}\0{of}"
