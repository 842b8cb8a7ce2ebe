"""The Kafka that the tests have in a container: its settings, read by Apache Kafka itself."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from deploy.local.apache_kafka.installation import Installation, installation
from deploy.local.apache_kafka.node import new_cluster_id
from deploy.local.plans import free_port
from deploy.local.settings import LocalStackSettings
from deploy.topics import apply_topics
from shared.kafka import CHILD_EVENTS
from tests.support import container_servers as servers
from tests.support.container_servers import KAFKA_ADDRESS, KafkaContainer, image_of
from tests.support.docker_engine import Container, Program, docker_engine
from tests.support.kafka import read_records
from tests.support.tcp_proxy import tcp_proxy

ALONE = 1
PORTS = (servers.KAFKA_PORT, servers.KAFKA_OWN_PORT, servers.KAFKA_QUORUM_PORT)


class ApacheKafka(Program):
    """As the image does it: each variable `KAFKA_A_B` becomes the property `a.b`.

    In place of the ports that it would have to itself in a container, it has `inside`.
    """

    def __init__(
        self, kafka: Installation, folder: Path, inside: dict[int, int], outside: int
    ) -> None:
        super().__init__()
        self._kafka = kafka
        self._properties = folder / "server.properties"
        self._data = folder / "data"
        self._log = folder / "log"
        self._inside = inside
        self._outside = outside
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, container: Container) -> None:
        container.ports = dict.fromkeys(container.ports, self._outside)

    def stop(self, container: Container) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log(self, container: Container) -> str:
        if self._process is None and KAFKA_ADDRESS in container.files:
            self._process = self._run(container)
        return self._log.read_text() if self._log.exists() else ""

    def _run(self, container: Container) -> "subprocess.Popen[bytes]":
        address = container.files[KAFKA_ADDRESS].decode()
        own = f"OWN://localhost:{servers.KAFKA_OWN_PORT}"
        variables = dict(setting.split("=", 1) for setting in container.config["Env"])
        variables["KAFKA_ADVERTISED_LISTENERS"] = f"CLIENTS://{address},{own}"
        lines = [f"log.dirs={self._data}"]
        for name, value in variables.items():
            for port, instead in self._inside.items():
                value = value.replace(f":{port}", f":{instead}")  # noqa: PLW2901  each in turn
            lines.append(f"{name.removeprefix('KAFKA_').lower().replace('_', '.')}={value}")
        self._properties.write_text("\n".join(lines))
        format_ = ("format", "--cluster-id", new_cluster_id(), "--config", str(self._properties))
        subprocess.run(
            self._kafka.command("kafka.tools.StorageTool", *format_),
            check=True,
            capture_output=True,
        )
        with self._log.open("wb") as log:
            command = self._kafka.command("kafka.Kafka", str(self._properties))
            return subprocess.Popen(command, stdout=log, stderr=log)


@pytest_asyncio.fixture
async def kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KafkaContainer]:
    ports: list[int] = []
    for _ in PORTS:
        ports.append(free_port(None, taken=ports))
    inside = dict(zip(PORTS, ports, strict=True))
    installed = await installation(LocalStackSettings(), print)
    async with tcp_proxy("127.0.0.1", inside[servers.KAFKA_PORT]) as proxy:
        program = ApacheKafka(installed, tmp_path, inside, proxy.port)
        with docker_engine({image_of("kafka"): program}) as engine:
            monkeypatch.setenv("DOCKER_HOST", engine.url)
            container = KafkaContainer()
            await asyncio.to_thread(container.start)
            yield container
            await asyncio.to_thread(container.stop)


async def test_clients_come_back_to_where_the_engine_maps_it(kafka: KafkaContainer) -> None:
    # given an address from outside, which nobody inside listens on
    bootstrap = kafka.address
    await apply_topics(bootstrap, ALONE, [CHILD_EVENTS])
    # when, in a transaction: for its end Kafka speaks to itself
    async with (
        AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="one") as producer,
        producer.transaction(),
    ):
        await producer.send_and_wait(CHILD_EVENTS.name, b"{}", key=b"mia")
    # then
    (record,) = await read_records(bootstrap, CHILD_EVENTS.name, 1)
    assert record.key == b"mia"
