"""One caller who takes all it can, and the others beside it (decision 026)."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx2
import orjson
import psutil

from query_service.api.streams import MOST_OPEN
from shared.http.connections import MOST_PIPELINED
from tests.attack.loads import PLACES, are_ready, asked_beside, loads_of, running
from tests.attack.row import PROMISED_SECONDS, Broken, Deed, Row, Seen
from tests.attack.wire import request, send
from tests.attack.world import NEWCOMER, World, following
from tests.support.consents import CONSENTS
from tests.support.waiting import STARTED, eventually

STREAMS = 50
REGISTRATIONS = 30
ALLOWED = 20
"""Registrations of one subject in an hour, by default."""

SHORT, FULL = 5, 100
"""Requests of each of the others."""

LONGEST_SECONDS = 20.0
PROMISED_SHARES = {"another address": 0.99, "the same address": 0.9}
"""Of the requests of others, by where they come from: who is behind the greedy caller's address
shares its share (SECURITY.md, what remains)."""

AT_ALL_SECONDS = 15.0
BUSY_PERCENT = 50.0
LOADS = (
    "1,000 silent connections",
    "420 slow bodies",
    "600 flooding connections",
    "450 waiting queries",
)


@dataclass(frozen=True, slots=True)
class Greedy:
    """One of the four loads, by a caller whose rates are the usual ones."""

    name: str
    ci: bool = True

    @property
    def tried(self) -> str:
        return "two others beside, one from the same address"

    @property
    def expected(self) -> str:
        shares = ", ".join(f"{share:.0%} from {at}" for at, share in PROMISED_SHARES.items())
        return f"both are answered; in a full run on a quiet machine {shares} in 2 s"

    async def attempt(self, world: World) -> Seen:
        greed = next(one for one in await loads_of(world) if one.name == self.name)
        requests, within = (FULL, PROMISED_SECONDS) if world.timed else (SHORT, AT_ALL_SECONDS)
        is_judged = world.timed and await _is_quiet()
        async with running(greed.load):
            asked = (
                asked_beside(greed, source, requests, within, LONGEST_SECONDS)
                for source in PLACES.values()
            )
            tallies = await asyncio.gather(*asked)
        await eventually(lambda: are_ready(world), STARTED)
        reported = [f"{tally} from {at}" for at, tally in zip(PLACES, tallies, strict=True)]
        least = [PROMISED_SHARES[at] if is_judged else 0.0 for at in PLACES]
        held = [
            tally.answered and tally.answered >= share * tally.asked
            for tally, share in zip(tallies, least, strict=True)
        ]
        return Seen(
            all(held), ", ".join([*reported, *([] if is_judged else ["not judged by time"])])
        )


async def _is_quiet() -> bool:
    """Whether others leave this machine alone, while nobody asks anything."""
    return await asyncio.to_thread(psutil.cpu_percent, 1.0) < BUSY_PERCENT


async def _streams_at_once(world: World) -> str:
    bearer, stranger = world.bearers["stranger"], world.words["stranger"]
    async with AsyncExitStack() as stack:
        opened = [
            stack.enter_async_context(following(world, bearer, stranger)) for _ in range(STREAMS)
        ]
        counted = Counter([stream.status for stream in await asyncio.gather(*opened)])
    reported = ", ".join(f"{number} x {status}" for status, number in sorted(counted.items()))
    if counted[httpx2.codes.OK] > MOST_OPEN or counted[httpx2.codes.TOO_MANY_REQUESTS] == 0:
        raise Broken(reported)
    return reported


async def _registrations_of_one(world: World) -> str:
    """Each would tell whether a bear is known."""
    bearer = world.bearer(NEWCOMER)
    counted: Counter[int] = Counter()
    for _ in range(REGISTRATIONS):
        child = {"name": "Bo", "age": 7, "udid": world.words["udid"], "consents": CONSENTS}
        lines = [f"Authorization: Bearer {bearer}"]
        new = request("POST", "/v1/children", lines, orjson.dumps(child))
        answer = await send(world.address("command"), new)
        counted[answer.status] += 1
    reported = ", ".join(f"{number} x {status}" for status, number in sorted(counted.items()))
    if counted != {httpx2.codes.CONFLICT: ALLOWED, 429: REGISTRATIONS - ALLOWED}:
        raise Broken(reported)
    if not answer.headers.get("retry-after"):
        raise Broken(f"{reported}, without Retry-After")
    return reported


async def _sent_ahead(world: World) -> str:
    """A thousand requests in one packet: so many are kept, then the connection is closed."""
    one = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = await send(world.address("command"), one * 1_000)
    if answer.status_lines > MOST_PIPELINED + 1:
        raise Broken(str(answer))
    return f"closed after {answer.status_lines} answers"


async def _nothing_restarted(world: World) -> str:
    """Whatever was tried before, no process ended, and the family is answered."""
    now = world.folder.load()
    assert now is not None
    if restarted := [one.name for one in now.processes if one.restarts]:
        raise Broken(f"restarted: {', '.join(restarted)}")
    path = f"/v1/children/{world.words['child']}"
    answer = await send(
        world.address("query"),
        request("GET", path, [f"Authorization: Bearer {world.bearers['family']}"]),
    )
    if world.words["name"].encode() not in answer.body:
        raise Broken(str(answer))
    return "no process ended, the family is answered"


DEEDS: tuple[Row, ...] = (
    Deed(
        "50 streams at once",
        "GET /v1/parents/.../stream, one subject",
        f"at most {MOST_OPEN} open, then 429",
        _streams_at_once,
        ci=True,
    ),
    Deed(
        "30 registrations of one subject",
        "POST /v1/children with a bear that is known",
        f"{ALLOWED} answers, then 429 with Retry-After",
        _registrations_of_one,
        ci=True,
    ),
    Deed(
        "1,000 requests in one packet",
        "GET /health/live",
        f"at most {MOST_PIPELINED} answers and a refusal, then closed",
        _sent_ahead,
        ci=True,
    ),
)
LAST: Row = Deed(
    "after all attacks",
    "processes, and the family's own query",
    "none was restarted, it is answered",
    _nothing_restarted,
    ci=True,
)
ROWS: tuple[Row, ...] = (*DEEDS, *map(Greedy, LOADS), LAST)
