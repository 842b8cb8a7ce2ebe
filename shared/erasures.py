"""Erasures: the topic that still knows them after databases were restored, and the signed receipt
of what was removed where and when."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from shared.clock import iso, parse_iso
from shared.event_store.envelope import RecordedEvent
from shared.event_store.port import OlderContent
from shared.kafka import CHILD_ERASURES, Servers, client_options, partitions_of
from shared.keyring.erased_list import ErasedChild, ErasureStep
from shared.signing import StatementRefused, StatementSigner, StatementVerifier


class MalformedErasure(Exception):
    """A record on the topic of erasures is none."""


@dataclass(frozen=True, slots=True)
class ErasureNotice:
    """`child_id` is the record's key: of several the topic keeps the last."""

    child_id: str
    at: datetime

    @staticmethod
    def of(event: RecordedEvent) -> "ErasureNotice":
        """Of a ChildErased."""
        return ErasureNotice(event.child_id, event.occurred_at)

    def to_json(self) -> bytes:
        return orjson.dumps({"child_id": self.child_id, "at": iso(self.at)})

    @staticmethod
    def from_json(value: bytes) -> "ErasureNotice":
        """Raises MalformedErasure."""
        try:
            content = orjson.loads(value)
            return ErasureNotice(str(content["child_id"]), parse_iso(content["at"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedErasure("not an erasure") from error


FETCH_MS = 200
READ_SECONDS = 60.0

log = structlog.get_logger(__name__)


class NoErasureTopic(KafkaError):  # type: ignore[misc] # aiokafka has no types
    """The broker does not know the topic, so nobody knows who is erased."""


class ErasureReader:
    """Stands somewhere on the topic. Open it with `erasure_reader`."""

    def __init__(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        self._consumer = consumer
        self._partitions = partitions

    async def read(self) -> list[ErasureNotice]:
        """What came since the last time, the first time all. Raises KafkaError."""
        found: list[ErasureNotice] = []
        ends = await self._consumer.end_offsets(self._partitions)
        self._consumer.resume(*self._partitions)
        # a compacted topic has gaps: what counts is where the consumer stands
        while any([await self._consumer.position(one) < end for one, end in ends.items()]):
            for records in (await self._consumer.getmany(timeout_ms=FETCH_MS)).values():
                for record in records:
                    try:
                        found.append(ErasureNotice.from_json(record.value or b""))
                    except MalformedErasure:
                        log.warning("erasure_unreadable", offset=record.offset)
        self._consumer.pause(*self._partitions)  # aiokafka would go on asking in between
        return found


@asynccontextmanager
async def erasure_reader(servers: Servers) -> AsyncIterator[ErasureReader]:
    """A reader at the beginning of the topic. Raises KafkaError."""
    consumer = AIOKafkaConsumer(
        **client_options(servers), enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        await consumer.start()
        partitions = await partitions_of(consumer, CHILD_ERASURES.name)
        if not partitions:
            missing = f"no topic {CHILD_ERASURES.name}; create it with `teddy topics apply`"
            raise NoErasureTopic(missing)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        yield ErasureReader(consumer, partitions)
    finally:
        await consumer.stop()


async def read_erasures(servers: Servers) -> dict[str, datetime]:
    """When each child on the topic was erased, by child.

    Raises KafkaError, also after a minute.
    """
    try:
        async with asyncio.timeout(READ_SECONDS), erasure_reader(servers) as reader:
            return {notice.child_id: notice.at for notice in await reader.read()}
    except TimeoutError:
        raise KafkaTimeoutError(f"{CHILD_ERASURES.name} was not read in time") from None


KIND = "teddy-erasure-receipt"

PLACES: Mapping[ErasureStep, str] = {
    ErasureStep.KEY: "the key that decrypts the child's personal values, in the key database",
    ErasureStep.CLAIMS: "the claims on the bear's udid and device id, in the event store",
    ErasureStep.SNAPSHOTS: "the encrypted snapshot of the child, in the event store",
    ErasureStep.READ_MODELS: "profile, conversations, safety, violations, activity, alerts "
    "and search tokens, in every generation of the read models",
    ErasureStep.DEAD_LETTERS: "the child's dead-lettered records, in the read models",
}

REMAINS: Mapping[str, str] = {
    "events": "Types, times, versions, ids and hashes; the parent's id; severities, "
    "outcomes, purposes and methods of consent, channels and word counts. Personal "
    "values in them are ciphertext that no key decrypts any more. They stay so "
    "that changes of the history are detected.",
    "who acted": "For each change the subject and role of the parent or member of staff, and ids "
    "of the request. A bear is recorded under a random pseudonym that cannot be traced to it.",
    "keys of requests": "Hashed under the index key, for commands with an Idempotency-Key; "
    "the request is hashed under the child's destroyed key.",
    "tombstone": "Child id, parent id, and when the child was registered and erased, so that "
    "the family can get this receipt and no replay restores data.",
    "audit trail": "Who requested what and when, from which address, by ids, until its "
    "retention ends.",
    "copies that end by themselves": "The databases' oplogs contain removed documents, and the "
    "topics their records, until they are overwritten or their retention ends.",
    "copies that somebody took": "Backups, exports and evidence, until they are deleted; personal "
    "values in a backup can be decrypted until its copy of the child's key is deleted, or the key "
    "that wraps it is retired. Sent alerts are with their receivers.",
}
"""Of every erased child. Nothing else may be left: docs/erasure.md says the same."""

OLDER_REMAINS: Mapping[OlderContent, tuple[str, str]] = {
    OlderContent.PRINTS: (
        "prints of earlier releases",
        "Commits of releases before requests were hashed under the child's own key, and "
        "audit records of that time: with the index key, a guess of a request or of the "
        "bear's device id can be confirmed.",
    ),
    OlderContent.LABELS: (
        "labels of earlier releases",
        "Events of releases before labels were encrypted, in the event store and on the "
        "topics, contain in plaintext: age, topics, violation types, flagged categories, "
        "skills, notice versions.",
    ),
}
"""Of children who have commits of that kind, or may have."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`hash` is that of the commit that erased the child, at `version` of its stream."""

    child_id: str
    version: int
    hash: str
    complete: bool


def receipt_of(child: ErasedChild, now: datetime) -> dict[str, Any]:
    """The statement, before it is signed."""
    return {
        "child_id": child.child_id,
        "erased_at": iso(child.at),
        "by_role": child.by_role,
        "version": child.version,
        "hash": child.hash,
        "complete": not child.missing,
        "removed": [
            {"step": step.value, "what": PLACES[step], "count": done.removed, "at": iso(done.at)}
            for step in ErasureStep
            if (done := child.steps.get(step)) is not None
        ],
        "outstanding": [step.value for step in child.missing],
        "remains": [{"what": what, "why": why} for what, why in _remains(child)],
        "issued_at": iso(now),
    }


def _remains(child: ErasedChild) -> Iterator[tuple[str, str]]:
    yield from REMAINS.items()
    for kind, remaining in OLDER_REMAINS.items():
        if child.older is None or kind in child.older:
            yield remaining


def sign_receipt(signer: StatementSigner, child: ErasedChild, now: datetime) -> str:
    return signer.sign(KIND, receipt_of(child, now))


def open_receipt(verifier: StatementVerifier, text: str) -> Receipt:
    """Raises StatementRefused."""
    content = verifier.open(KIND, text.strip())
    try:
        return Receipt(
            str(content["child_id"]),
            int(content["version"]),
            str(content["hash"]),
            bool(content["complete"]),
        )
    except (KeyError, TypeError, ValueError):
        raise StatementRefused("not a receipt of an erasure") from None
