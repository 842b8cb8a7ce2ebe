"""The worker as a process of a test's own, and the facts that it is to project."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.topics import apply_topics
from projection_worker.projections import registry
from shared.clock import new_id, utc_now
from shared.event_store.envelope import StreamPosition
from shared.event_store.mongo import MongoEventStore
from shared.event_store.port import EventStore
from shared.events.child import (
    AlertChannel,
    AlertPolicy,
    AlertPolicyConfigured,
    ChildEvent,
    ChildRegistered,
    SafetyViolationReported,
    Severity,
)
from shared.events.personal import Personal
from shared.kafka import CHILD_EVENTS
from shared.keyring.key_file import FileKeyProvider, create_key_file, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring
from shared.mongo import Database, Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from shared.serialization.cloud_events import to_record
from tests.support.commits import offer_of
from tests.support.kafka import REPLICATION, known_partitions
from tests.support.ports import free_port
from tests.support.processes import is_ready, process_of, store_settings
from tests.support.waiting import STARTED, eventually

READY_SECONDS = STARTED
T = TypeVar("T")


class Happenings:
    """Facts as the command side and the relay make them: in the event store and on Kafka."""

    def __init__(self, store: EventStore, keyring: Keyring, producer: AIOKafkaProducer) -> None:
        self._store = store
        self._keyring = keyring
        self._producer = producer
        self._positions: dict[str, StreamPosition] = {}

    def sent_by(self, producer: AIOKafkaProducer) -> "Happenings":
        """These children go on, through another producer."""
        others = Happenings(self._store, self._keyring, producer)
        others._positions = self._positions
        return others

    async def a_registered_child(self, name: str = "Mia") -> str:
        child_id = new_id()
        await self._happened(
            ChildRegistered(
                child_id=child_id,
                at=utc_now(),
                parent_id="parent-1",
                name=Personal(name),
                age=6,
                udid=Personal(f"udid-{child_id}"),
            )
        )
        return child_id

    async def a_severe_violation(self, child_id: str) -> None:
        await self._happened(
            SafetyViolationReported(
                child_id=child_id,
                at=utc_now(),
                violation_id=new_id(),
                violation_type="rude_words",
                severity=Severity.CRITICAL,
            )
        )

    async def garbage(self, child_id: str) -> None:
        """A record under the child's key that nobody can read."""
        await self._producer.send_and_wait(CHILD_EVENTS.name, b"?", child_id.encode())

    async def alerts_by_webhook_too(self, child_id: str) -> None:
        policy = AlertPolicy(channels=(AlertChannel.IN_APP, AlertChannel.WEBHOOK))
        await self._happened(AlertPolicyConfigured(child_id=child_id, at=utc_now(), policy=policy))

    async def _happened(self, event: ChildEvent) -> None:
        position = self._positions.get(event.child_id, StreamPosition())
        cipher = await self._keyring.create(event.child_id)
        offer = offer_of([event], position, cipher, correlation_id=new_id())
        commit = await self._store.append(offer)
        self._positions[event.child_id] = commit.position
        for recorded in commit.recorded_events():
            record = to_record(recorded)
            await self._producer.send_and_wait(
                CHILD_EVENTS.name, record.value, record.key, headers=record.headers
            )


@dataclass
class World:
    """The databases and topics of one test, and how to run a worker on them."""

    environment: dict[str, str]
    database: Database
    happenings: Happenings
    bootstrap: str
    port: int

    @asynccontextmanager
    async def worker(
        self, log: Path = Path(os.devnull), *, ready: bool = True
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """A worker, that is ready if it is to be; killed at the end if it still runs."""
        async with process_of("projection_worker", self.environment, log) as process:
            if ready:
                await self.until(lambda: is_ready(f"http://127.0.0.1:{self.port}"))
            yield process

    async def report(self) -> dict[str, Any]:
        """What the worker says of itself at /health/ready."""
        report: dict[str, Any] = (await self.get("/health/ready")).json()
        return report

    async def get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def until(
        self, ask: Callable[[], Awaitable[T]], wanted: Callable[[T], object] = bool
    ) -> T:
        return await eventually(ask, READY_SECONDS, wanted, passing=(httpx2.TransportError,))

    async def version_of(self, child_id: str) -> int:
        children = Generation(1).collection(self.database, Model.CHILDREN)
        document = await children.find_one({"_id": child_id})
        return 0 if document is None else int(document["version"])

    async def is_at(self, child_id: str, version: int) -> bool:
        """Whether the read models have as much of the child."""
        return await self.version_of(child_id) >= version


@asynccontextmanager
async def worker_world(
    mongo_url: str, bootstrap: str, database_name: str, folder: Path
) -> AsyncIterator[World]:
    """Its key file lies in `folder`."""
    key_file = folder / "keys.json"
    create_key_file(key_file)
    await apply_topics(bootstrap, REPLICATION)
    mongo = Mongo(mongo_url)
    database = mongo.database(database_name)
    keyring = Keyring(FileKeyProvider(read_key_file(key_file)), MongoKeyStore(database))
    store = MongoEventStore(database)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    port = free_port()
    group = await new_group(bootstrap)
    environment = {
        **store_settings(mongo_url, database_name, "WRITE", "READ", "KEYS"),
        "TEDDY_KAFKA_BOOTSTRAP": bootstrap,
        "TEDDY_KEY_FILE": str(key_file),
        "TEDDY_WORKER_PORT": str(port),
        "TEDDY_WORKER_GROUP": group,
        "TEDDY_WORKER_INSTANCE_ID": f"worker-{new_id()}",
    }
    happenings = Happenings(store, keyring, producer)
    try:
        yield World(environment, database, happenings, bootstrap, port)
    finally:
        await producer.stop()
        await store.close()
        await mongo.close()


async def new_group(bootstrap: str) -> str:
    """For TEDDY_WORKER_GROUP: its workers read what happens from now on, for all tests share the
    topic."""
    group = f"projector-{new_id()}"
    of_workers = f"{group}-p{registry.VERSION}"
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=of_workers, enable_auto_commit=False
    ) as consumer:
        places = await known_partitions(consumer, CHILD_EVENTS.name)
        consumer.assign(places)
        await consumer.commit(await consumer.end_offsets(places))
    return group
