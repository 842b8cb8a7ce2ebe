"""Data keys of children: what is sealed under them, and the keyring that opens them."""

import asyncio
import base64
import hmac
import os
from collections import OrderedDict
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import NoReturn, Protocol

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.clock import Clock
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ErasedList
from shared.keyring.key_store import KeyStore, WrappedKey


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
        can find out what `content` was, not even by guessing."""
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

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise SealBroken(str(self.error)) from self.error

    seal = open = print_of = _refuse


def new_data_key() -> bytes:
    return os.urandom(KEY_BYTES)


def field_place(event_id: str, field_name: str, of: str | None) -> str:
    """Where a field of an event stands, for `ChildCipher.seal` and `open`. `of`: the id of what the
    field is about, where a child has several; None: the child itself, and all values of releases
    that did not bind it."""
    place = f"{event_id}\0{field_name}"
    return place if of is None else f"{place}\0{of}"


class Keyring:
    """Hands out ciphers; keeps at most `max_entries` of them (least recently used goes first)."""

    def __init__(self, provider: KeyProvider, store: KeyStore, max_entries: int = 50_000) -> None:
        self._provider = provider
        self._store = store
        self._max_entries = max_entries
        self._ciphers: OrderedDict[str, ChildCipher] = OrderedDict()
        self._refused: set[str] = set()
        self._keeping = True

    async def create(self, child_id: str) -> ChildCipher:
        """The cipher of a child that may have no key yet; the new key is durable on return.

        Raises KeyDestroyed.
        """
        known = self._ciphers.get(child_id)
        if known is not None:
            return known
        wrapped = await self._provider.wrap(child_id, new_data_key())
        return await self._unwrap(await self._store.insert(wrapped))

    async def cipher(self, child_id: str) -> ChildCipher | None:
        """The child's cipher, or None when its key is destroyed (or never was).

        Raises UnknownKek or SealBroken when its key does not open.
        """
        cipher = (await self.ciphers((child_id,))).get(child_id)
        if isinstance(cipher, ClosedCipher):
            raise cipher.error
        return cipher

    async def ciphers(self, child_ids: Collection[str]) -> dict[str, ChildCipher]:
        """The ciphers of those children that have a key, in one round trip; a ClosedCipher where
        the key does not open."""
        found: dict[str, ChildCipher] = {}
        missing: list[str] = []
        for child_id in child_ids:
            if child_id in self._refused:
                continue
            known = self._ciphers.get(child_id)
            if known is None:
                missing.append(child_id)
            else:
                self._ciphers.move_to_end(child_id)
                found[child_id] = known
        if missing:
            for wrapped in await self._store.find(missing):
                try:
                    found[wrapped.child_id] = await self._unwrap(wrapped)
                except (UnknownKek, SealBroken) as error:  # asked again next time: it may come yet
                    found[wrapped.child_id] = ClosedCipher(wrapped.child_id, error)
        for child_id in self._refused.intersection(missing):
            found.pop(child_id, None)  # refused while its key was looked up
        return found

    async def still_there(self, child_ids: Collection[str]) -> set[str]:
        """Those whose key the store has now, whatever is kept here; none of those refused."""
        found = {wrapped.child_id for wrapped in await self._store.find(child_ids)}
        for child_id in set(child_ids) - found:
            self.forget(child_id)
        return found - self._refused

    def forget(self, child_id: str) -> None:
        """Drop the cipher from memory, e.g. because another process destroyed the key."""
        self._ciphers.pop(child_id, None)

    def keep(self, keeping: bool) -> None:
        """Whether ciphers are kept; if not, whoever destroys a key is obeyed with the next look."""
        self._keeping = keeping
        if not keeping:
            self._ciphers.clear()

    def refuse(self, child_ids: Iterable[str]) -> None:
        """Give out none of their ciphers from now on, whatever the store has: they are erased."""
        for child_id in child_ids:
            self._refused.add(child_id)
            self.forget(child_id)

    async def _unwrap(self, wrapped: WrappedKey) -> ChildCipher:
        cipher = ChildCipher(wrapped.child_id, await self._provider.unwrap(wrapped))
        if self._keeping and wrapped.child_id not in self._refused:
            self._ciphers[wrapped.child_id] = cipher
        while len(self._ciphers) > self._max_entries:
            self._ciphers.popitem(last=False)
        return cipher


LOOK_SECONDS = 30.0
OVERLAP = timedelta(minutes=5)
"""How far the clocks of two processes may be apart, and how long an erasure may take to be on the
list."""

log = structlog.get_logger(__name__)


async def forget_the_erased(keyring: Keyring, erased: ErasedList, clock: Clock) -> None:
    """Look at the list again and again, until cancelled."""
    since = clock() - OVERLAP
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        seen = clock()
        try:
            keyring.refuse(await erased.since(since))
        except StoreUnavailable as error:
            log.warning("erased_list_unknown", reason=str(error))
        else:
            since = seen - OVERLAP
