"""The stores of every port: in memory, on MongoDB through Motor, and through PyMongo Async."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from shared.event_store.mongo import MongoEventStore, ensure_consents_index, ensure_indexes
from shared.event_store.mongo_claims import COLLECTION as CLAIMS
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.event_store.port import Claim, ClaimStore, EventStore, SnapshotStore
from shared.keyring.erased_list import (
    ErasedList,
    MongoErasedList,
    ensure_erased_list_index,
    ensure_open_erasures_index,
)
from shared.keyring.key_store import KeyStore, MongoKeyStore
from shared.mongo import Driver, Mongo
from tests.fakes.event_store import MemoryClaimStore, MemoryEventStore, MemorySnapshotStore
from tests.fakes.keys import MemoryErasedList, MemoryKeyStore


@dataclass(frozen=True)
class Place:
    """Where the Mongo stores live."""

    url: str
    database: str
    driver: Driver


@dataclass(frozen=True)
class Stores:
    events: EventStore
    claims: ClaimStore
    snapshots: SnapshotStore
    keys: KeyStore
    erased: ErasedList
    put_older_claim: Callable[[Claim], Awaitable[None]]
    """As a release before device ids were reserved made it."""


@pytest.fixture(params=["memory", "motor", "pymongo"])
def place(request: pytest.FixtureRequest) -> Place | None:
    # Asked for by name only here: the in-memory fakes need no server.
    if request.param == "memory":
        return None
    url = request.getfixturevalue("mongo_url")
    return Place(url, request.getfixturevalue("fresh_database"), request.param)


@pytest_asyncio.fixture
async def stores(place: Place | None) -> AsyncIterator[Stores]:
    if place is None:
        in_memory = MemoryClaimStore()

        async def put_older(claim: Claim) -> None:
            in_memory.put_older(claim)

        yield Stores(
            MemoryEventStore(),
            in_memory,
            MemorySnapshotStore(),
            MemoryKeyStore(),
            MemoryErasedList(),
            put_older,
        )
        return
    mongo = Mongo(place.url, place.driver)
    database = mongo.database(place.database)
    await ensure_indexes(database)
    await ensure_consents_index(database)
    await ensure_erased_list_index(database)
    await ensure_open_erasures_index(database)
    events, claims = MongoEventStore(database), MongoClaimStore(database)
    keys = MongoKeyStore(database)
    erased = MongoErasedList(database)

    async def insert_older(claim: Claim) -> None:
        names = ("child_id", "version", "claimed_at", "released")
        fields = {name: getattr(claim, name) for name in names}
        await database[CLAIMS].insert_one({"_id": claim.key, **fields})

    yield Stores(events, claims, MongoSnapshotStore(database), keys, erased, insert_older)
    for store in (events, claims, keys):
        await store.close()
    await mongo.close()
