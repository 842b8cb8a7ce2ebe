"""Servers for the tests in containers of a Docker engine, which may be another machine's."""

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Self

import pymongo
from docker.errors import DockerException, NotFound
from pymongo.errors import PyMongoError
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from deploy.checks.compose import project
from deploy.local import plans
from deploy.local.process import created_at, runs
from tests.support.servers import Servers

MONGO_PORT = 27017
MONGO_STARTED = "Waiting for connections"
REPLICA_SET = "rs0"
KAFKA_PORT, KAFKA_OWN_PORT, KAFKA_QUORUM_PORT = 9092, 9093, 9094
KAFKA_STARTED = "Kafka Server started"
KAFKA_ADDRESS = "/tmp/teddy-kafka-address"
KAFKA_RUN = "/etc/kafka/docker/run"
KAFKA_COMMAND = (
    f"until [ -s {KAFKA_ADDRESS} ]; do sleep 0.1; done; "
    f'export KAFKA_ADVERTISED_LISTENERS="CLIENTS://$(cat {KAFKA_ADDRESS}),'
    f'OWN://localhost:{KAFKA_OWN_PORT}"; exec {KAFKA_RUN}'
)
START_SECONDS = 120
LAST_LINES = 2
POLL_SECONDS = 0.1
REASON_LENGTH = 400
OWNER = "teddy.tests.owner"
"""The label that says whose a container is: machine, process, and when that process began."""

OTHERWISE = (
    f"Stop the engine to let the tests start servers of their own, or name running ones in "
    f"{plans.MONGO_URLS[0]} and {plans.KAFKA_BOOTSTRAP}"
)


class ContainersFailed(Exception):
    """A container did not start; the message says in one line which, why, and what else to do."""


class ServerContainer(DockerContainer):
    """Ready when its log has the text `started`; clients reach what listens on `port` inside."""

    def __init__(self, service: str, port: int, started: str) -> None:
        super().__init__(image_of(service))
        self._port = port
        self._ready = LogMessageWaitStrategy(started)
        self._ready.with_startup_timeout(START_SECONDS).with_poll_interval(POLL_SECONDS)
        self.with_exposed_ports(port)
        self.with_kwargs(labels={OWNER: _owner(os.getpid())})

    @property
    def address(self) -> str:
        """Where clients reach it: the engine's host and the port that it chose there."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(self._port)}"

    def start(self) -> Self:
        """Returns once it is ready. Raises RuntimeError, OSError, DockerException."""
        # Testcontainers would have a container of its own remove this one, were the tests killed:
        # one more image to bring, which is given the engine's socket. Here the next run does it.
        testcontainers_config.ryuk_disabled = True
        super().start()
        self.tell()
        try:
            self._ready.wait_until_ready(self)
        except (RuntimeError, TimeoutError):
            raise RuntimeError(self._last_words()) from None
        return self

    def tell(self) -> None:
        """What it can only be told once it has an address."""

    def _last_words(self) -> str:
        self.reload()
        lines = b"".join(self.get_logs()).decode(errors="replace").split("\n")
        said = [line for line in lines if line.strip()][-LAST_LINES:]
        return f"{self.image} is {self.status} and did not become ready; its log ends: {said}"


class MongoContainer(ServerContainer):
    """A one-node replica set: testcontainers' own MongoDB container has no option for it."""

    def __init__(self) -> None:
        super().__init__("mongo", MONGO_PORT, MONGO_STARTED)
        self.with_command(
            ["mongod", "--replSet", REPLICA_SET, "--bind_ip_all", "--port", str(MONGO_PORT)]
        )

    @property
    def url(self) -> str:
        """Clients do not look for the set's members: those have addresses inside the container."""
        return f"mongodb://{self.address}/?directConnection=true"


class KafkaContainer(ServerContainer):
    """Apache Kafka, one node: testcontainers' own Kafka container is for another image.

    Kafka tells its clients where to come back to, and the engine chooses that port as it starts the
    container. So the container waits for its address before it starts Kafka. Kafka speaks to itself
    on a listener of its own: from inside, the address may lead nowhere.
    """

    def __init__(self) -> None:
        super().__init__("kafka", KAFKA_PORT, KAFKA_STARTED)
        self.with_command(["sh", "-c", KAFKA_COMMAND])
        for name, value in KAFKA_SETTINGS.items():
            self.with_env(f"KAFKA_{name}", value)

    def tell(self) -> None:
        self.copy_into_container(self.address.encode(), KAFKA_ADDRESS)


