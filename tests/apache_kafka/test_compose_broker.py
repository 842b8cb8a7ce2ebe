"""The Kafka of the Compose stack: the file that is made for it, read by Apache Kafka itself."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.errors import KafkaError

from deploy.containers.first_start import Site, write_secrets
from deploy.containers.kafka_files import KafkaPlace
from deploy.local.apache_kafka.installation import Installation, installation
from deploy.local.apache_kafka.node import new_cluster_id
from deploy.local.plans import LOOPBACK, free_port
from deploy.local.readiness import kafka_answers
from deploy.local.settings import LocalStackSettings
from deploy.topics import apply_topics
from shared.clock import utc_now
from shared.kafka import KafkaServers
from tests.apache_kafka.cluster import READY_SECONDS, start_java
from tests.support.waiting import eventually

ALONE = 1


@dataclass(frozen=True, slots=True)
class SecuredBroker:
    folder: Path
    kafka: Installation
    servers: KafkaServers

    async def tool(self, main: str, *arguments: str) -> int:
        command = self.kafka.command(main, *arguments)
        process = await start_java(command, self.folder / "tool.log", self.folder)
        return await process.wait()

    async def is_healthy(self) -> bool:
        """As the stack's health check asks: with the account in `client.properties`."""
        text = (self.folder / "kafka" / "client.properties").read_text()
        found = re.search(r'username="(\w+)" password="([\w-]+)"', text)
        assert found is not None
        try:
            await apply_topics(replace(self.servers, user=found[1], password=found[2]), ALONE, ())
        except (KafkaError, OSError):
            return False
        return True


@pytest_asyncio.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredBroker]:
    folder = tmp_path_factory.mktemp("secured")
    port = free_port(None)
    place = KafkaPlace(
        address=f"{LOOPBACK}:{port}",
        secrets=str(folder / "kafka"),
        data=str(folder / "kafka-data"),
        quorum_port=free_port(None, taken=[port]),
        bind=LOOPBACK,
    )
    write_secrets(folder, Site(kafka=place, secrets=str(folder / "tools")), utc_now())
    servers = KafkaServers(
        place.address,
        "SASL_SSL",
        "PLAIN",
        "tools",
        (folder / "tools" / "teddy_kafka_password").read_text(),
        folder / "tools" / "ca.pem",
    )
    broker = SecuredBroker(folder, await installation(LocalStackSettings(), print), servers)
    properties = str(folder / "kafka" / "server.properties")
    format_ = ("format", "--cluster-id", new_cluster_id(), "--config", properties)
    assert await broker.tool("kafka.tools.StorageTool", *format_) == 0
    command = broker.kafka.command("kafka.Kafka", properties)
    process = await start_java(command, folder / "broker.log", folder)
    try:
        await eventually(broker.is_healthy, READY_SECONDS)
        yield broker
    finally:
        process.kill()
        await process.wait()


async def test_the_tools_account_makes_the_topics_over_tls(broker: SecuredBroker) -> None:
    first = await apply_topics(broker.servers, ALONE)
    second = await apply_topics(broker.servers, ALONE)

    assert {report.state for report in first} == {"created"}
    assert {report.state for report in second} == {"present"}


@pytest.mark.parametrize("account", ["relay", "worker", "query"])
async def test_every_process_comes_in_with_its_own_password(
    broker: SecuredBroker, account: str
) -> None:
    password = (broker.folder / account / "teddy_kafka_password").read_text()
    servers = replace(broker.servers, user=account, password=password)
    await apply_topics(broker.servers, ALONE)

    assert {report.state for report in await apply_topics(servers, ALONE)} == {"present"}


async def test_a_wrong_password_is_refused(broker: SecuredBroker) -> None:
    with pytest.raises(KafkaError):
        await apply_topics(replace(broker.servers, password="guessed"), ALONE)


async def test_nobody_comes_in_without_tls(broker: SecuredBroker) -> None:
    with suppress(TimeoutError), pytest.raises(KafkaError):
        await kafka_answers(broker.servers.bootstrap)


async def test_another_authority_s_broker_is_not_trusted(
    broker: SecuredBroker, tmp_path: Path
) -> None:
    await asyncio.to_thread(write_secrets, tmp_path, Site(), utc_now())
    servers = replace(broker.servers, ca_file=tmp_path / "tools" / "ca.pem")

    with pytest.raises(KafkaError):
        await apply_topics(servers, ALONE)
