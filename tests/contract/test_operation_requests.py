"""Requests of operations, in memory and on MongoDB: one open one of each kind, whoever asks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest_asyncio

from shared.clock import new_id
from shared.mongo import Mongo
from shared.operations import (
    COLLECTION,
    Ended,
    MongoOperationRequests,
    OperationKind,
    OperationRequest,
    OperationRequests,
    OperationState,
    ensure_operation_indexes,
)
from tests.contract.conftest import Place
from tests.fakes.operations import MemoryOperationRequests

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
DONE = Ended(OperationState.DONE, "it worked", NOON)


def a_request(
    kind: OperationKind = OperationKind.REBUILD, models: tuple[str, ...] | None = None
) -> OperationRequest:
    return OperationRequest(new_id(), kind, "admin-1", NOON, models)


@pytest_asyncio.fixture
async def requests(place: Place | None) -> AsyncIterator[OperationRequests]:
    if place is None:
        yield MemoryOperationRequests()
        return
    mongo = Mongo(place.url, place.driver)
    database = mongo.database(place.database)
    await ensure_operation_indexes(database)
    await ensure_operation_indexes(database)
    yield MongoOperationRequests(database)
    await mongo.close()


async def test_what_was_taken_is_open_until_it_has_ended(requests: OperationRequests):
    # given
    rebuild = a_request(models=("children", "safety"))
    redrive = replace(a_request(OperationKind.REDRIVE_CHILDREN), child_ids=("mia",))
    # when
    assert await requests.take(rebuild) is None
    assert await requests.take(redrive) is None
    # then
    assert {one.kind: one for one in await requests.open()} == {
        rebuild.kind: rebuild,
        redrive.kind: redrive,
    }
    # when
    await requests.end(rebuild.id, DONE)
    await requests.end(rebuild.id, replace(DONE, outcome="it ended twice"))
    # then
    assert await requests.open() == [redrive]
    asked = [rebuild.id, redrive.id, "unknown"]
    assert await requests.outcomes(asked) == {rebuild.id: DONE, redrive.id: None}


async def test_a_second_one_of_a_kind_meets_the_first(requests: OperationRequests):
    first, second = a_request(), a_request(models=("safety",))
    assert await requests.take(first) is None
    assert await requests.take(second) == first
    await requests.end(first.id, DONE)
    assert await requests.take(second) is None


async def test_a_repetition_meets_itself_also_when_it_has_ended(requests: OperationRequests):
    first = a_request()
    await requests.take(first)
    again = replace(first, requested_at=datetime(2026, 11, 28, tzinfo=UTC))
    assert await requests.take(again) == first
    await requests.end(first.id, DONE)
    standing = await requests.take(again)
    assert standing == first
    assert first.is_repeated_by(again)
    assert not first.is_repeated_by(replace(again, models=("safety",)))


async def test_of_many_who_ask_at_once_one_is_taken(requests: OperationRequests):
    asking = [a_request() for _ in range(20)]
    met = await asyncio.gather(*(requests.take(one) for one in asking))
    (taken,) = await requests.open()
    assert met.count(None) == 1
    assert {one.id for one in met if one is not None} == {taken.id}


async def test_an_older_database_has_none(mongo_url: str, fresh_database: str):
    mongo = Mongo(mongo_url)
    requests = MongoOperationRequests(mongo.database(fresh_database))
    assert await requests.open() == []
    assert await requests.outcomes(["op-1"]) == {}
    await mongo.close()


async def test_a_kind_of_a_newer_release_is_left_to_newer_workers(
    mongo_url: str, fresh_database: str
):
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    await database[COLLECTION].insert_one({"_id": "op-1", "kind": "reboot", "open": True})
    assert await MongoOperationRequests(database).open() == []
    assert await MongoOperationRequests(database).outcomes(["op-1"]) == {"op-1": None}
    await mongo.close()
