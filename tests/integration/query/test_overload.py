"""The query process with more callers than it has places: it refuses, and never queues."""

import asyncio
import re
from collections import Counter

import httpx2

from shared.auth.access import Principal, Role
from shared.clock import new_id
from tests.integration.query.conftest import QueryWorld, query_process
from tests.support.core_waits import CoreWaits
from tests.support.problem_documents import assert_problem
from tests.support.waiting import STARTED, eventually

WEISS = Principal("weiss", Role.PARENT)
PLACES = 4
CALLERS = 60
REQUESTS_EACH = 5
QUICK_SECONDS = 2.0


async def test_many_more_callers_than_places_are_refused_and_who_is_accepted_is_answered(
    world: QueryWorld,
) -> None:
    # given children, most of them not in the cache
    children = [new_id() for _ in range(CALLERS)]
    for child_id in children:
        await world.put_child(child_id, "Lena", parent_id="weiss")
    few = {"TEDDY_QUERY_MAX_IN_FLIGHT": str(PLACES), "TEDDY_ADDRESS_SHARE": "1"}
    environment = world.environment(**few)
    async with query_process(environment) as running, world.client(WEISS) as client:
        await eventually(world.is_ready, STARTED)
        async with client.stream("GET", "/v1/parents/weiss/stream") as dashboard:
            # when
            waits = CoreWaits(running.process.pid)
            asked = await asyncio.gather(*(_ask(client, child_id) for child_id in children))
            in_time = QUICK_SECONDS + waits.seconds()
            metrics = (await client.get("/metrics")).text
        answers = [answer for some in asked for answer in some]
        afterwards = await client.get(f"/v1/children/{children[0]}")
    # then
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() == {200, 503}
    for answer in answers:
        if answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
            assert_problem(answer, 503, "overloaded")
            assert answer.headers["Retry-After"] == "1"
            assert answer.elapsed.total_seconds() < in_time
    refused = re.search(r'^teddy_requests_refused_total{reason="places"} (\S+)$', metrics, re.M)
    assert refused is not None
    assert float(refused.group(1)) == statuses[503]
    assert "\nteddy_requests_in_flight 0.0\n" in metrics
    assert dashboard.status_code == httpx2.codes.OK
    assert afterwards.json()["child_id"] == children[0]


async def _ask(client: httpx2.AsyncClient, child_id: str) -> list[httpx2.Response]:
    return [await client.get(f"/v1/children/{child_id}") for _ in range(REQUESTS_EACH)]
