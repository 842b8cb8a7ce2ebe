"""What waits is committed by nobody, and nobody else waits for it."""

from aiokafka import TopicPartition

from projection_worker.consuming.kafka_clients import WaitingRecords
from projection_worker.records import Delivered, RawRecord

FIRST, OTHER = TopicPartition("events", 0), TopicPartition("events", 1)


class Fetched:
    """As a consumer hands it out, of which only the offset counts."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


def record(place: TopicPartition, offset: int) -> Delivered:
    raw = RawRecord(place.topic, place.partition, offset, b"mia", b"{}", ())
    return Delivered("mia", "partition-0", raw, None)


def test_a_partition_is_done_up_to_the_first_record_that_waits() -> None:
    waiting = WaitingRecords()
    waiting.fetched({FIRST: [Fetched(4), Fetched(9)], OTHER: [Fetched(7)]})

    waiting.records = (record(FIRST, 8), record(FIRST, 5))

    assert waiting.begins() == {FIRST: 5}
    assert waiting.offsets() == {FIRST: 5, OTHER: 8}


def test_what_was_read_meanwhile_is_done_with_as_soon_as_nothing_waits() -> None:
    # given a record that waits, and others that were read behind it
    waiting = WaitingRecords()
    waiting.fetched({FIRST: [Fetched(4)]})
    waiting.records = (record(FIRST, 4),)
    waiting.committed()
    waiting.fetched({FIRST: [Fetched(5), Fetched(6)]})
    assert waiting.offsets() == {FIRST: 4}
    # when
    waiting.records = ()
    # then
    assert waiting.offsets() == {FIRST: 7}
    waiting.committed()
    assert waiting.offsets() == {}


def test_what_waits_in_a_partition_that_is_given_away_is_the_other_workers() -> None:
    waiting = WaitingRecords()
    waiting.fetched({FIRST: [Fetched(4)], OTHER: [Fetched(7)]})
    waiting.records = (record(FIRST, 4), record(OTHER, 7))

    waiting.revoked({FIRST})

    assert [one.raw.partition for one in waiting.records] == [OTHER.partition]
    assert waiting.offsets() == {OTHER: 7}


def test_a_partition_that_begins_anew_is_never_committed_beyond_what_was_read() -> None:
    # given a topic that lost its records while one of them waits
    waiting = WaitingRecords()
    waiting.records = (record(FIRST, 900),)

    waiting.fetched({FIRST: [Fetched(0)]})

    assert waiting.offsets() == {FIRST: 1}