KAFKA_SETTINGS = {
    "NODE_ID": "1",
    "PROCESS_ROLES": "broker,controller",
    "LISTENERS": f"CLIENTS://:{KAFKA_PORT},OWN://localhost:{KAFKA_OWN_PORT},"
    f"CONTROLLER://localhost:{KAFKA_QUORUM_PORT}",
    "LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:PLAINTEXT,OWN:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "INTER_BROKER_LISTENER_NAME": "OWN",
    "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "CONTROLLER_QUORUM_VOTERS": f"1@localhost:{KAFKA_QUORUM_PORT}",
    "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "AUTO_CREATE_TOPICS_ENABLE": "false",
}


@contextmanager
def container_servers() -> Iterator[Servers]:
    """Both in containers, which are gone behind the block. Raises ContainersFailed."""
    with ExitStack() as containers:
        containers.push(_remove_unknown)
        with _in_one_line("The Docker engine"):
            remove_orphans()
        with _in_one_line("MongoDB"):
            mongo = containers.enter_context(MongoContainer())
            initiate(mongo.url)
        with _in_one_line("Kafka"):
            kafka = containers.enter_context(KafkaContainer())
        yield Servers(mongo.url, kafka.address, "containers")


def image_of(service: str) -> str:
    """The one that deploy/compose.yaml names, pinned where the environment has its digest: tests
    and stack are of one version."""
    image, pin = project.image_of(project.read_project().services[service])
    return image + os.environ.get(pin, "")


def initiate(url: str) -> None:
    """Make the node a replica set of its own and wait until it can be written to.

    Raises PyMongoError, TimeoutError.
    """
    member = {"_id": 0, "host": f"localhost:{MONGO_PORT}"}
    config = {"_id": REPLICA_SET, "members": [member]}
    gives_up = time.monotonic() + START_SECONDS
    with pymongo.MongoClient[dict[str, object]](
        url, serverSelectionTimeoutMS=START_SECONDS * 1_000
    ) as client:
        client.admin.command("replSetInitiate", config)
        while not client.admin.command("hello")["isWritablePrimary"]:
            if time.monotonic() > gives_up:
                raise TimeoutError(f"it is no primary after {START_SECONDS} s")
            time.sleep(POLL_SECONDS)


def remove_orphans() -> None:
    """Those of test runs of this machine that ended without a word. Raises DockerException."""
    _remove(_is_orphaned)


def _remove_unknown(failure: type[BaseException] | None, *_: object) -> None:
    """When a start failed: what was made, and lost sight of before testcontainers knew of it."""
    if failure is ContainersFailed:
        with suppress(DockerException, OSError):
            _remove(_owner(os.getpid()).__eq__)


def _remove(unwanted: Callable[[str], bool]) -> None:
    """All whose owner is `unwanted`."""
    engine = DockerClient().client
    try:
        # sparse: they are not looked at one by one, some of which may be gone by then
        for one in engine.containers.list(all=True, filters={"label": OWNER}, sparse=True):
            if unwanted(one.attrs["Labels"][OWNER]):
                with suppress(NotFound):  # another run may remove it as well
                    one.remove(force=True, v=True)
    finally:
        engine.close()


def _is_orphaned(owner: str) -> bool:
    machine, pid, began = owner.rsplit("/", 2)
    return machine == platform.node() and not runs(int(pid), float(began))


def _owner(pid: int) -> str:
    return f"{platform.node()}/{pid}/{created_at(pid)}"


@contextmanager
def _in_one_line(what: str) -> Iterator[None]:
    try:
        yield
    except (DockerException, OSError, RuntimeError, PyMongoError) as failure:
        reason = " ".join(str(failure).split())
        if len(reason) > REASON_LENGTH:
            reason = f"{reason[:REASON_LENGTH]} ..."
        raise ContainersFailed(
            f"{what} did not start in a container: {reason}. {OTHERWISE}."
        ) from None
