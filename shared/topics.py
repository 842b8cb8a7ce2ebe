"""The topics of Kafka, and where those of a broker differ from them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.kafka import ALL_TOPICS, Servers, Topic, client_options

HEARD_SECONDS, POLL_SECONDS = 30.0, 0.1
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
    """Asks again while the broker that is asked has not yet heard of a topic."""
    if not present:
        return []
    names = [topic.name for topic in present]
    async with asyncio.timeout(HEARD_SECONDS):
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
