"""The query API with as many requests as it has places."""

import asyncio

import httpx2

from tests.support.query_side import QuerySide, parent
from tests.support.waiting import until

WEISS = parent("weiss")
PLACES = 2


def in_flight(side: QuerySide) -> float | None:
    return side.service.registry.get_sample_value("teddy_requests_in_flight")


async def test_one_query_too_many_is_told_to_come_back_and_the_others_are_answered() -> None:
    # given queries that wait for a write which is not projected yet
    side = QuerySide(max_in_flight=PLACES)
    await side.child("lena", parent_id="weiss", version=3, age=7)
    late = {"Consistency-Token": side.tokens.issue("lena", 4), "Prefer": "wait=1"}
    async with side.client(WEISS) as client:
        waiting = [
            asyncio.create_task(client.get("/v1/children/lena", headers=late))
            for _ in range(PLACES)
        ]
        await until(lambda: in_flight(side) == PLACES)
        # when
        refused = await client.get("/v1/children/lena")
        side.change("lena", age=8)
        answers = [await each for each in waiting]
        afterwards = await client.get("/v1/children/lena")
    # then
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["X-Content-Type-Options"] == "nosniff"
    assert [answer.json()["age"] for answer in answers] == [8] * PLACES
    assert afterwards.status_code == httpx2.codes.OK
    assert in_flight(side) == 0


async def test_a_refused_query_is_not_asked_and_leaves_no_trace_in_the_audit_trail() -> None:
    # given
    side = QuerySide(max_in_flight=1)
    await side.child("lena", parent_id="weiss", version=3)
    late = {"Consistency-Token": side.tokens.issue("lena", 4), "Prefer": "wait=0.2"}
    async with side.client(WEISS) as client:
        waiting = asyncio.create_task(client.get("/v1/children/lena", headers=late))
        await until(lambda: in_flight(side) == 1)
        # when
        await client.get("/v1/children/lena")
        # then
        assert side.store.reads == 0
        assert side.audit.entries == []
        assert (await waiting).json()["code"] == "read-model-late"
