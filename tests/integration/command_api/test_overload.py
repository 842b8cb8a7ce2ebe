"""The command process with more callers than it has places: it refuses, and never queues."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest_asyncio

from shared.clock import new_id
from shared.event_store.mongo import MongoEventStore
from shared.mongo import Mongo
from tests.support.command_process import CommandProcess, command_environment, command_process
from tests.support.command_side import CommandClient
from tests.support.consents import CONSENTS
from tests.support.core_waits import CoreWaits
from tests.support.greedy_caller import ask, connect
from tests.support.metrics import sample
from tests.support.problem_documents import assert_problem
from tests.support.waiting import eventually

PLACES = 8
CONNECTIONS = 120
CALLERS = 100
REQUESTS_EACH = 10
QUICK_SECONDS = 2.0
MEGABYTE = 1_000_000

Outcomes = list[tuple[httpx2.Response, float]]


@pytest_asyncio.fixture
async def process(
    mongo_url: str, fresh_database: str, tmp_path: Path
) -> AsyncIterator[CommandProcess]:
    environment = command_environment(
        tmp_path,
        mongo_url,
        fresh_database,
        TEDDY_COMMAND_MAX_IN_FLIGHT=str(PLACES),
        TEDDY_COMMAND_MAX_CONNECTIONS=str(CONNECTIONS),
    )
    async with command_process(tmp_path, environment) as process:
        yield process


async def test_many_more_callers_than_places_are_refused_and_what_is_accepted_is_kept(
    process: CommandProcess, mongo_url: str, fresh_database: str
):
    # given
    memory = psutil.Process(process.process.pid).memory_info
    before = memory().rss
    async with process.client(CALLERS) as mother:
        in_flight: list[float] = []
        watching = asyncio.create_task(_watch(process, in_flight))
        # when, until some of them were seen in flight
        waits = CoreWaits(process.process.pid)
        outcomes = await asyncio.gather(*(_call(mother) for _ in range(CALLERS)))
        while not any(in_flight):
            assert not watching.done()
            outcomes += await asyncio.gather(*(_call(mother) for _ in range(CALLERS)))
        in_time = QUICK_SECONDS + waits.seconds()
        watching.cancel()
    # then
    assert max(in_flight) <= PLACES
    answers = [outcome for one in outcomes for outcome in one]
    accepted = [response for response, _ in answers if response.status_code == 201]
    refused = [(response, seconds) for response, seconds in answers if response.status_code != 201]
    assert accepted
    assert refused
    for response, seconds in refused:
        assert_problem(response, 503, "overloaded")
        assert response.headers["Retry-After"] == "1"
        assert seconds < in_time
    assert memory().rss - before < 50 * MEGABYTE
    await _assert_each_is_stored_once(accepted, mongo_url, fresh_database)
    reported = await sample(process.url, "teddy_requests_refused_total", reason="places")
    assert reported == len(refused)


async def _call(mother: CommandClient) -> Outcomes:
    outcomes: Outcomes = []
    for _ in range(REQUESTS_EACH):
        key = new_id()
        started = time.monotonic()
        body = {"name": "Ada", "age": 7, "udid": f"TEDDY-{key}", "consents": CONSENTS}
        response = await mother.send("POST", "/children", body, key=key)
        outcomes.append((response, time.monotonic() - started))
    return outcomes


async def _watch(process: CommandProcess, in_flight: list[float]) -> None:
    """How many requests are in flight, again and again until cancelled; where all connections are
    taken, nobody tells."""
    while True:
        with suppress(httpx2.TransportError):
            in_flight.append(await sample(process.url, "teddy_requests_in_flight") or 0.0)


async def _assert_each_is_stored_once(
    accepted: list[httpx2.Response], mongo_url: str, database: str
) -> None:
    mongo = Mongo(mongo_url)
    store = MongoEventStore(mongo.database(database))
    stored = Counter([commit.child_id async for commit in store.scan()])
    assert stored == Counter(response.json()["child_id"] for response in accepted)
    await store.close()
    await mongo.close()


async def test_for_one_connection_too_many_the_longest_silent_is_closed(process: CommandProcess):
    # given
    silent = [await connect(process.host_and_port) for _ in range(CONNECTIONS)]
    # when
    status = await ask(process.host_and_port, b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
    # then
    assert status == httpx2.codes.OK
    answer = await silent[0][0].read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer
    for _, writer in silent:
        writer.close()
    await eventually(process.is_ready)
