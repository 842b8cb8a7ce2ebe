"""Servers for the tests: those the environment names, else containers, else the local stack's."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
import docker.errors
import pymongo
from testcontainers.core.container import DockerContainer
from testcontainers.core.waiting_utils import wait_for_logs

from deploy.checks.compose.project import read_project
from deploy.local import control, plans
from deploy.local.state import StackFolder

MONGO_PORT = 27017
KAFKA_STARTED = "Kafka Server started"
START_SECONDS = 120
DOCKER_SOCKET = "unix:///var/run/docker.sock"
OLDEST_API = "1.40"
REPLICA_SET = "rs0"
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the tests' MongoDB (a replica set) and Kafka are. `source` says where they are from."""

    mongo_url: str
    kafka_bootstrap: str
    source: str


Source = Callable[[], AbstractContextManager[Servers]]


def choose(
    environment: Mapping[str, str],
    docker_answers: Callable[[], bool],
    containers: Source,
    embedded: Source,
) -> Source:
    """Both addresses in the environment win, then a Docker engine that answers, then embedded."""
    mongo_url = environment.get(plans.MONGO_URLS[0])
    bootstrap = environment.get(plans.KAFKA_BOOTSTRAP)
    if mongo_url and bootstrap:
        return lambda: _given(Servers(mongo_url, bootstrap, "environment"))
    return containers if docker_answers() else embedded


def chosen() -> Source:
    return choose(os.environ, docker_answers, container_servers, embedded_servers)


def docker_answers() -> bool:
    """Whether a Docker engine answers a ping; a client without an engine does not count."""
    if not _listens(os.environ.get("DOCKER_HOST", DOCKER_SOCKET)):
        return False
    client = docker.DockerClient.from_env(timeout=3, version=OLDEST_API)
    try:
        return bool(client.ping())
    except docker.errors.DockerException:
        return False
    finally:
        client.close()


@contextmanager
def embedded_servers() -> Iterator[Servers]:
    with TemporaryDirectory(prefix="teddy-servers-") as path:
        folder = StackFolder(Path(path))
        state = control.up(folder, servers_only=True)
        try:
            environment = state.environment
            yield Servers(
                environment[plans.MONGO_URLS[0]], environment[plans.KAFKA_BOOTSTRAP], "embedded"
            )
        finally:
            control.down(folder)


@contextmanager
def container_servers() -> Iterator[Servers]:
    kafka_port = plans.free_port(None)
    mongo = mongo_container()
    with mongo, kafka_container(kafka_port) as kafka:
        wait_for_logs(mongo, "Waiting for connections", timeout=START_SECONDS)
        wait_for_logs(kafka, KAFKA_STARTED, timeout=START_SECONDS)
        host, port = mongo.get_container_host_ip(), mongo.get_exposed_port(MONGO_PORT)
        url = f"mongodb://{host}:{port}/?directConnection=true"
        initiate(url)
        yield Servers(url, f"localhost:{kafka_port}", "containers")


def image_of(service: str) -> str:
    """The one that deploy/compose.yaml names: tests and stack are of one version."""
    return str(read_project().services[service]["image"])


def mongo_container() -> DockerContainer:
    """A one-node replica set: testcontainers' own MongoDB container has no option for it."""
    container = DockerContainer(image_of("mongo"))
    container.with_exposed_ports(MONGO_PORT)
    container.with_command(f"mongod --replSet {REPLICA_SET} --bind_ip_all")
    return container


def kafka_container(port: int) -> DockerContainer:
    """Apache Kafka, one node: testcontainers' own Kafka container is for another image.

    Clients are told to come back to `port`, which is therefore the same inside and outside.
    """
    container = DockerContainer(image_of("kafka"))
    container.with_bind_ports(port, port)
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": f"CLIENTS://:{port},CONTROLLER://localhost:29093",
        "ADVERTISED_LISTENERS": f"CLIENTS://localhost:{port}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "INTER_BROKER_LISTENER_NAME": "CLIENTS",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:29093",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    for name, value in settings.items():
        container.with_env(f"KAFKA_{name}", value)
    return container


def initiate(url: str) -> None:
    """Make the node a replica set of its own and wait until it can be written to."""
    member = {"_id": 0, "host": f"localhost:{MONGO_PORT}"}
    config = {"_id": REPLICA_SET, "members": [member]}
    with pymongo.MongoClient[dict[str, object]](url) as client:
        client.admin.command("replSetInitiate", config)
        while not client.admin.command("hello")["isWritablePrimary"]:
            time.sleep(POLL_SECONDS)


def _listens(docker_host: str) -> bool:
    """False for a socket that nobody listens on: the Docker client would leave it open."""
    scheme, _, path = docker_host.partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


@contextmanager
def _given(servers: Servers) -> Iterator[Servers]:
    yield servers
