"""A node of Apache Kafka in KRaft mode: broker and controller in one process."""

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.apache_kafka.installation import Installation

LOOPBACK = "127.0.0.1"
PROPERTIES = "server.properties"
DATA = "log"
FORMATTED = "meta.properties"
MOST_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Node:
    """Where a node listens: to clients on `port`, to controllers on `quorum_port`."""

    number: int
    port: int
    quorum_port: int

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """The working folder of a node; its processes run in it, so that no path has to be escaped."""

    path: Path

    @property
    def is_formatted(self) -> bool:
        return (self.path / DATA / FORMATTED).exists()

    def write_properties(self, node: Node, quorum: Sequence[Node]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        lines = (f"{name}={value}\n" for name, value in properties(node, quorum).items())
        (self.path / PROPERTIES).write_text("".join(lines))


def format_command(kafka: Installation, cluster_id: str) -> tuple[str, ...]:
    """Prepares the data of a new node; to be run in its folder, once."""
    return kafka.command(
        "kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config", PROPERTIES
    )


def run_command(kafka: Installation) -> tuple[str, ...]:
    """Runs the node of the folder that it is started in."""
    return kafka.command("kafka.Kafka", PROPERTIES)


def new_cluster_id() -> str:
    """16 random bytes as Kafka writes them; the first character may not be a dash."""
    return "T" + urlsafe_b64encode(secrets.token_bytes(16)).decode()[1:22]


def properties(node: Node, quorum: Sequence[Node]) -> Mapping[str, object]:
    """As shipped, but for addresses, and replication as production has it where nodes allow."""
    replicas = min(len(quorum), MOST_REPLICAS)
    in_sync = max(replicas - 1, 1)
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
        "log.dirs": DATA,
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "unclean.leader.election.enable": "false",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        # fifty would be more files and elections than two cores have time for
        "offsets.topic.num.partitions": 6,
        "transaction.state.log.num.partitions": 3,
        # a group's first member need not wait three seconds for others
        "group.initial.rebalance.delay.ms": 0,
    }
