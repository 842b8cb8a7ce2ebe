"""Three nodes of Apache Kafka on this machine, each of which a test may kill and start again."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from deploy.local.apache_kafka.installation import Installation
from deploy.local.apache_kafka.node import (
    Node,
    NodeFolder,
    format_command,
    new_cluster_id,
    run_command,
)
from deploy.local.plans import LOOPBACK, free_port
from deploy.local.process import end_with_parent
from shared.kafka import Topic

STOP_SECONDS = 60.0


class BrokerFailed(Exception):
    """A broker or Kafka's storage tool ended by itself; the message has the end of its log."""


class Broker:
    """Its records outlive its end: started again, it has what it had written."""

    def __init__(
        self, node: Node, quorum: Sequence[Node], kafka: Installation, folder: Path
    ) -> None:
        self.node = node
        self._kafka = kafka
        self._log = folder / f"broker-{node.number}.log"
        self._folder = NodeFolder(folder / f"broker-{node.number}")
        self._folder.write_properties(node, quorum)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def format(self, cluster_id: str) -> None:
        """Prepare its empty folder. Raises BrokerFailed."""
        process = await self._run(format_command(self._kafka, cluster_id))
        if await process.wait():
            raise BrokerFailed(self.last_words())

    async def start(self) -> None:
        """Returns at once; the cluster knows when it is ready."""
        assert not self.runs
        self._process = await self._run(run_command(self._kafka))

    async def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        if self._process is not None and self.runs:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM: it hands its partitions over before it ends."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            await self._process.wait()

    def last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f"the end of {self._log}:", *lines])

    async def _run(self, command: Sequence[str]) -> asyncio.subprocess.Process:
        return await start_java(command, self._log, self._folder.path)


async def start_java(command: Sequence[str], log: Path, cwd: Path) -> asyncio.subprocess.Process:
    """A program of Kafka's; what it says is added to `log`. It ends with this process."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # not SIGTERM: without a quorum a broker would wait minutes to end in order
            preexec_fn=partial(end_with_parent, signal.SIGKILL),
        )


NODES = 3
READY_SECONDS = 120.0
POLL_SECONDS = 0.1
ANSWER_MS = 3_000


@dataclass(frozen=True, slots=True)
class Partition:
    """Who leads it (-1: nobody), who keeps copies, and whose copies are complete."""

    leader: int
    replicas: frozenset[int]
    in_sync: frozenset[int]

    @property
    def whole(self) -> bool:
        return self.leader in self.in_sync and self.in_sync == self.replicas


@dataclass(frozen=True, slots=True)
class Layout:
    """The cluster as one of its brokers sees it: brokers that are up, partitions by topic."""

    brokers: frozenset[int]
    partitions: Mapping[tuple[str, int], Partition]


class KafkaCluster:
    def __init__(self, kafka: Installation, folder: Path) -> None:
        ports: list[int] = []
        for _ in range(2 * NODES):
            ports.append(free_port(None, taken=ports))
        numbers = range(1, NODES + 1)
        nodes = [Node(n, ports.pop(), ports.pop()) for n in numbers]
        self._brokers = {node.number: Broker(node, nodes, kafka, folder) for node in nodes}
        self.numbers = frozenset(numbers)
        self.bootstrap = ",".join(node.address for node in nodes)

    async def start_new(self) -> None:
        """Make the cluster and wait until it is whole. Raises BrokerFailed, TimeoutError."""
        cluster_id = new_cluster_id()
        await asyncio.gather(*(broker.format(cluster_id) for broker in self._brokers.values()))
        await self.repair()

    async def repair(self) -> None:
        """Start every broker that is down and wait until the cluster is whole."""
        await self.start(*(n for n, broker in self._brokers.items() if not broker.runs))

    async def kill(self, *numbers: int) -> None:
        """SIGKILL, all of them at the same time."""
        await asyncio.gather(*(self._brokers[number].kill() for number in numbers))

    async def stop(self, number: int) -> None:
        """SIGTERM, as for a restart that was planned."""
        await self._brokers[number].stop()

    async def start(self, *numbers: int) -> None:
        """Start these, and wait until all are up and every partition has all its copies."""
        for number in numbers:
            await self._brokers[number].start()
        async with asyncio.timeout(READY_SECONDS):
            while not await self.is_whole():
                self._check_alive()
                await asyncio.sleep(POLL_SECONDS)

    async def is_whole(self) -> bool:
        """Each broker is asked: one that has just started may be taken for its former self."""
        asked = [self.seen_by(number) for number in self._brokers]
        layouts = await asyncio.gather(*asked, return_exceptions=True)
        for layout in layouts:
            if isinstance(layout, BaseException):
                if not isinstance(layout, (KafkaError, OSError)):
                    raise layout
                return False
            up = layout.brokers == self._brokers.keys()
            if not up or not all(partition.whole for partition in layout.partitions.values()):
                return False
        return True

    async def demand_copies(self, topic: Topic, copies: int) -> None:
        """Let `topic` take a record only while so many of its copies are complete."""
        configs = {**topic.configs(), "min.insync.replicas": str(copies)}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            wanted = ConfigResource(ConfigResourceType.TOPIC, topic.name, configs)
            for answer in await admin.alter_configs([wanted]):
                for code, *_ in answer.resources:
                    if code:
                        raise for_code(code)
        finally:
            await admin.close()

    async def leader_of(self, topic: str, partition: int = 0) -> int:
        layout = await self.seen_by(next(n for n, b in self._brokers.items() if b.runs))
        return layout.partitions[topic, partition].leader

    async def until_in_sync(self, topic: str, copies: int) -> None:
        """Wait until each partition of `topic` has so many complete copies."""
        alive = next(n for n, broker in self._brokers.items() if broker.runs)
        async with asyncio.timeout(READY_SECONDS):
            while True:
                partitions = (await self.seen_by(alive)).partitions.items()
                found = [len(part.in_sync) for (name, _), part in partitions if name == topic]
                if set(found) == {copies}:
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def seen_by(self, number: int) -> Layout:
        """The layout as broker `number` tells it. Raises KafkaError, OSError."""
        port = self._brokers[number].node.port
        connection = await create_conn(LOOPBACK, port, request_timeout_ms=ANSWER_MS)
        try:
            reported = await connection.send(MetadataRequest(None, allow_auto_topic_creation=False))
        finally:
            connection.close()
        return Layout(
            frozenset(broker_id for broker_id, *_ in reported.brokers),
            {
                (topic, number): Partition(leader, frozenset(replicas), frozenset(in_sync))
                for _, topic, _, partitions in reported.topics
                for _, number, leader, replicas, in_sync, *_ in partitions
            },
        )

    def _check_alive(self) -> None:
        for broker in self._brokers.values():
            if not broker.runs:
                raise BrokerFailed(broker.last_words())


@asynccontextmanager
async def kafka_cluster(kafka: Installation, folder: Path) -> AsyncIterator[KafkaCluster]:
    """A new cluster that is whole; none of its processes outlives the block."""
    cluster = KafkaCluster(kafka, folder)
    try:
        await cluster.start_new()
        yield cluster
    finally:
        await cluster.kill(*cluster.numbers)
