"""Where the public keys of tokens come from: a file, or an issuer's URL that is asked again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2
import structlog

from shared.auth.key_set import MAX_BYTES, KeySet, parse_key_set
from shared.tasks import time_limit

FETCH_SECONDS = 3.0
"""Longest a look-up may take: whoever waits for it has a request open."""

RENEWED_BESIDE = 0.8
"""From this part of its life on a set is looked up beside the requests."""

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
    """Seconds: `life` until the set is looked up before it is used again, `cooldown` between two
    look-ups, whoever asks for them, `max_age` until a set that could not be renewed is not trusted
    any longer."""

    life: float
    cooldown: float
    max_age: float


class CachedKeys:
    """Keys in memory. What gets old is renewed beside the requests, what is past its life before it
    is used: a key that its issuer took back opens nothing. Only after a look-up that failed do
    older keys serve, and the next look-ups are beside the requests, so that an issuer which hangs
    delays one request and not all. A look-up is shared by all who wait for it."""

    def __init__(self, fetch: Fetch, freshness: Freshness, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._freshness = freshness
        self._monotonic = monotonic
        self._raw: bytes | None = None
        self._keys: KeySet | None = None
        self._read_at = self._tried_at = float("-inf")
        self._lookup: asyncio.Task[None] | None = None
        self._failed = False

    def accept(self, raw: bytes) -> None:
        """Take `raw` as the set of this moment. Raises KeySetRefused."""
        if raw != self._raw:
            self._keys, self._raw = parse_key_set(raw), raw
            log.info("token_keys_fetched", key_ids=sorted(self._keys.keys))
        self._read_at = self._monotonic()

    async def current(self) -> KeySet:
        life = self._freshness.life
        known = self._keys_younger_than(RENEWED_BESIDE * life)
        if known is not None:
            return known
        lookup = self._look_up()
        usable = self._keys_younger_than(self._freshness.max_age if self._failed else life)
        if usable is None and lookup is not None:
            await asyncio.shield(lookup)
        usable = usable or self._keys_younger_than(self._freshness.max_age)
        if usable is None:
            raise KeysUnavailable
        return usable

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
            self._failed = False
        except (OSError, ValueError) as error:
            self._failed = True
            log.warning("token_keys_not_fetched", error=type(error).__name__)


class KeySetNotServed(OSError):
    """The address of the key set did not answer with one."""


def from_file(path: Path) -> Fetch:
    async def fetch() -> bytes:
        return await asyncio.to_thread(path.read_bytes)

    return fetch


def from_url(url: str, transport: httpx2.AsyncBaseTransport | None = None) -> Fetch:
    """Reads no more than a key set may have, and follows no redirect."""

    async def fetch() -> bytes:
        try:
            async with (
                httpx2.AsyncClient(transport=transport) as http,
                http.stream("GET", url, headers={"Accept": "application/json"}) as response,
            ):
                if response.status_code != httpx2.codes.OK:
                    raise KeySetNotServed(f"answered {response.status_code}")
                return await _at_most(MAX_BYTES, response)
        except httpx2.HTTPError as error:
            raise KeySetNotServed(type(error).__name__) from error

    return fetch


async def _at_most(limit: int, response: httpx2.Response) -> bytes:
    read = bytearray()
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) > limit:
            raise KeySetNotServed(f"over {limit} bytes")
    return bytes(read)


FILE_SECONDS = 1.0
"""How long a file is believed unchanged."""
