"""Creates the project's topics and says where existing ones differ; changes none of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.kafka import Servers, client_options
from shared.topics import ALL_TOPICS, Topic

HEARD_SECONDS, POLL_SECONDS = 10.0, 0.1


@dataclass(frozen=True, slots=True)
class TopicReport:
    """`state`: `created`, `present`, or `differs` with what is different in `detail`."""

    name: str
    state: str
    detail: str = ""


async def apply_topics(
    bootstrap: Servers, replication: int, topics: Sequence[Topic] = ALL_TOPICS
) -> list[TopicReport]:
    """Create what is missing; repeating it changes nothing. Raises KafkaError, TimeoutError."""
    async with _admin_of(bootstrap) as admin:
        known = await admin.list_topics()
        missing = [topic for topic in topics if topic.name not in known]
        created = [topic for topic in missing if await _create(admin, topic, replication)]
        present = [topic for topic in topics if topic not in created]
        return [_created(topic) for topic in created] + await _compared(admin, present)


async def restore_topics(
    bootstrap: Servers, replication: int, topics: Sequence[Topic] = ALL_TOPICS
) -> None:
    """As `apply_topics`, and topics with too few partitions get the others. Raises the same.

    For a broker that forgets topics and makes them up, with one partition, for whoever asks first.
    """
    await apply_topics(bootstrap, replication, topics)
    async with _admin_of(bootstrap) as admin:
        described = await admin.describe_topics([topic.name for topic in topics])
        partitions = {found["topic"]: len(found["partitions"]) for found in described}
        short = [topic for topic in topics if partitions[topic.name] < topic.partitions]
        if short:
            await admin.create_partitions({t.name: NewPartitions(t.partitions) for t in short})


@asynccontextmanager
async def _admin_of(bootstrap: Servers) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def _created(topic: Topic) -> TopicReport:
    return TopicReport(topic.name, "created", f"{topic.partitions} partitions")


async def _create(admin: AIOKafkaAdminClient, topic: Topic, replication: int) -> bool:
    """False when it is there already: somebody was quicker, or the broker that was asked for all
    topics had not yet heard of it."""
    new = NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.configs())
    response = await admin.create_topics([new])
    for _, code, *rest in response.topic_errors:
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            return False
        if code:
            raise error(f"{topic.name}: {rest[0] if rest else code}")
    return True


async def _compared(admin: AIOKafkaAdminClient, present: Sequence[Topic]) -> list[TopicReport]:
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
