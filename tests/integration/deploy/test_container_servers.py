"""Servers from containers, whole: a made-up engine runs a real mongod behind another port."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
import pytest
import pytest_asyncio

from deploy.local import plans
from tests.support import container_servers as servers
from tests.support.container_servers import (
    KAFKA_ADDRESS,
    KAFKA_STARTED,
    ContainersFailed,
    container_servers,
    image_of,
)
from tests.support.docker_engine import Container, DockerEngine, Program, docker_engine
from tests.support.ports import free_port
from tests.support.tcp_proxy import tcp_proxy

MONGO, KAFKA = image_of("mongo"), image_of("kafka")


class Mongod(Program):
    """The container's command, on this machine. Clients find it at `outside`."""

    def __init__(self, folder: Path, outside: int) -> None:
        super().__init__()
        self._folder = folder
        self._outside = outside
        self._log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, container: Container) -> None:
        container.ports = dict.fromkeys(container.ports, self._outside)
        _, *flags = container.config["Cmd"]
        flags[flags.index("--bind_ip_all")] = "--bind_ip=127.0.0.1"
        command = [str(plans.mongod()), *flags, "--dbpath", str(self._folder), "--nounixsocket"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log)

    def stop(self, container: Container) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def log(self, container: Container) -> str:
        return self._log.read_text() if self._log.exists() else ""


@dataclass(frozen=True)
class Engine:
    docker: DockerEngine
    mongod: Mongod


@pytest_asyncio.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    # in a container of its own it would have this port whatever else runs here
    monkeypatch.setattr(servers, "MONGO_PORT", free_port())
    async with tcp_proxy("127.0.0.1", servers.MONGO_PORT) as proxy:
        mongod = Mongod(tmp_path, proxy.port)
        programs = {MONGO: mongod, KAFKA: Program(f"{KAFKA_STARTED}\n", KAFKA_ADDRESS)}
        with docker_engine(programs) as docker:
            monkeypatch.setenv("DOCKER_HOST", docker.url)
            yield Engine(docker, mongod)


async def test_containers_give_a_replica_set_and_kafka_s_address(engine: Engine) -> None:
    # when
    source, host = await asyncio.to_thread(_use, engine)
    # then
    assert (source, host) == ("containers", "127.0.0.1")
    assert engine.docker.pulled == [MONGO, KAFKA]
    assert engine.docker.containers == {}


def _use(engine: Engine) -> tuple[str, str]:
    with container_servers() as found, pymongo.MongoClient[Any](found.mongo_url) as client:
        # what only a replica set has
        with client.start_session() as session, session.start_transaction():
            client["test"]["things"].insert_one({"_id": 1}, session=session)
        assert client["test"]["things"].count_documents({}) == 1
        _, kafka = engine.docker.containers.values()
        assert kafka.files[KAFKA_ADDRESS].decode() == found.kafka_bootstrap
        return found.source, found.kafka_bootstrap.partition(":")[0]


async def test_a_kafka_that_does_not_start_takes_mongodb_with_it(engine: Engine) -> None:
    # given
    del engine.docker.programs[KAFKA]
    # when
    with pytest.raises(ContainersFailed, match=r"^Kafka did not start in a container: .*404"):
        await asyncio.to_thread(_use, engine)
    # then
    assert engine.docker.containers == {}
    assert engine.mongod.process is not None
    assert engine.mongod.process.returncode is not None
