"""Which partitions a topic has, asked without subscribing to it and without creating it."""

from aiokafka import AIOKafkaConsumer, TopicPartition


async def partitions_of(consumer: AIOKafkaConsumer, *topics: str) -> list[TopicPartition]:
    """The partitions of `topics`, in order; a topic that does not exist has none.

    Raises KafkaError.
    """
    # A client that has just started is told of no topics by Apache Kafka, and a topic that it asks
    # for by name may be created by that. aiokafka's own `topics()` asks this and keeps the names.
    known = await consumer._client.fetch_all_metadata()
    return [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(known.partitions_for_topic(topic) or ())
    ]
