"""Which generation queries read, and how they learn that the server is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from query_service.read_store import live_generation
from query_service.read_store.live_generation import POINTER_SECONDS, LiveGeneration
from query_service.read_store.mongo import MongoReadModels
from query_service.read_store.port import ReadStoreUnavailable
from shared.event_store.port import StoreUnavailable
from shared.mongo import Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import (
    POINTER_COLLECTION,
    POINTER_ID,
    Catalog,
    Generation,
    KeptGeneration,
)
from tests.support.read_model_builders import child_document
from tests.support.waiting import until


@asynccontextmanager
async def following(live: LiveGeneration) -> AsyncIterator[None]:
    task = asyncio.create_task(live.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Queue[None]":
    """Who looks for the pointer, every few milliseconds, finds no server; each look is noted."""
    looks = asyncio.Queue[None]()

    async def unavailable(_: object) -> Generation:
        looks.put_nowait(None)
        raise ServerSelectionTimeoutError

    monkeypatch.setattr(live_generation, "POINTER_SECONDS", 0.01)
    monkeypatch.setattr(live_generation, "projected_through", unavailable)
    return looks


async def test_queries_read_the_live_generation_soon_after_a_flip(
    mongo_url: str, fresh_database: str
) -> None:
    # given two generations, the first of which is live
    now, flips = [100.0], cast(list[float], [])
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    live = LiveGeneration(database, lambda: now[0], lambda: flips.append(now[0]))
    store = MongoReadModels(database, live)
    for number in (1, 2):
        children = Generation(number).collection(database, Model.CHILDREN)
        await children.insert_one(dict(child_document("lena", version=number)))
    assert await store.projected_version("lena") == 1
    # when the pointer moves
    pointer = database[POINTER_COLLECTION]
    await pointer.insert_one({"_id": POINTER_ID, "generation": 2})
    # then it is seen once what is known is old enough
    assert await store.projected_version("lena") == 1
    now[0] += POINTER_SECONDS
    assert await store.projected_version("lena") == 2
    assert flips == [101.0]
    await mongo.close()


async def test_a_flip_is_seen_also_while_nobody_asks(
    mongo_url: str, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(live_generation, "POINTER_SECONDS", 0.01)
    flipped = asyncio.Event()
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    live = LiveGeneration(database, time.monotonic, flipped.set)
    assert await live.current() == Generation(1)
    async with following(live):
        # when
        await database[POINTER_COLLECTION].insert_one({"_id": POINTER_ID, "generation": 2})
        # then
        await asyncio.wait_for(flipped.wait(), 5)
    await mongo.close()


async def test_following_goes_on_while_the_server_is_gone(looks: "asyncio.Queue[None]") -> None:
    live = LiveGeneration(cast(Any, None), time.monotonic, lambda: None)

    async with following(live):
        for _ in range(2):
            await asyncio.wait_for(looks.get(), 5)


async def test_how_long_a_server_has_been_away_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a server that answers, and a clock
    now, answers = [100.0], [True]

    async def asked(_: object) -> Catalog:
        if not answers[0]:
            raise ServerSelectionTimeoutError
        return Catalog(Generation(1), (KeptGeneration(Generation(1)),))

    monkeypatch.setattr(live_generation, "projected_through", asked)
    monkeypatch.setattr(live_generation, "read_catalog", asked)
    live = LiveGeneration(cast(Any, None), lambda: now[0], lambda: None)
    await live.current()
    assert live.away_seconds() is None
    # when it answers no more
    answers[0] = False
    now[0] += 10
    with pytest.raises(ReadStoreUnavailable):
        await live.current()
    now[0] += 5
    # then
    assert live.away_seconds() == 15.0
    # when it is back
    answers[0] = True
    await live.current()
    assert live.away_seconds() is None


@pytest.mark.usefixtures("looks")
async def test_a_server_that_never_answered_is_away_for_ever() -> None:
    live = LiveGeneration(cast(Any, None), lambda: 100.0, lambda: None)

    with pytest.raises(ReadStoreUnavailable):
        await live.current()
    assert live.away_seconds() == float("inf")


@pytest.mark.usefixtures("looks")
async def test_whoever_follows_knows_at_once_that_the_server_is_away() -> None:
    # given
    live = LiveGeneration(cast(Any, None), time.monotonic, lambda: None)
    async with following(live):
        await until(lambda: live.away_seconds() is not None)
        # when / then
        with pytest.raises(ReadStoreUnavailable, match="known to be unavailable"):
            await live.current()


async def test_a_server_that_is_gone_makes_the_store_unavailable() -> None:
    # given nothing listens on the discard port
    mongo = Mongo("mongodb://127.0.0.1:9/?directConnection=true")
    database = mongo.database("nowhere")
    store = MongoReadModels(database, LiveGeneration(database, lambda: 0.0, lambda: None))
    # when / then
    with pytest.raises(StoreUnavailable):
        await store.child("lena", None)
    await mongo.close()


async def test_how_the_live_generation_was_made_is_known(
    mongo_url: str, fresh_database: str
) -> None:
    # given one of older projections and one of a rebuild with a limit of its own
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    kept = [
        {"generation": 1, "projections": 6, "was_live": True},
        {"generation": 2, "projections": 7, "was_live": True, "conversation_limit_minutes": 30},
    ]
    pointer = database[POINTER_COLLECTION]
    await pointer.insert_one({"_id": POINTER_ID, "generation": 1, "kept": kept})
    # when / then
    older = await LiveGeneration(database, lambda: 0.0, lambda: None).kept()
    assert (older.projections, older.conversation_limit_minutes) == (6, 240)
    await pointer.update_one({"_id": POINTER_ID}, {"$set": {"generation": 2}})
    newer = await LiveGeneration(database, lambda: 0.0, lambda: None).kept()
    assert (newer.projections, newer.conversation_limit_minutes) == (7, 30)
    await mongo.close()
