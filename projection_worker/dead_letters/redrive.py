"""What becomes of dead letters: put back on the topic, or discarded because nobody needs them.

Sequences go back whole and in order, without what is known already. First the mark is removed, then
the records are published, and when the broker has them the letters go. A crash in between leaves
letters that can be redriven again: the checkpoint drops what comes twice, and refills gaps from the
event store. A record that is still poison is dead-lettered again."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum

from aiokafka import AIOKafkaProducer

from projection_worker.dead_letters.store import DeadLetter, DeadLetteredSequences
from projection_worker.records import RawRecord
from shared.event_store.port import EventStore, pages
from shared.kafka import CHILD_EVENTS, READ_MODEL_CHANGES, Servers, client_options
from shared.mongo import Database
from shared.read_models.documents import Model
from shared.read_models.generations import live_generation, read_catalog
from shared.read_models.notices import ChangeNotice
from shared.serialization.cloud_events import KafkaRecord, to_record

Checkpoints = Mapping[int, int]
"""The child's version by the number of the generation; 0 where it has no document."""


async def checkpoints_of(database: Database, child_id: str) -> Checkpoints:
    checkpoints = {}
    for one in (await read_catalog(database)).kept:
        children = one.generation.collection(database, Model.CHILDREN)
        document = await children.find_one({"_id": child_id}, {"version": 1})
        checkpoints[one.generation.number] = 0 if document is None else int(document["version"])
    return checkpoints


@dataclass(frozen=True, slots=True)
class Redriven:
    """What a redrive of `child_id` publishes: `records`, or the event store's own events behind
    version `behind`, `number` of either. `skipped`: records that the read models have already;
    `letters` are removed afterwards."""

    child_id: str
    records: tuple[RawRecord, ...]
    number: int
    skipped: int
    letters: tuple[DeadLetter, ...]
    behind: int | None = None


@dataclass(frozen=True, slots=True)
class Redrive:
    """`from_store`: publish the event store's own events from the checkpoint on, not the
    dead-lettered bytes."""

    database: Database
    dead_lettered: DeadLetteredSequences
    store: EventStore
    _: KW_ONLY
    from_store: bool

    async def plan(self, child_id: str) -> Redriven:
        letters = await self.dead_lettered.letters_of(child_id)
        checkpoints = await checkpoints_of(self.database, child_id)
        if self.from_store:
            checkpoint = min(checkpoints.values())
            newest = await self.store.last(child_id)
            number = 0 if newest is None else max(0, newest.last_version - checkpoint)
            return Redriven(child_id, (), number, 0, tuple(letters), behind=checkpoint)
        wanted = wanted_again(letters, checkpoints)
        skipped = len({letter.dead_lettered.raw.identity for letter in letters}) - len(wanted)
        return Redriven(child_id, wanted, len(wanted), skipped, tuple(letters))

    async def carry_out(self, redriven: Redriven, producer: AIOKafkaProducer) -> None:
        await self.dead_lettered.unmark(redriven.child_id)
        await publish_unmarked(self.database, redriven.child_id, producer)
        if redriven.behind is not None:
            await self._publish_stored(redriven.child_id, redriven.behind, producer)
        await publish(producer, redriven.records)
        await self.dead_lettered.remove(redriven.letters)

    async def _publish_stored(
        self, child_id: str, checkpoint: int, producer: AIOKafkaProducer
    ) -> None:
        """A page at a time, each acknowledged before the next is read."""
        async for commits in pages(self.store, child_id, checkpoint):
            events = (event for commit in commits for event in commit.recorded_events())
            await publish(producer, [to_record(one) for one in events if one.version > checkpoint])


def wanted_again(letters: Sequence[DeadLetter], checkpoints: Checkpoints) -> tuple[RawRecord, ...]:
    """The records that some generation lacks, byte for byte, each once, in their order."""
    wanted: dict[str, RawRecord] = {}
    for letter in letters:
        raw, checkpoint = letter.dead_lettered.raw, checkpoints.get(letter.generation)
        if checkpoint is not None and (letter.version is None or letter.version > checkpoint):
            wanted.setdefault(raw.identity, raw)
    return tuple(wanted.values())


async def publish_unmarked(database: Database, child_id: str, producer: AIOKafkaProducer) -> None:
    """Let no cache go on saying that the child is dead-lettered. Raises KafkaError."""
    children = (await live_generation(database)).collection(database, Model.CHILDREN)
    if (child := await children.find_one({"_id": child_id})) is not None:
        notice = ChangeNotice(child_id, child["parent_id"], child["version"], marked=True)
        await producer.send_and_wait(READ_MODEL_CHANGES.name, notice.to_json(), child_id.encode())


@asynccontextmanager
async def open_producer(bootstrap: Servers) -> AsyncIterator[AIOKafkaProducer]:
    """Connected on entry. Raises KafkaError."""
    producer = AIOKafkaProducer(**client_options(bootstrap), enable_idempotence=True, acks="all")
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


async def publish(producer: AIOKafkaProducer, records: Sequence[KafkaRecord | RawRecord]) -> None:
    """Returns once the broker has acknowledged all of them. Raises KafkaError."""
    sent = [
        await producer.send(CHILD_EVENTS.name, one.value, one.key or b"", headers=list(one.headers))
        for one in records
    ]
    await asyncio.gather(*sent)


class Verdict(StrEnum):
    """What a dead-lettered record means to the read models of its generation."""

    SEEN = "already in the read models"
    NO_EVENT = "not in the event store"
    GENERATION_GONE = "its generation was dropped"
    NEEDED = "needed: the event store has it, the read models do not"


def verdict(version: int | None, checkpoint: int | None, last: int) -> Verdict:
    """`checkpoint`: the child's version in the generation, None when that is not kept; `last`: its
    version in the event store. Without a `version` the record may be any that is still missing."""
    if checkpoint is None:
        return Verdict.GENERATION_GONE
    if version is None:
        return Verdict.NO_EVENT if checkpoint >= last else Verdict.NEEDED
    if version <= checkpoint:
        return Verdict.SEEN
    return Verdict.NO_EVENT if version > last else Verdict.NEEDED


@dataclass(frozen=True, slots=True)
class Judged:
    letter: DeadLetter
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Discard:
    database: Database
    dead_lettered: DeadLetteredSequences
    store: EventStore

    async def judge(self, letters: Sequence[DeadLetter]) -> list[Judged]:
        """`letters` are of one child."""
        if not letters:
            return []
        child_id = letters[0].dead_lettered.child_id
        checkpoints = await checkpoints_of(self.database, child_id)
        newest = await self.store.last(child_id)
        last = max([*checkpoints.values(), newest.last_version if newest else 0])
        return [
            Judged(letter, verdict(letter.version, checkpoints.get(letter.generation), last))
            for letter in letters
        ]

    async def carry_out(self, letters: Sequence[DeadLetter]) -> None:
        """Remove them, and the marks of children without further dead letters."""
        await self.dead_lettered.remove(letters)
        await self.dead_lettered.unmark_emptied(
            (letter.dead_lettered.child_id, letter.generation) for letter in letters
        )
