"""The verifier of bearer tokens that the settings ask for, and where it gets its keys."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2

from shared.auth.keys import MAX_BYTES, CachedKeys, Fetch, Freshness, KeySetRefused
from shared.auth.tokens import Expected, TokenVerifier
from shared.http.settings import TokenSettings

FILE_SECONDS = 1.0
"""How long a file is believed unchanged."""


@dataclass(frozen=True, slots=True)
class TokenChecks:
    """`keys` are to be closed at the end."""

    verifier: TokenVerifier
    keys: CachedKeys


def token_checks(settings: TokenSettings) -> TokenChecks:
    """A file is read at once, an address when the first token comes.

    Raises OSError for a file that cannot be read, KeySetRefused for one without usable keys.
    """
    keys = _keys(settings)
    expected = Expected(
        settings.token_issuer,
        settings.token_audience,
        settings.token_leeway_seconds,
        settings.token_most_life_seconds,
    )
    return TokenChecks(TokenVerifier(keys, expected), keys)


def _keys(settings: TokenSettings) -> CachedKeys:
    max_age = settings.jwks_max_age_seconds
    if settings.jwks_url is not None:
        freshness = Freshness(settings.jwks_life_seconds, settings.jwks_cooldown_seconds, max_age)
        return CachedKeys(from_url(settings.jwks_url), freshness, time.monotonic)
    path = settings.jwks_file
    assert path is not None  # the settings have one of the two
    keys = CachedKeys(
        from_file(path), Freshness(FILE_SECONDS, FILE_SECONDS, max_age), time.monotonic
    )
    try:
        keys.accept(path.read_bytes())
    except KeySetRefused as refused:
        raise KeySetRefused(f"{path}: {refused}") from None
    return keys


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
