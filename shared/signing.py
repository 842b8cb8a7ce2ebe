"""Short signed texts that clients carry back: consistency tokens, page cursors."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

SIGNATURE_BYTES = 16


class SignatureRefused(Exception):
    """The text was not signed here for this purpose, or was altered."""


class Signer:
    """Signs payloads for one `purpose`; a text signed for another is refused.

    The text is URL-safe base64 of the payload and a keyed BLAKE2b-128 over it.
    """

    __slots__ = ("_key", "_person")

    def __init__(self, signature_key: bytes, purpose: str) -> None:
        self._key = signature_key
        self._person = purpose.encode()[: hashlib.blake2b.PERSON_SIZE]

    def sign(self, payload: bytes) -> str:
        raw = payload + self._signature(payload)
        return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")

    def open(self, text: str) -> bytes:
        """The payload; raises SignatureRefused."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise SignatureRefused("not a signed text") from None
        payload, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(payload)):
            raise SignatureRefused("the signature does not match")
        return payload

    def _signature(self, payload: bytes) -> bytes:
        return hashlib.blake2b(
            payload, digest_size=SIGNATURE_BYTES, key=self._key, person=self._person
        ).digest()


@dataclass(frozen=True, slots=True)
class ConsistencyToken:
    """A position that a reader has a right to see: child `child_id` at `version` or later."""

    child_id: str
    version: int


class ConsistencyTokens:
    """Read your own writes: commands answer with a token, queries that bring it wait for it."""

    def __init__(self, signature_key: bytes) -> None:
        self._signer = Signer(signature_key, "consistency")

    def issue(self, child_id: str, version: int) -> str:
        return self._signer.sign(f"{child_id}@{version}".encode())

    def read(self, text: str) -> ConsistencyToken:
        """The position in `text`; raises SignatureRefused."""
        child_id, _, version = self._signer.open(text).decode().rpartition("@")
        return ConsistencyToken(child_id, int(version))
