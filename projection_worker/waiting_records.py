"""Records of children who have much to catch up, held back while everybody else goes on.

A child whose read models lack thousands of events gets them part by part, one with each batch.
Until then its records come again with every batch. Offsets are committed up to the first record
that waits: whoever takes the partition over reads it again, and the gates drop what was done.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition

from projection_worker.delivery import Delivered

Batch = Mapping[TopicPartition, Sequence[Any]]


class WaitingRecords:
    def __init__(self) -> None:
        self.records: tuple[Delivered, ...] = ()
        self._read: dict[TopicPartition, int] = {}

    def fetched(self, batch: Batch) -> None:
        """These records were read behind all others of their partitions."""
        self._read |= {partition: part[-1].offset + 1 for partition, part in batch.items()}

    def begins(self) -> dict[TopicPartition, int]:
        """Where the first record waits, by partition."""
        first: dict[TopicPartition, int] = {}
        for one in self.records:
            place = _place(one)
            first[place] = min(one.raw.offset, first.get(place, one.raw.offset))
        return first

    def offsets(self) -> dict[TopicPartition, int]:
        """Up to where each partition that was read is done."""
        begins = self.begins()
        return {place: min(read, begins.get(place, read)) for place, read in self._read.items()}

    def committed(self) -> None:
        """What has nothing waiting is done with."""
        begins = self.begins()
        self._read = {place: read for place, read in self._read.items() if place in begins}

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Another worker reads them."""
        self.records = tuple(one for one in self.records if _place(one) not in partitions)
        for partition in partitions:
            self._read.pop(partition, None)


def _place(record: Delivered) -> TopicPartition:
    return TopicPartition(record.raw.topic, record.raw.partition)
