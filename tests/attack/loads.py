"""Four loads of one caller who takes all it can, and others beside it who ask one request after the
other. `python -m tests.attack.loads` is one load as a process, so that what it costs a client is no
time of those who are measured: it reads a Load as JSON, says `ready`, and ends when it is told or
after two minutes."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

import httpx2
import orjson
import uvloop

from deploy.local.state import StackState
from shared.clock import new_id
from shared.keyring.key_file import read_key_file
from shared.signing import ConsistencyTokens
from tests.attack.wire import request
from tests.support.consents import CONSENTS
from tests.support.greedy_caller import (
    LOOPBACK,
    OTHER,
    Address,
    Behaviour,
    ask,
    attack,
    flood,
    silent,
    slow_body,
)
from tests.support.processes import is_ready
from tests.support.waiting import STARTED, eventually, until

HERE = Path(__file__).parents[2]
PAUSE_SECONDS = 0.02
MOST_SECONDS = 120.0
GET_GOING_SECONDS = 10.0
FLOODS = 4_000
PLACES = {"another address": OTHER, "the same address": LOOPBACK}
"""Where the others ask from."""


class Target(Protocol):
    """A running stack, and tokens of any parent for it."""

    @property
    def state(self) -> StackState: ...

    def address(self, api: str) -> Address: ...

    def parent_s_bearer(self, parent: str) -> str: ...


@dataclass(frozen=True)
class Load:
    """`requests`: heads, or whole requests of a flood."""

    host: str
    port: int
    kind: Literal["silent", "slow bodies", "flood"]
    connections: int
    requests: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @property
    def behaviour(self) -> Behaviour:
        sent = [one.encode() for one in self.requests]
        match self.kind:
            case "silent":
                return silent
            case "slow bodies":
                return slow_body(sent[0])
            case "flood":
                return flood(sent)


@dataclass(frozen=True)
class Greed:
    """A load, and what others ask meanwhile: `ask` makes the next request."""

    name: str
    load: Load
    ask: Callable[[], bytes]


@dataclass
class Tally:
    """`slowest`: seconds of the slowest that was answered in time."""

    asked: int = 0
    answered: int = 0
    slowest: float = 0.0

    def __str__(self) -> str:
        return f"{self.answered} of {self.asked} ({self.slowest:.2f} s)"


async def loads_of(target: Target) -> list[Greed]:
    """Whoever is in them has used up no rate before."""
    greedy_one, family_one = (f"{who}-{new_id()}" for who in ("greedy", "family"))
    host, command = target.address("command")
    query = target.address("query")[1]
    greedy = _kept(target.parent_s_bearer(greedy_one))
    floods = tuple(_registration(greedy).decode() for _ in range(FLOODS))
    endless = [*greedy, "Content-Length: 60000"]
    slow = request("POST", "/v1/children", endless, b"").decode()
    lena, mia = await _registered(target, greedy_one), await _registered(target, family_one)
    family = _kept(target.parent_s_bearer(family_one))
    waits = [f"Consistency-Token: {_future(target, lena)}", "Prefer: wait=10"]
    late = request("GET", f"/v1/children/{lena}", [*greedy, *waits]).decode()

    def register() -> bytes:
        return _registration(_kept(target.parent_s_bearer(f"parent-{new_id()}")))

    def look() -> bytes:
        return request("GET", f"/v1/children/{mia}", family)

    return [
        Greed("1,000 silent connections", Load(host, command, "silent", 1_000), register),
        Greed("420 slow bodies", Load(host, command, "slow bodies", 420, (slow,)), register),
        Greed("600 flooding connections", Load(host, command, "flood", 600, floods), register),
        Greed("450 waiting queries", Load(host, query, "flood", 450, (late,)), look),
    ]


@asynccontextmanager
async def running(load: Load) -> AsyncIterator[None]:
    """Raises RuntimeError when the load ends before it began."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.attack.loads"),
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(load.to_json())
        process.stdin.close()
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError("the load ended before it began")
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def asked_beside(
    greed: Greed, source: str, requests: int, within: float, longest: float
) -> Tally:
    """So many requests from `source`, fewer where they take `longest` seconds in all; counted is
    what is answered with success `within` so many."""
    tally, until = Tally(), time.monotonic() + longest
    address = (greed.load.host, greed.load.port)
    while tally.asked < requests and time.monotonic() < until:
        one = greed.ask()
        tally.asked += 1
        began = time.monotonic()
        try:
            async with asyncio.timeout(within):
                status = await ask(address, one, source)
        except TimeoutError:
            continue
        if httpx2.codes.is_success(status):
            tally.answered += 1
            tally.slowest = max(tally.slowest, time.monotonic() - began)
        await asyncio.sleep(PAUSE_SECONDS)
    return tally


async def are_ready(target: Target) -> bool:
    """Whether both APIs are, as after a load they are again."""
    return all([await is_ready(_url(target, api)) for api in ("command", "query")])


def _kept(bearer: str) -> list[str]:
    """Header lines of a caller whose connection stays open."""
    return ["Connection: keep-alive", f"Authorization: Bearer {bearer}"]


def _registration(lines: Sequence[str]) -> bytes:
    child = {"name": "Mia", "age": 7, "udid": f"TEDDY-{new_id()}", "consents": CONSENTS}
    return request("POST", "/v1/children", lines, orjson.dumps(child))


async def _registered(target: Target, parent: str) -> str:
    """A child of the parent that the query API shows."""
    bearer = {"Authorization": f"Bearer {target.parent_s_bearer(parent)}"}
    child = {"name": "Mia", "age": 7, "udid": f"TEDDY-{new_id()}", "consents": CONSENTS}
    async with httpx2.AsyncClient(headers=bearer, timeout=30) as http:
        # the requests of an earlier load may still take all places
        answer = await eventually(
            lambda: http.post(f"{_url(target, 'command')}/v1/children", json=child),
            STARTED,
            lambda answer: answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE,
        )
        child_id: str = answer.raise_for_status().json()["child_id"]
        shown = f"{_url(target, 'query')}/v1/children/{child_id}"
        await eventually(lambda: http.get(shown), STARTED, lambda answer: answer.is_success)
    return child_id


def _url(target: Target, api: str) -> str:
    host, port = target.address(api)
    return f"http://{host}:{port}"


def _future(target: Target, child_id: str) -> str:
    """A token of a write that the child does not have yet."""
    keys = read_key_file(Path(target.state.environment["TEDDY_KEY_FILE"]))
    return ConsistencyTokens(keys.signature_key).issue(child_id, 1_000)


async def _run(load: Load) -> None:
    async with attack((load.host, load.port), load.connections, load.behaviour) as greedy:
        with suppress(TimeoutError):
            await until(lambda: greedy.connected >= load.connections, GET_GOING_SECONDS)
        print("ready", flush=True)
        await asyncio.sleep(MOST_SECONDS)


if __name__ == "__main__":
    uvloop.run(_run(Load(**orjson.loads(sys.stdin.buffer.read()))))
