"""Readers that ask for profiles without a pause and notice every failure and every step back."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import orjson


@dataclass(slots=True)
class Read:
    """What readers saw: answers, those that were none, and children that went back in time."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    backwards: list[str] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    def saw(self, child_id: str, version: int) -> None:
        self.answered += 1
        before = self.versions.get(child_id, 0)
        if version < before:
            self.backwards.append(f"{child_id}: version {before}, then {version}")
        self.versions[child_id] = max(before, version)


@asynccontextmanager
async def reading(
    url: str, token: str, child_ids: Sequence[str], readers: int = 4, pause: float = 0.0
) -> AsyncIterator[Read]:
    """`readers` ask for profiles of `child_ids`, each its own ones, as long as the block."""
    read = Read()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30.0) as http:
        readers = min(readers, len(child_ids))
        shares = [child_ids[number::readers] for number in range(readers)]
        tasks = [asyncio.create_task(_read(http, share, read, pause)) for share in shares]
        try:
            yield read
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            lost = [e for e in ended if isinstance(e, Exception)]
            read.failed += [f"reader ended: {error!r}" for error in lost]


async def _read(
    http: httpx2.AsyncClient, child_ids: Sequence[str], read: Read, pause: float
) -> None:
    chance = random.Random(7)
    while True:
        child_id = chance.choice(child_ids)
        try:
            response = await http.get(f"/v1/children/{child_id}")
        except httpx2.TransportError as error:
            read.failed.append(f"{child_id}: {type(error).__name__}")
            continue
        if response.status_code == 200:
            read.saw(child_id, orjson.loads(response.content)["version"])
        else:
            read.failed.append(f"{child_id}: {response.status_code} {response.text[:100]}")
        await asyncio.sleep(pause)
