"""What becomes of an erased child beside its read models: parked records, the list of the erased.

Also what an older copy of the databases brings back: it is looked for when a worker starts.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

from projection_worker.dead_letter import DEAD_LETTERS, PARKED_CHILDREN
from projection_worker.delivery import Delivered, RawRecord, deliver
from projection_worker.projector import Erasure
from shared.clock import Clock
from shared.cloud_events import to_record
from shared.envelope import RecordedEvent
from shared.erasures.notice import ERASED
from shared.event_store.port import EventStore
from shared.keyring.erased_list import ErasedChild, ErasedList, ErasureStep, StepDone
from shared.mongo import Database
from shared.read_models.documents import ChildStatus
from shared.read_models.generations import read_catalog
from shared.read_models.models import Model
from shared.topics import CHILD_EVENTS

PAGE = 1_000
NO_PARTITION = -1
"""Of a record that comes from the event store."""

ReadErasures = Callable[[], Awaitable[Collection[str]]]
"""The erased children that the topic of erasures tells of."""


class ErasedChildren:
    def __init__(
        self,
        database: Database,
        store: EventStore,
        erased: ErasedList,
        read_erasures: ReadErasures,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._erased = erased
        self._read_erasures = read_erasures
        self._clock = clock

    async def note(self, erasures: Sequence[Erasure]) -> None:
        """Remove what is parked of them, and put down what was removed.

        Raises StoreUnavailable or PyMongoError: do it again then.
        """
        for erasure in erasures:
            letters = await self._remove_parked([erasure.child_id])
            for commit in await self._store.load(erasure.child_id, erasure.version - 1, 1):
                # whoever erased may have died before this
                await self._erased.add(ErasedChild.of(commit))
            for step, removed in (
                (ErasureStep.READ_MODELS, erasure.removed),
                (ErasureStep.DEAD_LETTERS, letters),
            ):
                done = StepDone(self._clock(), removed)
                await self._erased.record(erasure.child_id, step, done)

    async def came_back(self) -> AsyncIterator[list[Delivered]]:
        """The erasures that some kept generation does not know, to be projected again."""
        known = set(await self._read_erasures())
        after = ""
        while page := await self._erased.page(after, PAGE):
            after = page[-1].child_id
            known.update(child.child_id for child in page)
        everybody = sorted(known)
        for first in range(0, len(everybody), PAGE):
            some = everybody[first : first + PAGE]
            await self._remove_parked(some)
            alive = await self._not_tombstones(some)
            if batch := await self._endings(sorted(alive)):
                yield batch

    async def _remove_parked(self, child_ids: Collection[str]) -> int:
        of_them = {"child_id": {"$in": list(child_ids)}}
        removed = await self._database[DEAD_LETTERS].delete_many(of_them)
        await self._database[PARKED_CHILDREN].delete_many(of_them)
        return removed.deleted_count

    async def _not_tombstones(self, child_ids: Sequence[str]) -> set[str]:
        wanted = {"_id": {"$in": list(child_ids)}, "status": {"$ne": ChildStatus.ERASED.value}}
        found: set[str] = set()
        for kept in (await read_catalog(self._database)).kept:
            children = kept.generation.collection(self._database, Model.CHILDREN)
            found.update(
                one["_id"] for one in await children.find(wanted, {"_id": 1}).to_list(None)
            )
        return found

    async def _endings(self, child_ids: Sequence[str]) -> list[Delivered]:
        """Without those whose stream has no end: the relay erases them first, and the event comes
        by the topic."""
        erasures = await self._store.erasures(child_ids)
        return [
            _delivered([event for event in commit.recorded_events() if event.type == ERASED][-1])
            for _, commit in sorted(erasures.items())
        ]


def _delivered(event: RecordedEvent) -> Delivered:
    record = to_record(event)
    return deliver(
        RawRecord(
            CHILD_EVENTS.name,
            NO_PARTITION,
            event.version,
            record.key,
            record.value,
            tuple(record.headers),
        )
    )
