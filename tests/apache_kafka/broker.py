"""One node of Apache Kafka in KRaft mode: broker and controller in one process."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.local.plans import LOOPBACK
from deploy.local.process import end_with_parent

REPLICAS = 3
MIN_INSYNC_REPLICAS = 2
STOP_SECONDS = 60.0

# Small heaps, and a compiler and a collector that leave the two cores to what is tested.
JVM = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
LOG = ("-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.logFile=System.out")


class BrokerFailed(Exception):
    """A broker or Kafka's storage tool ended by itself; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Node:
    """Where a node listens: to clients on `port`, to the other controllers on `quorum_port`."""

    number: int
    port: int
    quorum_port: int

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"


class Broker:
    """Its records outlive its end: started again, it has what it had written."""

    def __init__(self, node: Node, quorum: Sequence[Node], jars: Path, folder: Path) -> None:
        self.node = node
        self._jars = jars
        self._log = folder / f"broker-{node.number}.log"
        self._properties = folder / f"broker-{node.number}.properties"
        lines = properties(node, quorum, folder / f"data-{node.number}").items()
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in lines))
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def format(self, cluster_id: str) -> None:
        """Prepare its empty folder. Raises BrokerFailed."""
        arguments = ("format", "--cluster-id", cluster_id, "--config", str(self._properties))
        process = await self._java("kafka.tools.StorageTool", *arguments)
        if await process.wait():
            raise BrokerFailed(self.last_words())

    async def start(self) -> None:
        """Returns at once; the cluster knows when it is ready."""
        assert not self.runs
        self._process = await self._java("kafka.Kafka", str(self._properties))

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

    async def _java(self, main: str, *arguments: str) -> asyncio.subprocess.Process:
        return await start_java(self._jars, self._log, main, *arguments)


async def start_java(
    jars: Path, log: Path, main: str, *arguments: str
) -> asyncio.subprocess.Process:
    """A program of Kafka's; what it says is added to `log`. It ends with this process."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            "java",
            *(*JVM, *LOG, "-cp", f"{jars}/*", main, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # not SIGTERM: without a quorum a broker would wait minutes to end in order
            preexec_fn=partial(end_with_parent, signal.SIGKILL),
        )


def properties(node: Node, quorum: Sequence[Node], data: Path) -> Mapping[str, object]:
    """As shipped, but for addresses, and replication as production has it."""
    return {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": ",".join(
            f"{one.number}@{LOOPBACK}:{one.quorum_port}" for one in quorum
        ),
        "listeners": f"PLAINTEXT://{node.address},CONTROLLER://{LOOPBACK}:{node.quorum_port}",
        "advertised.listeners": f"PLAINTEXT://{node.address}",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "default.replication.factor": REPLICAS,
        "min.insync.replicas": MIN_INSYNC_REPLICAS,
        "unclean.leader.election.enable": "false",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": REPLICAS,
        "transaction.state.log.replication.factor": REPLICAS,
        "transaction.state.log.min.isr": MIN_INSYNC_REPLICAS,
        # fifty would be more files and elections than two cores have time for
        "offsets.topic.num.partitions": 6,
        "transaction.state.log.num.partitions": 3,
    }
