"""The query API with as many requests as it has places, and queries that wait."""

import asyncio

import httpx2

from shared.http.settings import Bounds
from tests.support.query_side import QuerySide, parent
from tests.support.waiting import until

WEISS, BRAUN = parent("weiss"), parent("braun")
PLACES = 2


def in_flight(side: QuerySide) -> float | None:
    return side.service.registry.get_sample_value("teddy_requests_in_flight")


def waiting_queries(side: QuerySide) -> float | None:
    return side.service.registry.get_sample_value("teddy_queries_waiting")


def full_side() -> QuerySide:
    return QuerySide(bounds=Bounds(PLACES, address_share=1, subject_share=1))


async def test_one_query_too_many_is_told_to_come_back_and_the_others_are_answered() -> None:
    # given queries that the store takes its time for
    side = full_side()
    await side.child("lena", parent_id="weiss", version=3)
    side.store.hold()
    async with side.client(WEISS) as client:
        slow = [asyncio.create_task(client.get("/v1/children/lena")) for _ in range(PLACES)]
        await until(lambda: in_flight(side) == PLACES)
        # when
        refused = await client.get("/v1/children/lena")
        side.store.let_go()
        answers = [await each for each in slow]
        afterwards = await client.get("/v1/children/lena")
    # then
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["X-Content-Type-Options"] == "nosniff"
    assert [answer.status_code for answer in answers] == [httpx2.codes.OK] * PLACES
    assert afterwards.status_code == httpx2.codes.OK
    assert in_flight(side) == 0


async def test_a_refused_query_is_not_asked_and_leaves_no_trace_in_the_audit_trail() -> None:
    # given
    side = full_side()
    await side.child("lena", parent_id="weiss", version=3)
    side.store.hold()
    async with side.client(WEISS) as client:
        slow = [asyncio.create_task(client.get("/v1/children/lena")) for _ in range(PLACES)]
        await until(lambda: in_flight(side) == PLACES)
        # when
        refused = await client.get("/v1/parents/weiss/alerts")
        # then
        assert refused.status_code == 503
        assert side.audit.entries == []
        side.store.let_go()
        await asyncio.gather(*slow)


async def test_queries_that_wait_for_a_write_leave_the_others_their_places() -> None:
    # given more than there are places
    side = full_side()
    await side.child("lena", parent_id="weiss", version=3, age=7)
    async with side.client(WEISS) as client:
        waiting = [asyncio.create_task(_late(side, client)) for _ in range(PLACES)]
        await until(lambda: waiting_queries(side) == PLACES)
        # when
        meanwhile = await client.get("/v1/parents/weiss/alerts")
        side.change("lena", age=8)
        answers = [await each for each in waiting]
    # then
    assert meanwhile.status_code == httpx2.codes.OK
    assert [answer.json()["age"] for answer in answers] == [8] * PLACES
    assert (waiting_queries(side), in_flight(side)) == (0, 0)


async def test_one_subject_waits_with_its_share_of_queries_and_gets_at_once_of_one_more() -> None:
    # given
    bounds = Bounds(requests=16, address_share=1, subject_share=0.25)
    side = QuerySide(bounds=bounds, max_waiting=8)
    await side.child("lena", parent_id="weiss", version=3)
    await side.child("mia", parent_id="braun", version=3)
    async with side.client(WEISS) as weiss, side.client(BRAUN) as braun:
        waiting = [asyncio.create_task(_late(side, weiss)) for _ in range(2)]
        await until(lambda: waiting_queries(side) == 2)
        # when
        refused = await _late(side, weiss, wait="10")
        without_wait = await weiss.get("/v1/children/lena")
        waiting.append(asyncio.create_task(_late(side, braun, "mia")))
        # then
        await until(lambda: waiting_queries(side) == 3)
        assert (refused.status_code, refused.json()["code"]) == (503, "read-model-late")
        assert refused.headers["Retry-After"] == "1"
        assert without_wait.status_code == httpx2.codes.OK
        assert _refused_waits(side, "subject") == 1
        for child_id in ("lena", "mia"):
            side.change(child_id)
        assert {(await each).status_code for each in waiting} == {200}


async def test_so_many_queries_wait_and_not_one_more() -> None:
    # given
    side = QuerySide(max_waiting=1)
    await side.child("lena", parent_id="weiss", version=3)
    async with side.client(WEISS) as client:
        waiting = asyncio.create_task(_late(side, client))
        await until(lambda: waiting_queries(side) == 1)
        # when
        refused = await _late(side, client, wait="10")
        side.change("lena")
        # then
        assert (refused.status_code, refused.json()["code"]) == (503, "read-model-late")
        assert _refused_waits(side, "total") == 1
        assert (await waiting).status_code == httpx2.codes.OK


async def test_a_write_that_is_visible_already_needs_no_wait() -> None:
    # given a process in which nobody may wait any more
    side = QuerySide(max_waiting=1)
    await side.child("lena", parent_id="weiss", version=3)
    async with side.client(WEISS) as client:
        waiting = asyncio.create_task(_late(side, client))
        await until(lambda: waiting_queries(side) == 1)
        # when
        seen = {"Consistency-Token": side.tokens.issue("lena", 3)}
        answer = await client.get("/v1/children/lena", headers=seen)
        # then
        assert answer.status_code == httpx2.codes.OK
        side.change("lena")
        await waiting


async def _late(
    side: QuerySide, client: httpx2.AsyncClient, child_id: str = "lena", wait: str = "1"
) -> httpx2.Response:
    """Ask for the child as a write shows it that is not projected yet."""
    token = side.tokens.issue(child_id, 4)
    headers = {"Consistency-Token": token, "Prefer": f"wait={wait}"}
    return await client.get(f"/v1/children/{child_id}", headers=headers)


def _refused_waits(side: QuerySide, reason: str) -> float | None:
    registry = side.service.registry
    return registry.get_sample_value("teddy_query_waits_refused_total", {"reason": reason})
