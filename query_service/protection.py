"""How far what protects children's data does so: erasures, keys, and the audit trail. Each is read
apart, so that none takes another away, and kept, since open consoles ask every few seconds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from query_service.kept import Kept
from shared.audit.port import WatchedTrail
from shared.audit.recent_state import TrailState, recent_state
from shared.audit.signed_trail import OpenSignedTrail
from shared.clock import Clock
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ErasedList, OpenErasures
from shared.keyring.key_file import KeyFile
from shared.keyring.key_store import KeyStore
from shared.signing import StatementVerifier

T = TypeVar("T")

SHOWN = 50
"""Erasures that are not complete, the oldest first."""

RECENT = timedelta(hours=1)
"""For which signed heads, and requests that were not recorded, are looked at."""

ERASURES_SECONDS, TRAIL_SECONDS, KEYS_SECONDS = 5.0, 30.0, 60.0
"""For which they are kept. To count keys, the server looks at all of them."""

COUNT_SECONDS = 1.0
"""For which keys are counted: some millions take longer."""

MOST_SECONDS = 2.0
"""For which each part is waited for."""


@dataclass(frozen=True, slots=True)
class KeysInUse:
    """The `active` one of the file's `keks`, by their ids. `data_keys`: how many each one wraps,
    also those that are not in the file; None: they could not be counted in time."""

    active: str
    keks: tuple[str, ...]
    data_keys: Mapping[str, int] | None

    @property
    def missing(self) -> list[str]:
        """Those that wrap data keys and are not in the file, as far as counted."""
        return sorted((self.data_keys or {}).keys() - set(self.keks))


@dataclass(frozen=True, slots=True)
class Protection:
    erasures: Kept[OpenErasures]
    keys: Kept[KeysInUse]
    trail: Kept[TrailState]


@dataclass(frozen=True, slots=True)
class ProtectionSources:
    """`key_file` and `signed_trail` read files. `monotonic`: seconds."""

    erased: ErasedList
    key_store: KeyStore
    key_file: Callable[[], KeyFile]
    trail: WatchedTrail
    signed_trail: OpenSignedTrail
    clock: Clock
    monotonic: Callable[[], float]

    def kept(self) -> Protection:
        return Protection(
            self._kept("erasures", self._erasures, ERASURES_SECONDS),
            self._kept("keys", self._keys, KEYS_SECONDS),
            self._kept("audit trail", self._trail, TRAIL_SECONDS),
        )

    def _kept(self, name: str, read: Callable[[], Awaitable[T]], seconds: float) -> Kept[T]:
        return Kept(name, read, seconds, MOST_SECONDS, self.monotonic)

    async def _erasures(self) -> OpenErasures:
        return await self.erased.open_erasures(SHOWN)

    async def _keys(self) -> KeysInUse:
        file = await asyncio.to_thread(self.key_file)
        try:
            counted = await self.key_store.count_by_kek(COUNT_SECONDS)
        except StoreUnavailable:
            counted = None
        return KeysInUse(file.active, tuple(file.keks), counted)

    async def _trail(self) -> TrailState:
        signed = await asyncio.to_thread(self.signed_trail)
        verifier = StatementVerifier(signed.jwks)
        return await recent_state(self.trail, verifier, self.clock() - RECENT)
