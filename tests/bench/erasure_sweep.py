"""The cost of starting a relay with many erased children: the sweep, and reading the topic.

See docs/decisions/012-erased-in-three-places.md.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from aiokafka import AIOKafkaProducer

from command_service.erasure import WRITE_SIDE, ErasureCompletion, ErasureSweep
from deploy.topics import apply_topics
from shared.clock import new_id, utc_now
from shared.erasures import ErasureNotice, read_erasures
from shared.event_store.commit_documents import to_document
from shared.event_store.envelope import NewCommit, seal_commit
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.events.child import ChildErased
from shared.kafka import CHILD_ERASURES
from shared.keyring.erased_list import MongoErasedList
from shared.keyring.key_store import MongoKeyStore
from shared.mongo import Database, Mongo
from shared.serialization.events import encode
from tests.support.commits import an_offer
from tests.support.kafka import REPLICATION
from tests.support.stack import Servers, chosen

ERASED = 100_000
LIVING = 100_000
BATCH = 5_000


def a_stream(child_id: str, at: datetime, *, erased: bool) -> list[NewCommit]:
    first = an_offer(child_id)
    if not erased:
        return [first]
    event = encode(ChildErased(child_id=child_id, at=at), 2, None)
    return [first, replace(an_offer(child_id, seal_commit(first).position), events=(event,))]


async def fill(database: Database, children: Sequence[str], at: datetime, *, erased: bool) -> None:
    for begin in range(0, len(children), BATCH):
        some = children[begin : begin + BATCH]
        offers = [offer for one in some for offer in a_stream(one, at, erased=erased)]
        commits = [to_document(seal_commit(offer)) for offer in offers]
        await database["commits"].insert_many(commits, ordered=False)
        if erased:
            steps = {step.value: {"at": at, "removed": 1} for step in WRITE_SIDE}
            entry = {"at": at, "by_role": "parent", "version": 2, "hash": "", "steps": steps}
            await database["erased_children"].insert_many([{"_id": one, **entry} for one in some])
            await database["child_keys"].insert_many([{"_id": one} for one in some])


async def publish_erasures(bootstrap: str, children: Sequence[str], at: datetime) -> None:
    await apply_topics(bootstrap, REPLICATION, [CHILD_ERASURES])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    for one in children:
        await producer.send(CHILD_ERASURES.name, ErasureNotice(one, at).to_json(), one.encode())
    await producer.stop()


class Nobody:
    async def announce(self, erasures: Sequence[ErasureNotice]) -> None:
        assert not erasures


async def measure(servers: Servers) -> None:
    mongo, at = Mongo(servers.mongo_url), utc_now()
    database = mongo.database(f"bench_{new_id()[:8]}")
    await ensure_indexes(database)
    children = [new_id() for _ in range(ERASED)]
    await fill(database, children, at, erased=True)
    await fill(database, [new_id() for _ in range(LIVING)], at, erased=False)
    await publish_erasures(servers.kafka_bootstrap, children, at)

    started = time.perf_counter()
    published = await read_erasures(servers.kafka_bootstrap)
    print(
        f"reading {len(published):,} erasures from the topic: {time.perf_counter() - started:.1f} s"
    )

    async def read() -> dict[str, datetime]:
        return {one: published[one] for one in children}

    events = MongoEventStore(database)
    completion = ErasureCompletion(
        MongoErasedList(database),
        MongoKeyStore(database),
        MongoClaimStore(database),
        MongoSnapshotStore(database),
        events,
        utc_now,
    )
    sweep = ErasureSweep(events, completion, read, utc_now, new_id)
    started = time.perf_counter()
    again = await sweep.run(Nobody())
    print(f"looking at {ERASED:,}: {time.perf_counter() - started:.1f} s, {again} erased again")
    await mongo.close()


def main() -> None:
    with chosen()() as servers:
        asyncio.run(measure(servers))


if __name__ == "__main__":
    main()
