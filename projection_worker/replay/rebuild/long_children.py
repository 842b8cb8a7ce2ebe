"""Builds one child with a long history: a page of events in memory, a transaction a page.

Where a page ends the child's documents are as they were then, and its version says so: a worker
that has newer events of the child fills up from there, and the rebuild goes on behind it. The
ledger is told after each page, and a rebuild that was killed goes on within the child.

Every model is folded anew, also where a rebuild carries some over: to copy all documents of such a
child at once would be one transaction without bound.
"""

from collections.abc import Sequence
from functools import partial

from pymongo.errors import PyMongoError

from projection_worker.read_model_store import StaleBatch
from projection_worker.replay.histories import ends_at, telling_pages
from projection_worker.replay.rebuild.ledger import Ledger, Slice
from projection_worker.replay.rebuild.pace import Pace
from projection_worker.replay.rebuild.patience import patiently
from projection_worker.replay.rebuild.whole_children import WholeChildren, Written, told
from projection_worker.unstorable import UnstorableDocument
from shared.envelope import RecordedEvent
from shared.event_store.port import EventStore
from shared.fault_points import FaultPoint, reached


class LongChildrenBuilder:
    def __init__(
        self, store: EventStore, children: WholeChildren, ledger: Ledger, pace: Pace
    ) -> None:
        self._store = store
        self._children = children
        self._ledger = ledger
        self._pace = pace

    async def build(self, one: Slice, child_id: str, done: int) -> tuple[Written, int]:
        """`done`: events of the slice before this child. What was written of it, and how many
        events it has. Raises StaleBatch, PyMongoError, StoreUnavailable."""
        after = one.inside_version if one.inside == child_id else 0
        ends = await ends_at(self._store, child_id)
        written, version = await self._build(one, child_id, done, after, ends)
        if written.failures and ends == 0:
            ends = await ends_at(self._store, child_id)
            if ends > 0:  # it was erased meanwhile: of what was before nothing has to be readable
                written, version = await self._build(one, child_id, done, 0, ends)
        return written, version

    async def _build(
        self, one: Slice, child_id: str, done: int, after: int, ends: int
    ) -> tuple[Written, int]:
        written, version, shard = Written(), after, f"rebuild-{one.number}"
        async for events in telling_pages(self._store, child_id, after, ends):
            written += await self._write(child_id, events, shard)
            if written.failures:
                break
            version = events[-1].version
            await self._ledger.advance_inside(
                one, child_id, version, done + version, written.unopened
            )
            reached(FaultPoint.REBUILD_INSIDE_CHILD)
            await self._pace.keep(len(events))
        return written, version

    async def _write(self, child_id: str, events: Sequence[RecordedEvent], shard: str) -> Written:
        write = partial(self._children.write_page, child_id, events, shard)
        try:
            return await patiently(write, StaleBatch, PyMongoError)
        except UnstorableDocument as error:
            return Written({child_id: told(error)})
