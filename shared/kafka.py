"""Kafka: the topics, whether a broker has them so, and how every client is configured."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the project creates it. `retention_ms` of -1 keeps records for ever; `compacted`:
    of each key the last one is kept."""

    name: str
    key: str
    partitions: int
    retention_ms: int
    compacted: bool = False

    def configs(self) -> dict[str, str]:
        policy = "compact" if self.compacted else "delete"
        return {"cleanup.policy": policy, "retention.ms": str(self.retention_ms)}


CHILD_EVENTS = Topic("teddy.child.events.v1", "child_id", 12, -1)
CHILD_ALERTS = Topic("teddy.child.alerts.v1", "parent_id", 6, 30 * DAY_MS)
READ_MODEL_CHANGES = Topic("teddy.readmodel.changes.v1", "child_id", 6, 3_600_000)
DEAD_LETTERS = Topic("teddy.child.deadletter.v1", "child_id", 6, -1)

CHILD_ERASURES = Topic("teddy.child.erasures.v1", "child_id", 1, -1, compacted=True)

ALL_TOPICS = (CHILD_EVENTS, CHILD_ALERTS, READ_MODEL_CHANGES, DEAD_LETTERS, CHILD_ERASURES)

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaServers:
    """`ca_file`: PEM of the authority that signed the brokers' certificates; None: the system's.
    `long_polling`: the brokers hold an empty fetch open, as Apache Kafka does."""

    bootstrap: str
    security: Security = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    long_polling: bool = True

    def tls(self) -> ssl.SSLContext | None:
        """What a client checks the brokers by; None without TLS. Raises OSError for the file."""
        if not self.security.endswith("SSL"):
            return None
        return ssl.create_default_context(cafile=self.ca_file)


Servers = KafkaServers | str
"""A bare bootstrap address is that of brokers without TLS and without users."""


def client_options(servers: Servers) -> dict[str, Any]:
    """Arguments of every aiokafka client. Raises OSError when the CA file cannot be used."""
    if isinstance(servers, str):
        return {"bootstrap_servers": servers}
    options: dict[str, Any] = {
        "bootstrap_servers": servers.bootstrap,
        "security_protocol": servers.security,
        "ssl_context": servers.tls(),
    }
    if servers.security.startswith("SASL"):
        options |= {
            "sasl_mechanism": servers.mechanism,
            "sasl_plain_username": servers.user,
            "sasl_plain_password": servers.password,
        }
    return options


async def partitions_of(consumer: AIOKafkaConsumer, *topics: str) -> list[TopicPartition]:
    """The partitions of `topics`, in order; a topic that does not exist has none.

    Raises KafkaError.
    """
    # Apache Kafka reports no topics to a client that has just started, and a topic that it asks
    # for by name may be created by that. aiokafka's own `topics()` asks this and keeps the names.
    known = await consumer._client.fetch_all_metadata()
    return [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(known.partitions_for_topic(topic) or ())
    ]


Batches = Mapping[TopicPartition, Sequence[Any]]

WAIT_MS = 200
"""The longest wait for records; then the caller looks around whether it is to stop."""

FETCH_MS = 5
PAUSE_SECONDS = 0.03


class Polling:
    """How records are fetched from these brokers.

    Apache Kafka answers a fetch once there is something to send (long polling); aiokafka fetches
    ahead and costs nothing while nothing arrives. A broker that answers at once, as the light one
    of the local stack does, would be asked thousands of times a second: there partitions are paused
    outside of `fetch`, so that aiokafka asks for nothing.
    """

    def __init__(self, servers: Servers) -> None:
        self._is_paced = isinstance(servers, KafkaServers) and not servers.long_polling

    async def fetch(self, consumer: AIOKafkaConsumer, most: int | None = None) -> Batches:
        """What has arrived in the assigned partitions, at most `most` records; empty after a
        while when nothing has."""
        batches: Batches
        if not self._is_paced:
            batches = await consumer.getmany(timeout_ms=WAIT_MS, max_records=most)
            return batches
        assigned = consumer.assignment()
        consumer.resume(*assigned)
        try:
            batches = await consumer.getmany(timeout_ms=FETCH_MS, max_records=most)
        finally:
            consumer.pause(*(assigned & consumer.assignment()))
        if not batches:
            await asyncio.sleep(PAUSE_SECONDS)
        return batches


KNOWN_SECONDS, POLL_SECONDS = 30.0, 0.1
MISSING = "is missing: run `teddy topics apply`"


@dataclass(frozen=True, slots=True)
class TopicReport:
    """`state`: `created`, `present`, `missing`, or `differs` with what is different in `detail`."""

    name: str
    state: str
    detail: str = ""


async def topic_findings(servers: Servers, topics: Sequence[Topic] = ALL_TOPICS) -> tuple[str, ...]:
    """A line for each topic that is missing or not as planned. Raises KafkaError, TimeoutError."""
    async with admin_of(servers) as admin:
        known = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in known]
        compared = await compare_topics(admin, [topic for topic in topics if topic.name in known])
    lines = [f"topic {topic.name} {MISSING}" for topic in missing]
    lines += [f"topic {one.name} has {one.detail}" for one in compared if one.state == "differs"]
    return tuple(lines)


@asynccontextmanager
async def admin_of(servers: Servers) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(servers))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def compare_topics(admin: AIOKafkaAdminClient, present: Sequence[Topic]) -> list[TopicReport]:
    """Asks again while the broker that is asked does not know a topic yet."""
    if not present:
        return []
    names = [topic.name for topic in present]
    async with asyncio.timeout(KNOWN_SECONDS):
        while True:
            described = await admin.describe_topics(names)
            configs = await _configs(admin, names)
            if all(not found["error_code"] and configs[found["topic"]] for found in described):
                break
            await asyncio.sleep(POLL_SECONDS)
    partitions = {found["topic"]: len(found["partitions"]) for found in described}
    return [_compare(t, partitions[t.name], configs[t.name]) for t in present]


async def _configs(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Every config of each topic by name, defaults of the broker included."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    responses = await admin.describe_configs(wanted)
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for response in responses
        for _code, _message, _type, name, entries in response.resources
    }


def _compare(topic: Topic, partitions: int, configs: Mapping[str, str]) -> TopicReport:
    differences = [
        f"{config} is {configs.get(config)}, expected {value}"
        for config, value in topic.configs().items()
        if configs.get(config) != value
    ]
    if partitions != topic.partitions:
        differences.insert(0, f"{partitions} partitions, expected {topic.partitions}")
    if differences:
        return TopicReport(topic.name, "differs", "; ".join(differences))
    return TopicReport(topic.name, "present", f"{partitions} partitions")
