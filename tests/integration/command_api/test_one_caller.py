"""The command process, and one caller who takes all that it can get: the others are answered."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest_asyncio

from shared.auth.access import Principal, Role
from shared.clock import new_id
from tests.support.command_process import CommandProcess, command_environment, command_process
from tests.support.command_side import MOTHER
from tests.support.greedy_caller import (
    LOOPBACK,
    OTHER,
    ask,
    attack,
    connect,
    flood,
    silent,
    slow_body,
)
from tests.support.metrics import sample
from tests.support.waiting import eventually, until

PLACES, CONNECTIONS = 16, 120
OF_ONE_SUBJECT, OF_ONE_ADDRESS = 2, 30
CREATED = 201
ASKED = 25
MEGABYTE = 1_000_000


@pytest_asyncio.fixture
async def process(
    mongo_url: str, fresh_database: str, tmp_path: Path
) -> AsyncIterator[CommandProcess]:
    """With shares of few places."""
    environment = command_environment(
        tmp_path,
        mongo_url,
        fresh_database,
        TEDDY_COMMAND_MAX_IN_FLIGHT=str(PLACES),
        TEDDY_COMMAND_MAX_CONNECTIONS=str(CONNECTIONS),
        TEDDY_ADDRESS_SHARE=str(OF_ONE_ADDRESS / CONNECTIONS),
        TEDDY_SUBJECT_SHARE=str(OF_ONE_SUBJECT / PLACES),
    )
    async with command_process(tmp_path, environment) as process:
        yield process


async def test_silent_connections_make_room_for_the_others(process: CommandProcess) -> None:
    # given more than there may be
    async with attack(process.host_and_port, CONNECTIONS + 30, silent) as greedy:
        await until(lambda: greedy.connected >= CONNECTIONS)
        # when
        statuses = await _register_children(process)
        open_now = await sample(process.url, "teddy_connections")
    # then
    assert statuses == {201: ASKED}
    assert open_now is not None
    assert open_now <= OF_ONE_ADDRESS + 2


async def test_slow_bodies_take_no_place_and_little_memory(process: CommandProcess) -> None:
    # given bodies of one subject that are nearly there
    memory = psutil.Process(process.process.pid).memory_info
    before = memory().rss
    slow = process.head_of_a_registration(64_000) + b" " * 63_000
    async with attack(process.host_and_port, CONNECTIONS, slow_body(slow)) as greedy:
        await until(lambda: greedy.connected >= CONNECTIONS)
        # when
        statuses = await _register_children(process)
        waiting = await sample(process.url, "teddy_requests_waiting")
    # then
    assert statuses == {201: ASKED}
    assert waiting is not None
    assert waiting <= OF_ONE_SUBJECT
    assert memory().rss - before < 50 * MEGABYTE


async def test_a_flood_is_served_within_its_shares(process: CommandProcess) -> None:
    # given
    def nth(_number: int) -> bytes:
        return process.registration(MOTHER, f"TEDDY-{new_id()}")

    async with attack(process.host_and_port, CONNECTIONS, flood(nth)) as greedy:
        await until(lambda: greedy.connected >= CONNECTIONS)
        # when
        statuses = await _register_children(process)
    # then
    assert statuses == {201: ASKED}
    refused = await sample(process.url, "teddy_requests_refused_total", reason="subject")
    assert refused is not None


async def test_the_others_at_the_same_address_are_answered_too_if_they_come_again(
    process: CommandProcess,
) -> None:
    # given
    slow = slow_body(process.head_of_a_registration(50))
    async with (
        attack(process.host_and_port, OF_ONE_ADDRESS, silent, again=False) as greedy,
        attack(process.host_and_port, OF_ONE_ADDRESS, slow, again=False) as slower,
    ):
        await until(lambda: min(greedy.connected, slower.connected) >= OF_ONE_ADDRESS)
        # when
        statuses = await _register_children(process, source=LOOPBACK, tries=5)
    # then
    assert statuses == {201: ASKED}


async def test_the_body_of_a_refused_request_is_not_asked_for(process: CommandProcess) -> None:
    # given a subject with its share of bodies that are being read
    slow = [await connect(process.host_and_port) for _ in range(OF_ONE_SUBJECT)]
    for _, writer in slow:
        writer.write(process.head_of_a_registration(50))
    await eventually(
        lambda: sample(process.url, "teddy_requests_waiting"),
        wanted=lambda waiting: waiting == OF_ONE_SUBJECT,
    )
    # when
    reader, writer = await connect(process.host_and_port)
    writer.write(process.head_of_a_registration(60_000, "Expect: 100-continue"))
    first_line = await reader.readline()
    # then
    assert first_line.startswith(b"HTTP/1.1 429 ")
    # when: the others are waited for no longer than a body may take
    late = [await reader.readline() for reader, _ in slow]
    # then
    assert all(line.startswith(b"HTTP/1.1 408 ") for line in late)
    for _, each in [*slow, (reader, writer)]:
        each.close()


async def _register_children(
    process: CommandProcess, source: str = OTHER, tries: int = 1
) -> Counter[int]:
    """The statuses of registrations by other parents, each on a connection of its own."""
    statuses: Counter[int] = Counter()
    for number in range(ASKED):
        parent = Principal(f"parent-{number}", Role.PARENT)
        request = process.registration(parent, f"TEDDY-{new_id()}")
        for _ in range(tries):
            status = await ask(process.host_and_port, request, source)
            if status == CREATED:
                break
        statuses[status] += 1
    return statuses
