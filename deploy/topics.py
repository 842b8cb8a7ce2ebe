"""Creates the project's topics and says where existing ones differ; changes none of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.topics import ALL_TOPICS, Topic


@dataclass(frozen=True, slots=True)
class TopicReport:
    """`state`: `created`, `present`, or `differs` with what is different in `detail`."""

    name: str
    state: str
    detail: str = ""


async def apply_topics(
    bootstrap: str, replication: int, topics: Sequence[Topic] = ALL_TOPICS
) -> list[TopicReport]:
    """Create what is missing; repeating it changes nothing. Raises KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        known = await admin.list_topics()
        missing = [topic for topic in topics if topic.name not in known]
        reports = [await _create(admin, topic, replication) for topic in missing]
        present = [topic for topic in topics if topic.name in known]
        described = await admin.describe_topics([topic.name for topic in present])
        partitions = {found["topic"]: len(found["partitions"]) for found in described}
        configs = await _configs(admin, [topic.name for topic in present])
        return reports + [_compare(t, partitions[t.name], configs[t.name]) for t in present]
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topic: Topic, replication: int) -> TopicReport:
    new = NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.configs())
    response = await admin.create_topics([new])
    for _, code, *rest in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(f"{topic.name}: {rest[0] if rest else code}")
    return TopicReport(topic.name, "created", f"{topic.partitions} partitions")


async def _configs(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Every config of each topic by name, defaults of the broker included."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    responses = await admin.describe_configs(wanted) if wanted else []
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
