"""Creates the project's topics and says where existing ones differ; changes none of them."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.kafka import ALL_TOPICS, Servers, Topic, TopicReport, admin_of, compare_topics


async def apply_topics(
    bootstrap: Servers, replication: int, topics: Sequence[Topic] = ALL_TOPICS
) -> list[TopicReport]:
    """Create what is missing; repeating it changes nothing. On return the broker lists all of
    them. Raises KafkaError, TimeoutError."""
    async with admin_of(bootstrap) as admin:
        known = await admin.list_topics()
        missing = [topic for topic in topics if topic.name not in known]
        created = [
            TopicReport(topic.name, "created", f"{topic.partitions} partitions")
            for topic in missing
            if await _create(admin, topic, replication)
        ]
        compared = await compare_topics(admin, topics)  # waits until the broker lists them
        names = {report.name for report in created}
        return created + [report for report in compared if report.name not in names]


async def restore_topics(
    bootstrap: Servers, replication: int, topics: Sequence[Topic] = ALL_TOPICS
) -> None:
    """As `apply_topics`, and topics with too few partitions get the others. Raises the same.

    For a broker that forgets topics and makes them up, with one partition, at the first request.
    """
    await apply_topics(bootstrap, replication, topics)
    async with admin_of(bootstrap) as admin:
        described = await admin.describe_topics([topic.name for topic in topics])
        partitions = {found["topic"]: len(found["partitions"]) for found in described}
        short = [topic for topic in topics if partitions[topic.name] < topic.partitions]
        if short:
            await admin.create_partitions({t.name: NewPartitions(t.partitions) for t in short})


async def _create(admin: AIOKafkaAdminClient, topic: Topic, replication: int) -> bool:
    """False when it is there already: another process was quicker, or the broker that listed the
    topics did not know it yet."""
    new = NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.configs())
    response = await admin.create_topics([new])
    for _, code, *rest in response.topic_errors:
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            return False
        if code:
            raise error(f"{topic.name}: {rest[0] if rest else code}")
    return True
