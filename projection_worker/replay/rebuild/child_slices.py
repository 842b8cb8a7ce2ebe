"""Builds children from the event store: some whole histories in memory, then each document once."""

from collections.abc import Sequence

import structlog
from pymongo.errors import PyMongoError

from projection_worker.dead_letter import DeadLetters
from projection_worker.read_model_store import StaleBatch
from projection_worker.replay.histories import Stream, in_batches, streams
from projection_worker.replay.rebuild.ledger import Done, Ledger, Slice
from projection_worker.replay.rebuild.long_children import LongChildrenBuilder
from projection_worker.replay.rebuild.pace import Pace
from projection_worker.replay.rebuild.patience import patiently
from projection_worker.replay.rebuild.whole_children import ChildrenWriter, Written, told
from projection_worker.unstorable import UnstorableDocument
from shared.event_store.port import EventStore
from shared.fault_points import FaultPoint, reached

log = structlog.get_logger(__name__)

BATCH_EVENTS = 2_000


class ChildSliceBuilder:
    """Workers write the same generation at the same time; the gates decide who was first."""

    def __init__(
        self,
        store: EventStore,
        children: ChildrenWriter,
        long_children: LongChildrenBuilder,
        dead_letters: DeadLetters,
        ledger: Ledger,
        pace: Pace,
    ) -> None:
        self._store = store
        self._children = children
        self._long_children = long_children
        self._dead_letters = dead_letters
        self._ledger = ledger
        self._pace = pace

    async def build(self, one: Slice) -> None:
        """From where the slice stands to its end. Raises StaleBatch, PyMongoError."""
        # those of a child that is under way are counted when it is done
        done, shard = one.events_done - one.inside_version, f"rebuild-{one.number}"
        histories = streams(self._store, one.reached or one.begin, one.end)
        async for batch, held in in_batches(histories, BATCH_EVENTS):
            if batch[0].is_whole:
                written, events = await self._write_isolating(batch, shard), held
                await self._pace.keep(events)
            else:
                written, events = await self._long_children.build(one, batch[0].child_id, done)
            for child_id, reason in written.failures.items():
                log.error("rebuild_cannot_fold", child_id=child_id, reason=reason)
            # a worker parks what follows, as in any other
            await self._dead_letters.mark(written.failures)
            done += events
            await self._ledger.advance(one, batch[-1].child_id, done, written.unopened)
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
            return Written({stream.child_id: told(error)})
