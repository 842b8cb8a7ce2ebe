"""Relays in this process, over a database and a topic of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest_asyncio

from command_service.erasure import ErasureCompletion, ErasureSweep
from command_service.relay.commit_feed import CommitFeed
from command_service.relay.progress import Checkpoints, Progress
from command_service.relay.publisher import open_publisher
from command_service.relay.relay import Relay
from deploy.topics import apply_topics
from shared.clock import new_id, utc_now
from shared.erasures import read_erasures
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.kafka import CHILD_ERASURES
from shared.keyring.erased_list import MongoErasedList
from shared.keyring.key_store import MongoKeyStore
from shared.lease import Lease
from shared.mongo import Database, Driver, Mongo
from tests.support.kafka import REPLICATION, own_topic

LEASE_SECONDS = 1.0
FEED_BATCH = 50


@dataclass(frozen=True)
class RunningRelay:
    relay: Relay
    progress: Progress
    task: "asyncio.Task[None]"


@dataclass(frozen=True)
class Surroundings:
    """What a relay works on, and how to run one."""

    mongo: Mongo
    database: Database
    store: MongoEventStore
    bootstrap: str
    topic: str

    def sweep(self) -> ErasureSweep:
        """All three databases are one here."""
        completion = ErasureCompletion(
            MongoErasedList(self.database),
            MongoKeyStore(self.database),
            MongoClaimStore(self.database),
            MongoSnapshotStore(self.database),
            self.store,
            utc_now,
        )
        read = partial(read_erasures, self.bootstrap)
        return ErasureSweep(self.store, completion, read, utc_now, new_id)

    @asynccontextmanager
    async def running_relay(self) -> AsyncIterator[RunningRelay]:
        progress = Progress(self.database, Checkpoints(self.database), utc_now)
        relay = Relay(
            Lease(self.database, "relay", new_id(), LEASE_SECONDS),
            progress,
            CommitFeed(self.mongo, self.database, FEED_BATCH),
            self.store,
            partial(open_publisher, self.bootstrap, self.topic),
            self.sweep(),
        )
        task = asyncio.create_task(relay.run())
        try:
            yield RunningRelay(relay, progress, task)
        finally:
            relay.stop()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def surroundings(
    mongo_url: str, bootstrap: str, database_name: str, driver: Driver
) -> AsyncIterator[Surroundings]:
    """Over a new topic; gone with the block."""
    mongo = Mongo(mongo_url, driver)
    database = mongo.database(database_name)
    await ensure_indexes(database)
    await apply_topics(bootstrap, REPLICATION, [CHILD_ERASURES])
    store = MongoEventStore(database)
    async with own_topic(bootstrap, f"events-{database_name}") as topic:
        yield Surroundings(mongo, database, store, bootstrap, topic)
    await store.close()
    await mongo.close()


@pytest_asyncio.fixture
async def around(
    mongo_url: str, kafka_bootstrap: str, fresh_database: str, driver: Driver
) -> AsyncIterator[Surroundings]:
    async with surroundings(mongo_url, kafka_bootstrap, fresh_database, driver) as around:
        yield around


def follows(running: RunningRelay) -> Callable[[], bool]:
    """The store is on the topic; what comes now arrives once, by the change stream."""
    return lambda: running.progress.checkpoint.token is not None


def has_published(running: RunningRelay, events: int) -> Callable[[], bool]:
    return lambda: running.progress.checkpoint.events >= events
