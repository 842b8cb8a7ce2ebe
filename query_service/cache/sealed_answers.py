"""How an answer lies on a server that others can read: sealed, and gone with any child it shows."""

import hmac
import os
from collections.abc import Collection

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.keyring.keyring import ChildCipher, Keyring, SealBroken

SALT_BYTES = 16
LENGTH_BYTES = 4
NONCE = bytes(12)
"""Every key seals one thing once."""

PRINTED = b"query answer\0"
HEADER, BODY = b"header\0", b"body\0"


class AnswerSeal:
    """Sealed form: salt (16 bytes), then AES-256-GCM of the header's length (4 bytes), the header
    and the sealed body; the place is authenticated with it.

    Both keys are HMAC-SHA-256 of the salt under `secret`. The body's is also of a print that each
    child's data key makes of the salt: once one of them is destroyed, nobody opens it again."""

    def __init__(self, secret: bytes, keyring: Keyring) -> None:
        self._secret = secret
        self._keyring = keyring

    async def seal(
        self, place: str, header: bytes, body: bytes, children: Collection[str]
    ) -> bytes | None:
        """None when a child has no key that opens. Raises StoreUnavailable."""
        salt = os.urandom(SALT_BYTES)
        prints = await self._prints(salt, children)
        if prints is None:
            return None
        sealed = self._cipher(BODY, salt, prints).encrypt(NONCE, body, None)
        whole = len(header).to_bytes(LENGTH_BYTES, "big") + header + sealed
        return salt + self._cipher(HEADER, salt).encrypt(NONCE, whole, place.encode())

    def open(self, place: str, sealed: bytes) -> "OpenedHeader":
        """Raises SealBroken when it was altered, moved, or sealed by others."""
        salt = sealed[:SALT_BYTES]
        try:
            cipher = self._cipher(HEADER, salt)
            whole = cipher.decrypt(NONCE, sealed[SALT_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken("sealed answer cannot be decrypted") from error
        end = LENGTH_BYTES + int.from_bytes(whole[:LENGTH_BYTES], "big")
        return OpenedHeader(whole[LENGTH_BYTES:end], salt, whole[end:])

    async def body_of(self, opened: "OpenedHeader", children: Collection[str]) -> bytes | None:
        """None when a child's key is gone or does not open. Raises StoreUnavailable."""
        prints = await self._prints(opened.salt, children)
        if prints is None:
            return None
        try:
            return self._cipher(BODY, opened.salt, prints).decrypt(NONCE, opened.body, None)
        except InvalidTag:  # another data key than the one it was sealed with
            return None

    async def _prints(self, salt: bytes, children: Collection[str]) -> bytes | None:
        ciphers: dict[str, ChildCipher] = await self._keyring.ciphers(children) if children else {}
        if len(ciphers) < len(set(children)):
            return None
        try:
            return "".join(
                ciphers[child].print_of(PRINTED + salt) for child in sorted(ciphers)
            ).encode()
        except SealBroken:
            return None

    def _cipher(self, purpose: bytes, salt: bytes, prints: bytes = b"") -> AESGCM:
        return AESGCM(hmac.digest(self._secret, purpose + salt + prints, "sha256"))


class OpenedHeader:
    """`body` is still sealed."""

    __slots__ = ("body", "header", "salt")

    def __init__(self, header: bytes, salt: bytes, body: bytes) -> None:
        self.header = header
        self.salt = salt
        self.body = body
