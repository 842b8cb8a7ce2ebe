"""A query process over real servers, its keys in a temporary directory."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiokafka import AIOKafkaProducer

from deploy.topics import apply_topics
from shared.auth.access import Principal
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.kafka import CHILD_ALERTS, CHILD_ERASURES, READ_MODEL_CHANGES, Topic
from shared.keyring.key_file import FileKeyProvider, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring
from shared.mongo import Database, Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from shared.signing import read_signing_key
from tests.support.kafka import REPLICATION
from tests.support.key_files import create_key_files
from tests.support.ports import free_port
from tests.support.processes import is_ready, process_of, store_settings
from tests.support.read_model_builders import child_document, sealed
from tests.support.waiting import STARTED, eventually

STOP_SECONDS = 5.0


@dataclass
class QueryWorld:
    """What surrounds a query process: its settings, read models, keys, topics."""

    directory: Path
    mongo_url: str
    database_name: str
    database: Database
    keyring: Keyring
    bootstrap: str
    port: int = field(default_factory=free_port)

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **store_settings(self.mongo_url, self.database_name),
            "TEDDY_KAFKA_BOOTSTRAP": self.bootstrap,
            **create_key_files(self.directory),
            "TEDDY_QUERY_PORT": str(self.port),
            "TEDDY_SUBJECT_SHARE": "1",  # one parent sends everything
        } | more

    def bearer(self, principal: Principal) -> str:
        key = read_signing_key(self.directory / "signing.pem")
        issuer = TokenIssuer(key, "teddy-local", "teddy")
        return "Bearer " + issuer.issue(principal, utc_now(), timedelta(hours=1))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def is_ready(self) -> bool:
        return await is_ready(self.url)

    async def until_ready(self, **wanted: str) -> dict[str, Any]:
        """The readiness report once these dependencies are in these states."""
        async with httpx2.AsyncClient(base_url=self.url) as client:
            answer = await eventually(
                lambda: client.get("/health/ready"),
                STARTED,
                lambda answer: wanted.items() <= answer.json()["dependencies"].items(),
                passing=(httpx2.TransportError,),
            )
        report: dict[str, Any] = answer.json()
        return report

    def client(self, principal: Principal) -> httpx2.AsyncClient:
        headers = {"Authorization": self.bearer(principal)}
        return httpx2.AsyncClient(base_url=self.url, headers=headers)

    async def put_child(self, child_id: str, name: str, **fields: object) -> None:
        cipher = await self.keyring.create(child_id)
        name = sealed(cipher, child_id, "name", name)
        document = dict(child_document(child_id, name=name, **fields))
        children = Generation(1).collection(self.database, Model.CHILDREN)
        await children.replace_one({"_id": child_id}, document, upsert=True)

    async def publish(self, topic: Topic, key: str, value: bytes) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all") as producer:
            await producer.send_and_wait(topic.name, value, key=key.encode())


@pytest.fixture
async def world(
    tmp_path: Path, mongo_url: str, fresh_database: str, kafka_bootstrap: str
) -> AsyncIterator[QueryWorld]:
    create_key_files(tmp_path)
    await apply_topics(
        kafka_bootstrap, REPLICATION, (READ_MODEL_CHANGES, CHILD_ALERTS, CHILD_ERASURES)
    )
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    key_store = MongoKeyStore(database)
    keyring = Keyring(FileKeyProvider(read_key_file(tmp_path / "keys.json")), key_store)
    yield QueryWorld(tmp_path, mongo_url, fresh_database, database, keyring, kafka_bootstrap)
    await key_store.close()
    await mongo.close()


@dataclass
class QueryProcess:
    process: asyncio.subprocess.Process

    async def stop(self) -> int:
        """The exit code after SIGTERM; raises TimeoutError when it takes too long."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), STOP_SECONDS)


@asynccontextmanager
async def query_process(environment: Mapping[str, str]) -> AsyncIterator[QueryProcess]:
    async with process_of("query_service", environment, asyncio.subprocess.PIPE) as process:
        yield QueryProcess(process)
