"""Creates the project's topics and says where existing ones differ; changes none of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
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
        return reports + [_compare(topic, partitions[topic.name]) for topic in present]
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


def _compare(topic: Topic, partitions: int) -> TopicReport:
    if partitions == topic.partitions:
        return TopicReport(topic.name, "present", f"{partitions} partitions")
    detail = f"{partitions} partitions, expected {topic.partitions}"
    return TopicReport(topic.name, "differs", detail)
