"""The command process with more callers than it has places: it refuses, and never queues."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
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
        TEDDY_WRITE_DATABASE=fresh_database,
        TEDDY_KEYS_DATABASE=fresh_database,
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
        watching = asyncio.create_task(_most_in_flight(process))
        # when
        waits = CoreWaits(process.process.pid)
        outcomes = await asyncio.gather(*(_call(mother) for _ in range(CALLERS)))
        in_time = QUICK_SECONDS + waits.seconds()
        watching.cancel()
        most = await watching
    # then
    assert 0 < most <= PLACES
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
    assert await _metric(process, 'teddy_requests_refused_total{code="overloaded"}') == len(refused)


async def _call(mother: CommandClient) -> Outcomes:
    outcomes: Outcomes = []
    for _ in range(REQUESTS_EACH):
        key = new_id()
        started = time.monotonic()
        body = {"name": "Ada", "age": 7, "udid": f"TEDDY-{key}", "consents": CONSENTS}
        response = await mother.send("POST", "/children", body, key=key)
        outcomes.append((response, time.monotonic() - started))
    return outcomes


async def _most_in_flight(process: CommandProcess) -> float:
    """The most that was ever seen, until cancelled."""
    most = 0.0
    try:
        while True:
            most = max(most, await _metric(process, "teddy_requests_in_flight"))
    except asyncio.CancelledError:
        return most


async def _metric(process: CommandProcess, name: str) -> float:
    async with httpx2.AsyncClient() as http:
        text = (await http.get(f"{process.url}/metrics")).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


async def _assert_each_is_stored_once(
    accepted: list[httpx2.Response], mongo_url: str, database: str
) -> None:
    mongo = Mongo(mongo_url)
    store = MongoEventStore(mongo.database(database))
    stored = Counter([commit.child_id async for commit in store.scan()])
    assert stored == Counter(response.json()["child_id"] for response in accepted)
    await store.close()
    await mongo.close()


async def test_the_body_of_a_refused_request_is_not_asked_for(process: CommandProcess):
    # given
    host, _, port = process.address.partition(":")
    slow = [await asyncio.open_connection(host, int(port)) for _ in range(PLACES)]
    for _, writer in slow:
        writer.write(process.head_of_a_registration(50))
    await eventually(lambda: _is_full(process))
    # when
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(process.head_of_a_registration(60_000, "Expect: 100-continue"))
    first_line = await reader.readline()
    # then
    assert first_line.startswith(b"HTTP/1.1 503 ")
    # when: the others keep their places no longer than a body may take
    late = [await reader.readline() for reader, _ in slow]
    # then
    assert all(line.startswith(b"HTTP/1.1 408 ") for line in late)
    for _, each in [*slow, (reader, writer)]:
        each.close()


async def _is_full(process: CommandProcess) -> bool:
    return await _metric(process, "teddy_requests_in_flight") == PLACES


async def test_connections_are_bounded_too(process: CommandProcess):
    # given
    host, _, port = process.address.partition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(CONNECTIONS)]
    # when
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = await reader.read()
    # then
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer
    for _, each in [*silent, (reader, writer)]:
        each.close()
    await eventually(process.is_ready)
