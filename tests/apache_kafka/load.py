"""Commands over HTTP as long as a test lasts, and every answer kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from deploy.load.generator import Generator
from deploy.load.sender import Pace, Sender
from deploy.local.state import StackState
from shared.auth.tokens import TokenIssuer
from shared.clock import new_id
from shared.signing import read_signing_key
from tests.support.waiting import until

RATE = 100.0
CHILDREN, COMMANDS, CONCURRENCY = 20, 180, 16
"""Of a round, which lasts about two seconds."""

ANSWER_SECONDS = 30.0
WAIT_SECONDS = 60.0


class Load:
    """Rounds of new children. A command is sent until it is answered: `acknowledged` has all."""

    def __init__(self, http: httpx2.AsyncClient, issuer: TokenIssuer) -> None:
        self._http = http
        self._issuer = issuer
        self._enough = False
        self.acknowledged: list[dict[str, Any]] = []
        self.surprises: list[str] = []

    async def run(self) -> None:
        seed = 0
        while not self._enough and not self.surprises:
            seed += 1
            generator = Generator(seed, new_id()[:8])
            sender = Sender(
                self._http, self._issuer, generator, Pace(RATE), self.acknowledged.append
            )
            await sender.run(CHILDREN, COMMANDS, CONCURRENCY, lambda: None)
            self.surprises += sender.tally.surprises

    def end(self) -> None:
        """Finish the round."""
        self._enough = True

    async def goes_on(self, commands: int = 100) -> None:
        """Returns once so many more commands were acknowledged."""
        goal = len(self.acknowledged) + commands
        await until(lambda: len(self.acknowledged) >= goal or bool(self.surprises), WAIT_SECONDS)
        assert self.surprises == []


@asynccontextmanager
async def load_on(state: StackState) -> AsyncIterator[Load]:
    """Behind the block everything that was sent is answered, and as it should be."""
    environment = state.environment
    key = read_signing_key(Path(environment["TEDDY_SIGNING_KEY_FILE"]))
    issuer = TokenIssuer(key, "teddy-local", "teddy")
    async with httpx2.AsyncClient(
        base_url=environment["TEDDY_COMMAND_URL"], timeout=ANSWER_SECONDS
    ) as http:
        load = Load(http, issuer)
        running = asyncio.create_task(load.run())
        try:
            await load.goes_on()
            yield load
        finally:
            load.end()
            await running
    assert load.surprises == []
