"""Callers that go on through every fault: commands until they are answered, and queries."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2

from deploy.load.generator import Generator
from deploy.load.model import ModelChild, Request, Tally
from deploy.load.sender import Pace, Sender
from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.signing import read_signing_key
from tests.faults.history import claims_of
from tests.faults.leaks import canary_of
from tests.faults.world import World

CHILDREN = 30
CONCURRENCY = 10
READERS = 3
READ_PAUSE_SECONDS = 0.05
PATIENCE = 3.0
"""How much longer than usual to wait before a command is repeated: its process may have died for
the third time, and its supervisor starts it again later each time."""

TOKEN_LIFE = timedelta(hours=6)


class CanaryNames(Generator):
    """Children whose names tell their family: found anywhere else, something leaked."""

    def registration(self, child: ModelChild, chance: random.Random) -> Request:
        return _named(super().registration(child, chance), child)

    def next(self, child: ModelChild, chance: random.Random, number: int) -> Request:
        return _named(super().next(child, chance, number), child)


class Surprised(Exception):
    """A command got another answer than it should have."""


@asynccontextmanager
async def under_load(world: World, seed: int, commands: int, rate: float) -> AsyncIterator[Tally]:
    """`commands` commands at `rate` a second begin; the block injects faults meanwhile; its end
    waits for the last answer."""
    url = world.state.environment["TEDDY_COMMAND_URL"]
    generator = CanaryNames(seed, world.run)
    reading = [asyncio.create_task(_read(world, n, seed)) for n in range(READERS)]
    try:
        async with _sending(world, url, generator, commands, rate) as tally:
            yield tally
    finally:
        await _ended(*reading)


@asynccontextmanager
async def more_load(world: World, url: str, commands: int, rate: float) -> AsyncIterator[None]:
    """As `under_load`, through another command API at `url`; raises Surprised."""
    generator = CanaryNames(world.chance.randrange(1_000), f"{world.run}-more")
    async with _sending(world, url, generator, commands, rate) as tally:
        yield
    if tally.surprises:
        raise Surprised(tally.surprises[0])


@asynccontextmanager
async def _sending(
    world: World, url: str, generator: Generator, commands: int, rate: float
) -> AsyncIterator[Tally]:
    hooks = {"response": [_remembering(world)]}
    async with world.history.client(base_url=url, event_hooks=hooks) as http:
        sender = Sender(http, _issuer(world), generator, Pace(rate), lambda _: None, _patiently)
        sending = asyncio.create_task(sender.run(CHILDREN, commands, CONCURRENCY, lambda: None))
        try:
            yield sender.tally
            await sending
        finally:
            await _ended(sending)


async def _ended(*tasks: "asyncio.Task[None]") -> None:
    """Raises what one of them raised."""
    for task in tasks:
        task.cancel()
    for one in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(one, Exception):
            raise one


async def _patiently(seconds: float) -> None:
    await asyncio.sleep(PATIENCE * seconds)


def _named(request: Request, child: ModelChild) -> Request:
    """The same object where it has no name, or this one already: a repeated request is known by
    what it is."""
    name = canary_of(child.parent_id)
    if request.body is None or request.body.get("name", name) == name:
        return request
    return replace(request, body={**request.body, "name": name})


def _remembering(world: World) -> Callable[[httpx2.Response], Awaitable[None]]:
    async def remember(response: httpx2.Response) -> None:
        registered = response.request.url.path == "/v1/children" and response.is_success
        if registered:
            world.parents[response.json()["child_id"]] = claims_of(response.request)["sub"]

    return remember


async def _read(world: World, number: int, seed: int) -> None:
    """Now a parent's own child, now a stranger's, now the parent's dashboard."""
    chance = random.Random(f"{seed}/reader/{number}")
    issuer = _issuer(world)
    tokens: dict[str, str] = {}
    url = world.state.environment["TEDDY_QUERY_URL"]
    async with world.history.client(base_url=url) as http:
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
                continue  # the query API is what the case injects faults into


def _issuer(world: World) -> TokenIssuer:
    key = Path(world.state.environment["TEDDY_SIGNING_KEY_FILE"])
    return TokenIssuer(read_signing_key(key), "teddy-local", "teddy")
