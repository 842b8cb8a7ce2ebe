"""Callers that go on through every fault: commands until they are answered, and queries."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx2

from deploy.load.generator import Generator
from deploy.load.outcome import Tally
from deploy.load.sender import Pace, Sender
from shared.auth.principal import Principal, Role
from shared.auth.tokens import TokenIssuer, read_signing_key
from shared.clock import utc_now
from tests.faults.world import World

CHILDREN = 30
CONCURRENCY = 10
READERS = 3
READ_PAUSE_SECONDS = 0.05
TOKEN_LIFE = timedelta(hours=6)


@asynccontextmanager
async def under_load(
    world: World, seed: int, run: str, commands: int, rate: float
) -> AsyncIterator[Tally]:
    """`commands` commands at `rate` a second begin; the block hurts the system meanwhile; its end
    waits for the last answer."""
    url = world.state.environment["TEDDY_COMMAND_URL"]
    async with httpx2.AsyncClient(
        base_url=url,
        timeout=30.0,
        limits=httpx2.Limits(max_connections=CONCURRENCY),
        event_hooks={"response": [_noting(world)]},
    ) as http:
        sender = Sender(http, _issuer(world), Generator(seed, run), Pace(rate), lambda _: None)
        sending = asyncio.create_task(sender.run(CHILDREN, commands, CONCURRENCY, lambda: None))
        reading = [asyncio.create_task(_read(world, n, seed)) for n in range(READERS)]
        try:
            yield sender.tally
            await sending
        finally:
            for task in (sending, *reading):
                task.cancel()
            ended = await asyncio.gather(sending, *reading, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception):
                raise one


def _noting(world: World) -> Callable[[httpx2.Response], Awaitable[None]]:
    async def note(response: httpx2.Response) -> None:
        entry = await world.history.note(response)
        if entry.accepted and entry.method == "POST" and entry.path == "/v1/children":
            world.parents[entry.answer["child_id"]] = entry.subject

    return note


async def _read(world: World, number: int, seed: int) -> None:
    """Now a parent's own child, now a stranger's, now the parent's dashboard."""
    chance = random.Random(f"{seed}/reader/{number}")
    issuer = _issuer(world)
    tokens: dict[str, str] = {}
    url = world.state.environment["TEDDY_QUERY_URL"]
    async with httpx2.AsyncClient(
        base_url=url, timeout=30.0, event_hooks={"response": [world.history.note]}
    ) as http:
        while True:
            await asyncio.sleep(READ_PAUSE_SECONDS)
            if not world.parents:
                continue
            child_id, parent = chance.choice(list(world.parents.items()))
            if chance.random() < 0.2:
                parent = chance.choice(list(world.parents.values()))
            if parent not in tokens:
                principal = Principal(parent, Role.PARENT)
                tokens[parent] = issuer.issue(principal, utc_now(), TOKEN_LIFE)
            dashboard = chance.random() < 0.2
            path = f"/v1/parents/{parent}/children" if dashboard else f"/v1/children/{child_id}"
            headers = {"Authorization": f"Bearer {tokens[parent]}", "X-Reader": f"{number}"}
            try:
                await http.get(path, headers=headers)
            except httpx2.TransportError:
                continue  # the query API is what the case hurts


def _issuer(world: World) -> TokenIssuer:
    key = Path(world.state.environment["TEDDY_SIGNING_KEY_FILE"])
    return TokenIssuer(read_signing_key(key), "teddy-local", "teddy")
