"""Records as a transport hands them over, and as they are dead-lettered: byte for byte, and why."""

import traceback
from dataclasses import dataclass
from typing import Any

from shared.event_store.envelope import RecordedEvent
from shared.serialization.cloud_events import from_record
from shared.serialization.sealed_fields import UndecodableEvent


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
    workers never contend.
    """

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
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        headers,
    )


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
