"""Builds children from the event store: one whole history in memory, then each document once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from pymongo.errors import PyMongoError

from projection_worker.dead_letter import DeadLetters
from projection_worker.projector import Projector
from projection_worker.read_model_store import ReadModelStore, StaleBatch
from projection_worker.replay.histories import Stream, in_batches, streams
from projection_worker.replay.rebuild.ledger import Done, Ledger, Slice
from projection_worker.replay.rebuild.pace import Pace
from projection_worker.replay.rebuild.patience import patiently
from projection_worker.sequencing import ChildSequence, all_that_counts
from projection_worker.unstorable import UnstorableDocument
from shared.event_store.port import EventStore
from shared.fault_points import FaultPoint, reached
from shared.read_models.documents import ChildDocument

log = structlog.get_logger(__name__)

BATCH_EVENTS = 2_000


@dataclass(frozen=True, slots=True)
class Written:
    """`failures`: children that could not be folded, and why. `unopened`: children of whom
    something sealed does not open, and why; they are folded, and only no search finds them."""

    failures: dict[str, str] = field(default_factory=dict)
    unopened: dict[str, str] = field(default_factory=dict)

    def __add__(self, other: "Written") -> "Written":
        return Written(self.failures | other.failures, self.unopened | other.unopened)


class ChildrenWriter(Protocol):
    """Brings children into the new generation."""

    async def write(self, batch: Sequence[Stream], shard: str) -> Written:
        """All of `batch` in one transaction, but for the failures; counters go to `shard`.

        Raises StaleBatch when a worker wrote one of the children meanwhile, or UnstorableDocument;
        then nothing was written.
        """


class WholeChildren:
    """Every model is folded anew; children that workers brought already are skipped."""

    def __init__(self, projector: Projector, read_models: ReadModelStore) -> None:
        self._projector = projector
        self._read_models = read_models

    async def write(self, batch: Sequence[Stream], shard: str) -> Written:
        gates = await self._read_models.children([stream[0].child_id for stream in batch])
        sequences = [_missing(stream, gates, shard) for stream in batch]
        await self._projector.apply(sequences, gates)
        return Written(
            {one.child_id: told(one.failure[1]) for one in sequences if one.failure},
            {one.child_id: str(one.unopened) for one in sequences if one.unopened},
        )


class ChildSliceBuilder:
    """Workers write the same generation at the same time; the gates decide who was first."""

    def __init__(
        self,
        store: EventStore,
        children: ChildrenWriter,
        dead_letters: DeadLetters,
        ledger: Ledger,
        pace: Pace,
    ) -> None:
        self._store = store
        self._children = children
        self._dead_letters = dead_letters
        self._ledger = ledger
        self._pace = pace

    async def build(self, one: Slice) -> None:
        """From where the slice stands to its end. Raises StaleBatch, PyMongoError."""
        done, shard = one.events_done, f"rebuild-{one.number}"
        histories = streams(self._store, one.reached or one.begin, one.end)
        async for batch, events in in_batches(histories, BATCH_EVENTS):
            written = await self._write_isolating(batch, shard)
            for child_id, reason in written.failures.items():
                log.error("rebuild_cannot_fold", child_id=child_id, reason=reason)
            # a worker parks what follows, as in any other
            await self._dead_letters.mark(written.failures)
            done += events
            await self._ledger.advance(one, batch[-1][0].child_id, done, written.unopened)
            await self._pace.keep(events)
        await self._ledger.finish(one, Done.BUILT)
        reached(FaultPoint.REBUILD_AFTER_SLICE)

    async def _write_isolating(self, batch: Sequence[Stream], shard: str) -> Written:
        """Write together; when a worker was at one of the children, or one cannot be stored, find
        it by halving."""
        if len(batch) == 1:
            return await self._write_one(batch[0], shard)
        try:
            return await patiently(lambda: self._children.write(batch, shard), PyMongoError)
        except (StaleBatch, UnstorableDocument) as error:
            log.info("rebuild_batch_halved", children=len(batch), reason=type(error).__name__)
        middle = len(batch) // 2
        first = await self._write_isolating(batch[:middle], shard)
        return first + await self._write_isolating(batch[middle:], shard)

    async def _write_one(self, stream: Stream, shard: str) -> Written:
        try:
            return await patiently(
                lambda: self._children.write([stream], shard), StaleBatch, PyMongoError
            )
        except UnstorableDocument as error:
            return Written({stream[0].child_id: told(error)})


def told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _missing(stream: Stream, gates: Mapping[str, ChildDocument], shard: str) -> ChildSequence:
    """What the new generation has not of a child."""
    child_id = stream[0].child_id
    gate = gates[child_id]["version"] if child_id in gates else 0
    events = [event for commit in stream for event in commit.recorded_events()]
    missing = all_that_counts([event for event in events if event.version > gate])
    return ChildSequence(child_id, shard, fresh=missing)
