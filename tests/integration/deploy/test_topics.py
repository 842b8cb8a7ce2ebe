"""Topics on a real broker: created when missing, compared when present, never changed."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.topics import apply_topics, restore_topics
from shared.clock import new_id
from shared.kafka import Topic, TopicReport, partitions_of, topic_findings
from tests.support.kafka import REPLICATION

HOUR_MS = 3_600_000


def a_topic(partitions: int = 3, retention_ms: int = HOUR_MS, name: str = "") -> Topic:
    return Topic(name or f"test.{new_id()}", "child_id", partitions, retention_ms)


async def test_applying_twice_creates_once(kafka_bootstrap: str) -> None:
    topic = a_topic()

    first = await apply_topics(kafka_bootstrap, REPLICATION, [topic])
    second = await apply_topics(kafka_bootstrap, REPLICATION, [topic])

    assert first == [TopicReport(topic.name, "created", "3 partitions")]
    assert second == [TopicReport(topic.name, "present", "3 partitions")]


async def test_another_number_of_partitions_and_another_retention_are_reported(
    kafka_bootstrap: str,
) -> None:
    # given a topic
    topic = a_topic()
    await apply_topics(kafka_bootstrap, REPLICATION, [topic])

    # when another shape of it is wanted
    wanted = a_topic(partitions=6, retention_ms=-1, name=topic.name)
    (report,) = await apply_topics(kafka_bootstrap, REPLICATION, [wanted])

    # then every difference is told, and it is as it was
    reported = "3 partitions, expected 6; retention.ms is 3600000, expected -1"
    assert report == TopicReport(topic.name, "differs", reported)
    (unchanged,) = await apply_topics(kafka_bootstrap, REPLICATION, [topic])
    assert unchanged.state == "present"


async def test_a_mixture_of_missing_and_present_topics_is_reported_in_full(
    kafka_bootstrap: str,
) -> None:
    present, missing = a_topic(), a_topic()
    await apply_topics(kafka_bootstrap, REPLICATION, [present])

    reports = await apply_topics(kafka_bootstrap, REPLICATION, [present, missing])

    assert {report.name: report.state for report in reports} == {
        present.name: "present",
        missing.name: "created",
    }


async def test_a_topic_that_was_made_up_with_too_few_partitions_gets_the_others(
    kafka_bootstrap: str,
) -> None:
    made_up = a_topic(partitions=1)
    wanted = a_topic(name=made_up.name)
    await apply_topics(kafka_bootstrap, REPLICATION, [made_up])

    await restore_topics(kafka_bootstrap, REPLICATION, [wanted])
    await restore_topics(kafka_bootstrap, REPLICATION, [wanted])

    (report,) = await apply_topics(kafka_bootstrap, REPLICATION, [wanted])
    assert report == TopicReport(wanted.name, "present", "3 partitions")


async def test_partitions_are_told_to_a_new_client_and_a_missing_topic_is_not_created(
    kafka_bootstrap: str,
) -> None:
    present, missing = a_topic(), a_topic()
    await apply_topics(kafka_bootstrap, REPLICATION, [present])
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap)
    await consumer.start()

    found = await partitions_of(consumer, missing.name, present.name)
    known = await consumer.topics()
    await consumer.stop()

    assert found == [TopicPartition(present.name, number) for number in range(3)]
    assert missing.name not in known


async def test_what_is_missing_or_not_as_planned_is_a_finding(kafka_bootstrap: str) -> None:
    # given
    as_planned, other, missing = a_topic(), a_topic(), a_topic()
    await apply_topics(kafka_bootstrap, REPLICATION, [as_planned, other])
    wanted = a_topic(partitions=6, name=other.name)
    # when
    findings = await topic_findings(kafka_bootstrap, [as_planned, wanted, missing])
    # then
    assert findings == (
        f"topic {missing.name} is missing: run `teddy topics apply`",
        f"topic {other.name} has 3 partitions, expected 6",
    )
