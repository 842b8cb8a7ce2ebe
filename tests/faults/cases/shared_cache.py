"""Two query processes share a tier of their caches while its server hangs, dies, forgets and lies:
what they answer is never older than what it was promised to show, nor late."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx2
from redis.asyncio import Redis

from deploy.local.plans import CACHE_STORAGE
from shared.clock import new_id
from tests.faults.cases.case import Case
from tests.faults.cases.links import NotAsPromised
from tests.faults.cases.own_child import OwnChild
from tests.faults.world import RECOVER_SECONDS, World
from tests.support.own_servers import OwnServer, own_valkey
from tests.support.waiting import eventually

TOKEN = "Consistency-Token"
LONGEST_SECONDS = 10.0
"""Many times what a busy machine needs, and less than a wait without end."""

TURNS = 6
"""Changes of the child during each fault, and between two."""


@dataclass
class Readers:
    """`urls`: of the query processes. `server`: of what they share."""

    child: OwnChild
    urls: tuple[str, str]
    server: OwnServer
    values: Redis
    older: dict[bytes, bytes] = field(default_factory=dict)

    async def are_answered_right(self) -> None:
        for turn in range(TURNS):
            token = await self._change()
            # one loads and writes it, so that the other finds it once it drops what it has
            url = self.urls[turn % 2]
            if await self._version(url, {TOKEN: token, "Prefer": "wait=10"}) < self.wanted:
                raise NotAsPromised("an answer older than its token")
            for url in (*self.urls, *self.urls):
                await eventually(
                    partial(self._version, url), RECOVER_SECONDS, lambda at: at >= self.wanted
                )

    @property
    def wanted(self) -> int:
        return self.child.version

    async def share(self) -> bool:
        """Whether an answer ever came from the shared tier, after some more changes."""
        await self.are_answered_right()
        async with httpx2.AsyncClient() as http:
            pages = [(await http.get(f"{url}/metrics")).text for url in self.urls]
        hits = re.findall(r'lookups_total\{outcome="hit",tier="shared"\} ([\d.]+)', "".join(pages))
        return any(map(float, hits))

    async def _change(self) -> str:
        """Returns the token of what it did."""
        path = f"/v1/children/{self.child.child_id}/profile"
        body = {"preferences": {"note": new_id()}}
        async with self.child.world.as_parent(self.child.parent) as http:
            answer = (await http.patch(path, json=body)).raise_for_status()
        self.child.version = answer.json()["version"]
        return str(answer.headers[TOKEN])

    async def _version(self, url: str, headers: dict[str, str] | None = None) -> int:
        began = time.monotonic()
        async with self.child.world.as_parent(self.child.parent, url) as http:
            answer = await http.get(f"/v1/children/{self.child.child_id}", headers=headers)
        seconds = time.monotonic() - began
        if not headers and seconds > LONGEST_SECONDS:
            raise NotAsPromised(f"an answer after {seconds:.1f} s")
        return int(answer.raise_for_status().json()["version"])


@asynccontextmanager
async def _readers(world: World) -> AsyncIterator[Readers]:
    child = await OwnChild.registered(world)
    folder = world.folder.path / f"shared-{new_id()}"
    async with own_valkey(folder) as server:
        url = f"redis://{server.address}/0"
        variables = {CACHE_STORAGE: url}
        async with (
            world.another("query", **variables) as one,
            world.another("query", **variables) as other,
            Redis.from_url(url) as values,
        ):
            readers = Readers(child, (one.url, other.url), server, values)
            # some seconds after both follow the change feed
            await eventually(readers.share, RECOVER_SECONDS)
            yield readers


async def _hung_and_killed(world: World) -> int:
    async with _readers(world) as readers:
        with readers.server.frozen():
            await readers.are_answered_right()
        await readers.are_answered_right()
        await readers.server.kill()
        await readers.are_answered_right()
        await readers.server.start()
        await readers.are_answered_right()
    return 2


async def _lying(world: World) -> int:
    async with _readers(world) as readers:
        lies: tuple[Callable[[Readers, random.Random], Awaitable[None]], ...]
        lies = (_flushed, _put_back, _swapped, _altered, _full)
        for lie in lies:
            lying = asyncio.create_task(_again_and_again(lie, readers, world.chance))
            try:
                await readers.are_answered_right()
            finally:
                lying.cancel()
                await asyncio.gather(lying, return_exceptions=True)
            await _note(readers)
    return len(lies)


async def _again_and_again(
    lie: Callable[[Readers, random.Random], Awaitable[None]],
    readers: Readers,
    chance: random.Random,
) -> None:
    while True:
        await lie(readers, chance)
        await asyncio.sleep(chance.random() / 10)


async def _all(readers: Readers) -> dict[bytes, bytes]:
    keys = [key async for key in readers.values.scan_iter()]
    found = await readers.values.mget(keys) if keys else []
    return {key: value for key, value in zip(keys, found, strict=True) if value is not None}


async def _note(readers: Readers) -> None:
    """What is to be put back later."""
    readers.older |= await _all(readers)


async def _flushed(readers: Readers, _: random.Random) -> None:
    await _note(readers)
    await readers.values.flushall()


async def _put_back(readers: Readers, _: random.Random) -> None:
    if readers.older:
        await readers.values.mset(readers.older)


async def _swapped(readers: Readers, chance: random.Random) -> None:
    found = await _all(readers)
    values = list(found.values())
    chance.shuffle(values)
    if found:
        await readers.values.mset(dict(zip(found, values, strict=True)))


async def _altered(readers: Readers, chance: random.Random) -> None:
    for key, value in (await _all(readers)).items():
        at = chance.randrange(len(value))
        cut = value[:at] if chance.random() < 0.5 else value[:at] + b"\0" + value[at + 1 :]
        await readers.values.set(key, cut or b"\0")


async def _full(readers: Readers, _: random.Random) -> None:
    await readers.values.config_set("maxmemory-policy", "noeviction")
    await readers.values.config_set("maxmemory", "1")


CASES = (
    Case(
        "shared-cache-away",
        "the server of the shared tier of two query processes hangs; SIGKILL of it",
        _hung_and_killed,
    ),
    Case(
        "shared-cache-lying",
        "the server of the shared tier forgets, puts back, swaps and alters answers, and is full",
        _lying,
    ),
)
