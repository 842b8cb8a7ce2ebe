"""Data keys of children, opened and remembered for a while."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable
from datetime import timedelta

import structlog

from shared.clock import Clock
from shared.event_store.port import StoreUnavailable
from shared.keyring.cipher import (
    ChildCipher,
    ClosedCipher,
    KeyProvider,
    SealBroken,
    UnknownKek,
    WrappedKey,
    new_data_key,
)
from shared.keyring.erased_list import ErasedList
from shared.keyring.key_store import KeyStore


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
