"""Sends commands over HTTP: for each child in order, for many children at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx2
import orjson

from deploy.load.generator import Generator
from deploy.load.model import ModelChild, Request, Tally, settle
from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now

TOKEN_LIFE = timedelta(hours=6)
RETRIED = (429, 503)
PAUSE_SECONDS = 0.25
RETRIES = 40


class Unanswered(Exception):
    """The API did not answer a command, however often it was sent."""


class Pace:
    """Gives out turns, at most `rate` a second and evenly; without a rate at once."""

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gap = None if rate is None else 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    async def turn(self) -> None:
        if self._gap is None:
            return
        now = self._clock()
        mine = max(now, self._next)
        self._next = mine + self._gap
        await self._sleep(mine - now)


class Sender:
    """`acknowledged` is called with the answer to each command that the API accepted."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        issuer: TokenIssuer,
        generator: Generator,
        pace: Pace,
        acknowledged: Callable[[dict[str, Any]], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._issuer = issuer
        self._generator = generator
        self._pace = pace
        self._acknowledged = acknowledged
        self._sleep = sleep
        self._tokens: dict[tuple[str, str], str] = {}
        self.tally = Tally()

    async def run(
        self, children: int, commands: int, concurrency: int, advance: Callable[[], None]
    ) -> None:
        """`children` registrations and `commands` more, spread evenly over the children.

        Ends early, with a surprise in the tally, when the API no longer answers.
        """
        shares = share_out(children, commands)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(self._work(shares, advance))
        except* Unanswered as lost:
            self.tally.surprise(f"stopped: {lost.exceptions[0]}")

    async def _work(self, shares: Iterator[tuple[int, int]], advance: Callable[[], None]) -> None:
        for number, commands in shares:
            child, chance = self._generator.child(number)
            await self._carry_out(child, self._generator.registration(child, chance))
            advance()
            for count in range(commands):
                if child.status == "new":
                    break  # its registration was a surprise, which the tally has
                request = self._generator.next(child, chance, count)
                await self._carry_out(child, request)
                advance()

    async def _carry_out(self, child: ModelChild, request: Request) -> None:
        await self._pace.turn()
        started = time.perf_counter()
        response = await self._answer(request)
        self.tally.seconds.append(time.perf_counter() - started)
        answer = _body(response)
        if response.is_success and request is not child.repeatable:
            self._acknowledged(answer)
        settle(child, request, response.status_code, answer, self.tally)

    async def _answer(self, request: Request) -> httpx2.Response:
        """Again, with the same key, while the system is overloaded or does not answer."""
        headers = {
            "Authorization": f"Bearer {self._token(request.role, request.subject)}",
            "Idempotency-Key": request.key,
            "Content-Type": "application/json",
        }
        content = None if request.body is None else orjson.dumps(request.body)
        for attempt in range(1, RETRIES + 1):
            last = attempt == RETRIES
            try:
                response = await self._http.request(
                    request.method, request.path, content=content, headers=headers
                )
                if last or response.status_code not in RETRIED:
                    return response
            except httpx2.TransportError as error:
                if last:
                    lost = f"{request.method} {request.path}: {type(error).__name__}"
                    raise Unanswered(lost) from error
            await self._sleep(PAUSE_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    def _token(self, role: str, subject: str) -> str:
        known = self._tokens.get((role, subject))
        if known is None:
            known = self._issuer.issue(Principal(subject, Role(role)), utc_now(), TOKEN_LIFE)
            self._tokens[role, subject] = known
        return known


def share_out(children: int, commands: int) -> Iterator[tuple[int, int]]:
    """Each child's number and how many commands it gets."""
    each, more = divmod(commands, children)
    yield from ((number, each + (number < more)) for number in range(children))


def _body(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object of the answer; of anything else, the beginning of its text."""
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        answer = None
    return answer if isinstance(answer, dict) else {"detail": response.text[:200]}
