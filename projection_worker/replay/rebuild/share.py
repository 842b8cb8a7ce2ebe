"""What one process of a rebuild does: its share of the slices, one after the other."""

from dataclasses import dataclass

from projection_worker.before_live import BeforeLive
from projection_worker.dead_letter import DeadLetters
from projection_worker.projector import Projector
from projection_worker.read_model_store import ReadModelStore
from projection_worker.replay.comparison import Verification
from projection_worker.replay.histories import in_batches, streams
from projection_worker.replay.opened import Opened
from projection_worker.replay.rebuild.carry_over import PartsOfChildren
from projection_worker.replay.rebuild.child_slices import (
    BATCH_EVENTS,
    ChildrenWriter,
    ChildSliceBuilder,
    WholeChildren,
)
from projection_worker.replay.rebuild.ledger import Done, Kind, Ledger, Plan, Slice
from projection_worker.replay.rebuild.pace import Pace
from projection_worker.replay.rebuild.partition_slices import PartitionSliceBuilder
from projection_worker.replay.rules_of import rules_of
from projection_worker.replay.stored_children import StoredChildren
from projection_worker.replay.verify import Verifier
from shared.clock import utc_now
from shared.fault_points import FaultPoint
from shared.read_models.generations import Generation, live_generation

SETTLE_SECONDS = 30.0
"""How long workers may take to bring a child to where the event store was."""


@dataclass(frozen=True, slots=True)
class Share:
    """Every `of`-th slice from `part` on. `rate`: most events a second, None for no limit."""

    part: int
    of: int
    rate: float | None = None

    def of_slices(self, slices: list[Slice]) -> list[Slice]:
        return [one for one in slices if one.number % self.of == self.part]


class ReadModelsDiffer(Exception):
    """A slice was built and is not what the events say. The first differences are in the text."""


class ShareOfRebuild:
    def __init__(self, on: Opened, plan: Plan, share: Share) -> None:
        self._on = on
        self._plan = plan
        self._share = share
        self._ledger = Ledger(on.database)
        self._pace = Pace(share.rate)

    async def build(self) -> None:
        """Raises StaleBatch, PyMongoError, KafkaError, StoreUnavailable."""
        projector, read_models, dead_letters = await self._new_generation()
        partitions = PartitionSliceBuilder(
            self._on.settings.kafka, projector, self._ledger, self._pace
        )
        children = ChildSliceBuilder(
            self._on.store,
            await self._children_writer(projector, read_models),
            dead_letters,
            self._ledger,
            self._pace,
        )
        for one in await self._mine(Done.NOTHING):
            builder = partitions if one.kind is Kind.PARTITION else children
            await builder.build(one)

    async def verify(self) -> None:
        """Raises ReadModelsDiffer, PyMongoError, StoreUnavailable."""
        on = self._on
        verifier = on.verifier(self._plan.generation, self._plan.models)
        for one in await self._mine(Done.BUILT):
            if one.kind is Kind.CHILDREN:
                await self._verify(one, verifier)
                await self._ledger.finish(one, Done.VERIFIED)

    async def _verify(self, one: Slice, verifier: Verifier) -> None:
        """Children that could not be folded are left out: the rebuild decides about them."""
        dead_letters = DeadLetters(self._on.database, utc_now, self._plan.generation)
        histories = streams(self._on.store, one.begin, one.end)
        async for batch, _ in in_batches(histories, BATCH_EVENTS):
            parked = await dead_letters.parked_children([stream[0].child_id for stream in batch])
            folded = [stream for stream in batch if stream[0].child_id not in parked]
            verification = await verifier.verify_children(folded, SETTLE_SECONDS)
            if verification.found:  # what does not open is told by the rebuild
                raise ReadModelsDiffer(_told(verification))

    async def _mine(self, done: Done) -> list[Slice]:
        slices = await self._ledger.slices(self._plan.generation)
        return [one for one in self._share.of_slices(slices) if one.done is done]

    async def _new_generation(self) -> tuple[Projector, ReadModelStore, DeadLetters]:
        on, generation = self._on, self._plan.generation
        read_models = ReadModelStore(
            on.read,
            on.database,
            generation,
            FaultPoint.REBUILD_MID_TRANSACTION,
            before_live=BeforeLive(await live_generation(on.database), self._plan.begun_at),
        )
        dead_letters = DeadLetters(on.database, utc_now, generation)
        projector = Projector(
            read_models,
            on.store,
            on.keyring,
            on.index,
            dead_letters,
            rules=await rules_of(on.database, generation),
            takes_sealed=True,
        )
        return projector, read_models, dead_letters

    async def _children_writer(
        self, projector: Projector, read_models: ReadModelStore
    ) -> ChildrenWriter:
        if self._plan.whole:
            return WholeChildren(projector, read_models)
        on = self._on
        live: Generation = await live_generation(on.database)
        documents = StoredChildren(on.read, on.database, live)
        return PartsOfChildren(documents, read_models, on.keyring, on.index, self._plan.models)


def _told(verification: Verification) -> str:
    first = [f"{d.model}/{d.document} {d.field}" for d in verification.differences[:3]]
    return f"{verification.found} differences, first {'; '.join(first)}"
