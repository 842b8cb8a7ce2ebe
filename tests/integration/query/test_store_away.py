"""The query process while its read store hangs: quick answers, and back by itself."""

import asyncio
import re

import httpx2
import pytest

from shared.auth.access import Principal, Role
from shared.clock import utc_now
from tests.integration.query.conftest import QueryWorld, query_process
from tests.support.core_waits import CoreWaits
from tests.support.own_servers import OwnMongod
from tests.support.waiting import STARTED, eventually

WEISS = Principal("weiss", Role.PARENT)
PROMISED_SECONDS = 2.0
GRACE_SECONDS = 10.0


@pytest.fixture
def mongo_url(mongod: OwnMongod) -> str:
    """Instead of the server that all tests share."""
    return mongod.url


async def shows_lena(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/v1/children/lena")).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


async def test_a_read_store_that_hangs_is_reported_in_time(
    world: QueryWorld, mongod: OwnMongod, driver: str
) -> None:
    # given
    siblings = [f"sibling-{number}" for number in range(20)]
    for child in ("lena", *siblings):
        await world.put_child(child, "Lena", parent_id="weiss")
    environment = world.environment(TEDDY_MONGO_DRIVER=driver)
    async with query_process(environment) as running, world.client(WEISS) as client:
        await eventually(lambda: shows_lena(client), STARTED)
        # when: children and parents that are not in the cache
        paths = [f"/v1/children/{child}" for child in siblings] + ["/v1/parents/weiss/children"]
        waits = CoreWaits(running.process.pid)
        with mongod.frozen():
            answers = await asyncio.gather(*(client.get(path) for path in paths))
        in_time = PROMISED_SECONDS + waits.seconds()
        # then
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["code"] for answer in answers} == {"read-store-unavailable"}
        assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
        assert max(answer.elapsed.total_seconds() for answer in answers) < in_time
        # when it goes on, then
        await eventually(lambda: shows_lena(client), STARTED)
        assert running.process.returncode is None


async def test_a_process_whose_read_store_hangs_ends_within_its_grace(
    world: QueryWorld, mongod: OwnMongod
) -> None:
    await world.put_child("lena", "Lena", parent_id="weiss")
    async with query_process(world.environment()) as running, world.client(WEISS) as client:
        await eventually(lambda: shows_lena(client), STARTED)
        with mongod.frozen():
            asked = asyncio.create_task(client.get("/v1/children/other"))
            await client.get("/health/live")
            # when
            running.process.terminate()
            # then
            assert await asyncio.wait_for(running.process.wait(), GRACE_SECONDS) == 0
        assert (await asked).status_code == 503


async def test_figures_of_business_are_absent_while_the_read_store_hangs(
    world: QueryWorld, mongod: OwnMongod
) -> None:
    # given
    await world.put_child("lena", "Lena", parent_id="weiss", created_at=utc_now())
    registered = re.compile(r'^teddy_registrations\{day="\w+"\} 1\.0$', re.MULTILINE)

    async def metrics() -> str:
        return (await client.get("/metrics")).text

    async with query_process(world.environment()), world.client(WEISS) as client:
        unreachable = (httpx2.TransportError,)
        await eventually(metrics, STARTED, registered.search, passing=unreachable)
        # when
        with mongod.frozen():
            # then others are still there
            text = await eventually(metrics, STARTED, lambda text: "teddy_registr" not in text)
            assert "teddy_query_read_store_unavailable_seconds" in text
