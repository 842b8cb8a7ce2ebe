"""The worker as a process of a test's own, and the facts that it is to project."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.topics import apply_topics
from projection_worker.projections import registry
from shared.clock import new_id
from shared.event_store.mongo import MongoEventStore
from shared.kafka import CHILD_EVENTS
from shared.keyring.key_file import FileKeyProvider, create_key_file, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring
from shared.mongo import Database, Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from tests.support.happenings import Happenings
from tests.support.kafka import REPLICATION, told_partitions
from tests.support.ports import free_port
from tests.support.processes import is_ready, process_of
from tests.support.waiting import STARTED, eventually

READY_SECONDS = STARTED


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

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        await eventually(condition, READY_SECONDS)

    async def version_of(self, child_id: str) -> int:
        children = Generation(1).collection(self.database, Model.CHILDREN)
        document = await children.find_one({"_id": child_id})
        return 0 if document is None else int(document["version"])


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
        **dict.fromkeys(
            ("TEDDY_WRITE_MONGO_URL", "TEDDY_READ_MONGO_URL", "TEDDY_KEYS_MONGO_URL"), mongo_url
        ),
        **dict.fromkeys(
            ("TEDDY_WRITE_DATABASE", "TEDDY_READ_DATABASE", "TEDDY_KEYS_DATABASE"), database_name
        ),
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
    """For TEDDY_WORKER_GROUP: its workers read what happens from now on."""
    group = f"projector-{new_id()}"
    await _begin_at_the_end(bootstrap, f"{group}-p{registry.VERSION}")
    return group


async def _begin_at_the_end(bootstrap: str, group: str) -> None:
    """Let the workers of `group` read what happens from now on: all tests share the topic."""
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False
    ) as consumer:
        places = await told_partitions(consumer, CHILD_EVENTS.name)
        consumer.assign(places)
        await consumer.commit(await consumer.end_offsets(places))
