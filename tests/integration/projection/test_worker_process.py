"""The worker as a process, with a real broker and real servers."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from deploy.local.binaries import kafka_broker
from deploy.topics import apply_topics
from shared.clock import new_id, utc_now
from shared.event_store.mongo import MongoEventStore
from shared.keyring.key_file import FileKeyProvider, create_key_file, read_key_file
from shared.keyring.keyring import Keyring
from shared.keyring.mongo_key_store import MongoKeyStore
from shared.mongo import Database, Mongo
from shared.read_models.generations import Generation
from shared.read_models.models import Model
from shared.topics import CHILD_EVENTS
from tests.support.happenings import Happenings
from tests.support.kafka import REPLICATION, read_records
from tests.support.ports import free_port, listens
from tests.support.waiting import until

READY_SECONDS = 30.0


@dataclass
class World:
    """The databases and topics of one test, and how to run a worker on them."""

    environment: dict[str, str]
    database: Database
    happenings: Happenings
    bootstrap: str
    port: int

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """A worker that is ready; killed at the end if it still runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "projection_worker",
            env={**os.environ, **self.environment},
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await self.until(self.is_ready)
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def is_ready(self) -> bool:
        try:
            async with httpx2.AsyncClient() as client:
                answer = await client.get(f"http://127.0.0.1:{self.port}/health/ready")
        except httpx2.TransportError:
            return False
        return answer.status_code == 200

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(READY_SECONDS):
            while True:
                if await condition():
                    return
                await asyncio.sleep(0.05)

    async def version_of(self, child_id: str) -> int:
        children = Generation(1).collection(self.database, Model.CHILDREN)
        document = await children.find_one({"_id": child_id})
        return 0 if document is None else int(document["version"])


@pytest_asyncio.fixture
async def world(
    mongo_url: str, kafka_bootstrap: str, fresh_database: str, tmp_path: Path
) -> AsyncIterator[World]:
    key_file = tmp_path / "keys.json"
    create_key_file(key_file)
    await apply_topics(kafka_bootstrap, REPLICATION)
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    keyring = Keyring(FileKeyProvider(read_key_file(key_file)), MongoKeyStore(database))
    store = MongoEventStore(database)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    port = free_port()
    environment = {
        **dict.fromkeys(
            ("TEDDY_WRITE_MONGO_URL", "TEDDY_READ_MONGO_URL", "TEDDY_KEYS_MONGO_URL"), mongo_url
        ),
        **dict.fromkeys(
            ("TEDDY_WRITE_DATABASE", "TEDDY_READ_DATABASE", "TEDDY_KEYS_DATABASE"), fresh_database
        ),
        "TEDDY_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "TEDDY_KEY_FILE": str(key_file),
        "TEDDY_WORKER_PORT": str(port),
        "TEDDY_WORKER_GROUP": f"projector-{new_id()}",
        "TEDDY_WORKER_INSTANCE_ID": f"worker-{new_id()}",
    }
    yield World(environment, database, Happenings(store, keyring, producer), kafka_bootstrap, port)
    await producer.stop()
    await store.close()
    await mongo.close()


async def test_records_become_documents_and_sigterm_ends_the_worker_in_order(
    world: World,
) -> None:
    child_id = await world.happenings.a_registered_child()
    async with world.worker() as process:
        await world.happenings.a_severe_violation(child_id)
        await world.until(lambda: _at_least(world, child_id, 2))
        await world.until(lambda: _delivered(world, child_id))
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 10)

    assert code == 0


async def test_a_killed_worker_leaves_nothing_undone_for_the_next(world: World) -> None:
    child_id = await world.happenings.a_registered_child()
    async with world.worker() as process:
        await world.until(lambda: _at_least(world, child_id, 1))
        process.kill()
    for _ in range(5):
        await world.happenings.a_severe_violation(child_id)

    async with world.worker():
        await world.until(lambda: _at_least(world, child_id, 6))

    alerts = Generation(1).collection(world.database, Model.ALERTS)
    assert await alerts.count_documents({"child_id": child_id}) == 5


async def test_the_worker_reads_what_an_independent_reader_reads(world: World) -> None:
    child_id = await world.happenings.a_registered_child()

    records = await read_records(world.bootstrap, CHILD_EVENTS.name, 1)

    mine = [dict(record.headers) for record in records if record.key == child_id.encode()]
    assert [headers["ce_sequence"] for headers in mine] == [b"1"]
    assert [headers["ce_specversion"] for headers in mine] == [b"1.0"]


async def test_a_worker_whose_broker_is_gone_still_ends_on_sigterm(
    world: World, tmp_path: Path
) -> None:
    async with _own_broker(tmp_path) as (bootstrap, broker):
        world.environment["TEDDY_KAFKA_BOOTSTRAP"] = bootstrap
        async with world.worker() as process:
            broker.kill()
            await broker.wait()
            process.send_signal(signal.SIGTERM)
            code = await asyncio.wait_for(process.wait(), 12)

    assert code == 0


async def test_a_worker_that_finds_no_broker_says_so_in_its_last_line(world: World) -> None:
    world.environment["TEDDY_KAFKA_BOOTSTRAP"] = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "projection_worker",
        env={**os.environ, **world.environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()

    assert process.returncode == 1
    assert errors.decode().splitlines()[-1].startswith("worker: KafkaConnectionError")
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TEDDY_WORKER_BATCH", "none", "TEDDY_WORKER_BATCH"),
        ("TEDDY_KEY_FILE", "/nowhere/keys.json", "/nowhere/keys.json"),
    ],
)
async def test_a_worker_that_cannot_start_says_why_in_one_line(
    world: World, variable: str, value: str, said: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "projection_worker",
        env={**os.environ, **world.environment, variable: value},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()

    assert process.returncode == 2
    assert said in errors.decode()
    assert len(errors.decode().splitlines()) == 1


@asynccontextmanager
async def _own_broker(folder: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A broker of the test's own, which it may kill."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        str(kafka_broker()),
        *("start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: listens(("127.0.0.1", port)), READY_SECONDS)
        await apply_topics(f"127.0.0.1:{port}", 1)
        yield f"127.0.0.1:{port}", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _at_least(world: World, child_id: str, version: int) -> bool:
    return await world.version_of(child_id) >= version


async def _delivered(world: World, child_id: str) -> bool:
    alerts = Generation(1).collection(world.database, Model.ALERTS)
    alert = await alerts.find_one({"child_id": child_id})
    return alert is not None and alert["delivered"].get("in_app", utc_now()) <= utc_now()
