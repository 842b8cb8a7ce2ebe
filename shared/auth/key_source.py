"""Where the keys of token issuers come from: looked up again from time to time, and when missed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from shared.auth.key_set import KeySet, parse_key_set
from shared.time_limit import time_limit

FETCH_SECONDS = 3.0
"""Longest a look-up may take: whoever waits for it has a request open."""

log = structlog.get_logger(__name__)

Fetch = Callable[[], Awaitable[bytes]]
"""The key set as it is now; raises OSError or ValueError."""


class KeysUnavailable(Exception):
    """No key set was ever read, or the last is too old to be trusted: no token can be judged."""


class KeySource(Protocol):
    async def current(self) -> KeySet:
        """Raises KeysUnavailable."""

    async def after_unknown_key(self) -> KeySet:
        """As `current`, after a look for a key that was not there. Raises KeysUnavailable."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Seconds: `life` until the set is looked up again, `cooldown` between two look-ups, whoever
    asks for them, `max_age` until a set that could not be renewed is not trusted any longer."""

    life: float
    cooldown: float
    max_age: float


class CachedKeys:
    """Keys in memory. What is old is renewed beside the requests, which go on with it; a look-up is
    shared by all who wait for it."""

    def __init__(self, fetch: Fetch, freshness: Freshness, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._freshness = freshness
        self._monotonic = monotonic
        self._raw: bytes | None = None
        self._keys: KeySet | None = None
        self._read_at = self._tried_at = float("-inf")
        self._lookup: asyncio.Task[None] | None = None

    def accept(self, raw: bytes) -> None:
        """Take `raw` as the set of this moment. Raises KeySetRefused."""
        if raw != self._raw:
            self._keys, self._raw = parse_key_set(raw), raw
            log.info("token_keys_read", key_ids=sorted(self._keys.keys))
        self._read_at = self._monotonic()

    async def current(self) -> KeySet:
        known = self._keys_younger_than(self._freshness.life)
        if known is not None:
            return known
        lookup = self._look_up()
        known = self._keys_younger_than(self._freshness.max_age)
        if known is None and lookup is not None:
            await asyncio.shield(lookup)
            known = self._keys_younger_than(self._freshness.max_age)
        if known is None:
            raise KeysUnavailable
        return known

    async def after_unknown_key(self) -> KeySet:
        lookup = self._look_up()
        if lookup is not None:
            await asyncio.shield(lookup)
        return await self.current()

    async def close(self) -> None:
        if self._lookup is not None:
            self._lookup.cancel()
            await asyncio.wait({self._lookup})
            self._lookup = None

    def _keys_younger_than(self, seconds: float) -> KeySet | None:
        return self._keys if self._monotonic() - self._read_at < seconds else None

    def _look_up(self) -> "asyncio.Task[None] | None":
        """The look-up under way or a new one; None when the last was a moment ago."""
        if self._lookup is None or self._lookup.done():
            now = self._monotonic()
            if now - self._tried_at < self._freshness.cooldown:
                return None
            self._tried_at = now
            self._lookup = asyncio.create_task(self._renew())
        return self._lookup

    async def _renew(self) -> None:
        try:
            async with time_limit(FETCH_SECONDS):
                self.accept(await self._fetch())
        except (OSError, ValueError) as error:
            log.warning("token_keys_not_renewed", error=type(error).__name__)
