"""The relay as operators see it: a process with health, metrics and signals."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest_asyncio

from deploy.topics import apply_topics
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.mongo import Mongo
from shared.process_reports.documents import read_reports
from tests.support.commands import started
from tests.support.commits import an_offer
from tests.support.kafka import REPLICATION
from tests.support.metrics import sample
from tests.support.ports import free_port
from tests.support.processes import process_of, store_settings
from tests.support.waiting import STARTED, eventually

CLOSED_PORT = 1
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class RelayProcess:
    process: asyncio.subprocess.Process
    client: httpx2.AsyncClient

    async def health(self, **expected: Any) -> tuple[int, dict[str, Any]]:
        """Status and body of /health/ready, as soon as the body holds `expected`."""
        answer = await eventually(
            lambda: self.client.get("/health/ready"),
            STARTED,
            lambda answer: expected.items() <= answer.json().items(),
            passing=(httpx2.TransportError,),
        )
        return answer.status_code, answer.json()

    async def has_published(self, events: int) -> None:
        """Returns as soon as /metrics tells of `events` or more: some may be published again."""
        url = str(self.client.base_url)
        await eventually(
            lambda: sample(url, "teddy_relay_events"),
            STARTED,
            lambda reported: reported is not None and reported >= events,
        )

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()


@pytest_asyncio.fixture
async def store(mongo_url: str, fresh_database: str) -> AsyncIterator[MongoEventStore]:
    mongo = Mongo(mongo_url)
    await ensure_indexes(mongo.database(fresh_database))
    store = MongoEventStore(mongo.database(fresh_database))
    yield store
    await store.close()
    await mongo.close()


@asynccontextmanager
async def _a_relay(mongo_url: str, database: str, bootstrap: str) -> AsyncIterator[RelayProcess]:
    port = free_port()
    environment = {
        **store_settings(mongo_url, database, "WRITE", "KEYS"),
        "TEDDY_KAFKA_BOOTSTRAP": bootstrap,
        "TEDDY_RELAY_PORT": str(port),
    }
    async with (
        process_of("command_service.relay", environment) as process,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield RelayProcess(process, client)


async def test_a_relay_tells_its_lag_and_hands_over_when_stopped(
    mongo_url: str, fresh_database: str, kafka_bootstrap: str, store: MongoEventStore
) -> None:
    # given a leader and a stand-by
    await apply_topics(kafka_bootstrap, REPLICATION)
    async with _a_relay(mongo_url, fresh_database, kafka_bootstrap) as leader:
        await leader.health(status="ready", leader=True)
        async with _a_relay(mongo_url, fresh_database, kafka_bootstrap) as stand_by:
            status, body = await stand_by.health(leader=False)
            assert (status, body["status"]) == (200, "ready")
            # when
            await store.append(an_offer("child-1", events=3))
            # then
            await leader.has_published(3)
            _, body = await leader.health(lag={"events": 0, "seconds": 0.0})
            assert body["dependencies"] == {"event_store": "up", "kafka": "up"}
            # when
            assert await leader.stop() == 0
            # then
            await stand_by.health(leader=True)
            await stand_by.has_published(3)
            assert await stand_by.stop() == 0


async def test_a_relay_without_broker_says_so_and_still_stops(
    mongo_url: str, fresh_database: str
) -> None:
    # given
    bootstrap = f"127.0.0.1:{CLOSED_PORT}"
    async with _a_relay(mongo_url, fresh_database, bootstrap) as relay:
        # when
        status, body = await relay.health(status="not_ready")
        # then
        assert status == 503
        assert body["dependencies"] == {"event_store": "up", "kafka": "down"}
        assert await relay.stop() == 0


async def test_a_missing_setting_ends_the_relay_with_one_line(mongo_url: str) -> None:
    # given no bootstrap servers
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TEDDY_")}
    environment |= dict.fromkeys(("TEDDY_WRITE_MONGO_URL", "TEDDY_KEYS_MONGO_URL"), mongo_url)
    # when
    said = await started("command_service.relay", [], environment)
    # then
    assert (said.code, said.err) == (2, "settings: TEDDY_KAFKA_BOOTSTRAP: required\n")


async def test_a_relay_reports_on_itself_and_says_that_it_ends(
    mongo_url: str, fresh_database: str, kafka_bootstrap: str
) -> None:
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    # given
    await apply_topics(kafka_bootstrap, REPLICATION)
    async with _a_relay(mongo_url, fresh_database, kafka_bootstrap) as relay:
        (report,) = await eventually(
            lambda: read_reports(database),
            STARTED,
            lambda found: any(one.measured.figures.get("leads") for one in found),
        )
        assert (report.kind, report.starts, report.runs) == ("relay", 1, True)
        # when
        assert await relay.stop() == 0
    # then
    (report,) = await read_reports(database)
    assert report.ended
    await mongo.close()
