"""Topics on a real broker: created when missing, compared when present, never changed."""

from deploy.topics import TopicReport, apply_topics
from shared.clock import new_id
from shared.topics import Topic

HOUR_MS = 3_600_000


def a_topic(partitions: int = 3, retention_ms: int = HOUR_MS, name: str = "") -> Topic:
    return Topic(name or f"test.{new_id()}", "child_id", partitions, retention_ms)


async def test_applying_twice_creates_once(kafka_bootstrap: str) -> None:
    topic = a_topic()

    first = await apply_topics(kafka_bootstrap, 1, [topic])
    second = await apply_topics(kafka_bootstrap, 1, [topic])

    assert first == [TopicReport(topic.name, "created", "3 partitions")]
    assert second == [TopicReport(topic.name, "present", "3 partitions")]


async def test_another_number_of_partitions_and_another_retention_are_told(
    kafka_bootstrap: str,
) -> None:
    # given a topic
    topic = a_topic()
    await apply_topics(kafka_bootstrap, 1, [topic])

    # when another shape of it is wanted
    wanted = a_topic(partitions=6, retention_ms=-1, name=topic.name)
    (report,) = await apply_topics(kafka_bootstrap, 1, [wanted])

    # then every difference is told, and it is as it was
    told = "3 partitions, expected 6; retention.ms is 3600000, expected -1"
    assert report == TopicReport(topic.name, "differs", told)
    (unchanged,) = await apply_topics(kafka_bootstrap, 1, [topic])
    assert unchanged.state == "present"


async def test_a_mixture_of_missing_and_present_topics_is_reported_in_full(
    kafka_bootstrap: str,
) -> None:
    present, missing = a_topic(), a_topic()
    await apply_topics(kafka_bootstrap, 1, [present])

    reports = await apply_topics(kafka_bootstrap, 1, [present, missing])

    assert {report.name: report.state for report in reports} == {
        present.name: "present",
        missing.name: "created",
    }
