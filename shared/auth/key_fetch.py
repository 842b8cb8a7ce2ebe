"""Reading a key set from a file or over HTTPS."""

import asyncio
from pathlib import Path

import httpx2

from shared.auth.key_set import MAX_BYTES
from shared.auth.key_source import Fetch


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
