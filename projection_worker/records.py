"""Records as a transport hands them over, as they wait, and as they are dead-lettered: byte
for byte, and why."""

import asyncio
import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from shared.event_store.envelope import RecordedEvent
from shared.serialization.cloud_events import from_record
from shared.serialization.schema import UndecodableEvent


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as it arrived, kept byte for byte in case it has to be dead-lettered."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def identity(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Delivered:
    """One record of a batch. `event` is None when it could not be read; `problem` says why.

    `shard` names the document that system counters of this record go to: one a partition, so that
    workers never contend."""

    child_id: str
    shard: str
    raw: RawRecord
    event: RecordedEvent | None
    problem: Exception | None = None


def deliver(raw: RawRecord) -> Delivered:
    """Read a record's envelope; the event's content is decoded later, with the child's key."""
    shard = f"partition-{raw.partition}"
    child_id = (raw.key or b"").decode("utf-8", "replace")
    try:
        event = from_record(raw.value, raw.headers)
    except UndecodableEvent as error:
        return Delivered(child_id, shard, raw, None, error)
    if event.child_id != child_id:
        reason = UndecodableEvent("the record's key is not its ce_subject")
        return Delivered(child_id, shard, raw, None, reason)
    return Delivered(child_id, shard, raw, event)


def raw_record(record: Any) -> RawRecord:
    """What an aiokafka consumer hands out. Kafka knows headers without a value, CloudEvents does
    not: theirs is empty."""
    headers = tuple((name, value or b"") for name, value in record.headers)
    return RawRecord(
        record.topic, record.partition, record.offset, record.key, record.value, headers
    )


Batch = Mapping[TopicPartition, Sequence[Any]]


def begins(batch: Batch) -> dict[TopicPartition, int]:
    """The first offset of each partition in `batch`."""
    return {partition: part[0].offset for partition, part in batch.items()}


def earliest(*offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """The lowest offset of each partition."""
    found: dict[TopicPartition, int] = {}
    for each in offsets:
        for partition, offset in each.items():
            found[partition] = min(offset, found.get(partition, offset))
    return found


class FetchedRecords:
    """Records that were fetched while a batch was projected: the next batch. At most `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._parts: dict[TopicPartition, list[Any]] = {}
        self._changed = asyncio.Event()

    @property
    def room(self) -> int:
        """How many more there may be."""
        return self.limit - sum(len(part) for part in self._parts.values())

    def begins(self) -> dict[TopicPartition, int]:
        return begins(self._parts)

    def add(self, batch: Batch) -> None:
        for partition, records in batch.items():
            self._parts.setdefault(partition, []).extend(records)
        self._changed.set()

    def take(self, most: int) -> Batch:
        """So many of them at most, the oldest of each partition first."""
        taken: dict[TopicPartition, Sequence[Any]] = {}
        for partition, part in list(self._parts.items()):
            if most <= 0:
                break
            taken[partition] = part[:most]
            most -= len(taken[partition])
            self._parts[partition] = part[len(taken[partition]) :]
        self._parts = {partition: part for partition, part in self._parts.items() if part}
        if taken:
            self._changed.set()
        return taken

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Another worker reads them."""
        for partition in partitions:
            self._parts.pop(partition, None)
        self._changed.set()

    async def changed(self) -> None:
        """Wait until some are added, taken or forgotten."""
        self._changed.clear()
        await self._changed.wait()


class WaitingRecords:
    """A child whose read models lack thousands of events gets them part by part, one with each
    batch. Until then its records come again with every batch, while everybody else goes on. Offsets
    are committed up to the first record that waits: whoever takes the partition over reads it
    again, and the checkpoints drop what was done."""

    def __init__(self) -> None:
        self.records: tuple[Delivered, ...] = ()
        self._read: dict[TopicPartition, int] = {}

    def fetched(self, batch: Batch) -> None:
        """These records were read behind all others of their partitions."""
        self._read |= {partition: part[-1].offset + 1 for partition, part in batch.items()}

    def begins(self) -> dict[TopicPartition, int]:
        """Where the first record waits, by partition."""
        return earliest(*({_place(one): one.raw.offset} for one in self.records))

    def offsets(self) -> dict[TopicPartition, int]:
        """Up to where each partition that was read is done."""
        begins = self.begins()
        return {place: min(read, begins.get(place, read)) for place, read in self._read.items()}

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Another worker reads them."""
        self.records = tuple(one for one in self.records if _place(one) not in partitions)
        for partition in partitions:
            self._read.pop(partition, None)


def _place(record: Delivered) -> TopicPartition:
    return TopicPartition(record.raw.topic, record.raw.partition)


MOST_REASON, MOST_STACK = 1_000, 20_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """A record and why it was dead-lettered. `stack`: the traceback, without variables."""

    raw: RawRecord
    child_id: str
    reason: str
    stack: str


class BehindDeadLettered(Exception):
    """The record itself may be fine, but an earlier one of its child is dead-lettered."""


def dead_letter(delivered: Delivered, error: Exception) -> DeadLettered:
    """What is kept is bounded, however much an error has to say: the letter has to fit, too."""
    reason = f"{type(error).__name__}: {error}"[:MOST_REASON]
    stack = "".join(traceback.format_exception(error))[-MOST_STACK:]
    return DeadLettered(delivered.raw, delivered.child_id, reason, stack)
