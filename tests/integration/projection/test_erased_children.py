"""Erasure on the side of the read models: backlog, poison, dead-lettered records, an older copy."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pytest
import pytest_asyncio

from projection_worker.dead_letters.store import DEAD_LETTERS, PARKED_CHILDREN
from projection_worker.projecting import decoding
from projection_worker.projecting.projector import Projected
from projection_worker.projecting.removal import ErasedChildren
from projection_worker.projections import registry
from projection_worker.records import Delivered
from projection_worker.replay import documents
from shared.clock import utc_now
from shared.events.child import Severity
from shared.keyring.erased_list import ErasureStep
from shared.read_models.documents import Model
from shared.read_models.generations import Generation, KeptGeneration
from shared.read_models.indexes import ensure_read_model_indexes
from shared.serialization.events import decode_what_opens
from shared.serialization.schema import UndecodableEvent
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.keys import MemoryErasedList
from tests.support.projection_facts import (
    MIA,
    erased,
    message,
    registered,
    reported,
    started,
    updated,
)
from tests.support.projection_side import ProjectionSide

A_LIFE = (registered(), started(), reported(1, Severity.CRITICAL), updated(age=8))
BOTH = (Generation(1), Generation(2))


@dataclass
class Worker:
    """Writes two generations; `told` is what the topic of erasures says."""

    side: ProjectionSide
    erased: MemoryErasedList
    noted: set[str]

    @property
    def children(self) -> ErasedChildren:
        async def read() -> Collection[str]:
            return self.noted

        return ErasedChildren(self.side.database, self.side.store, self.erased, read, utc_now)

    async def project(self, batch: Sequence[Delivered]) -> Projected:
        projected = await self.side.workers.project(batch)
        await self.children.note(projected.erasures)
        return projected

    async def starts(self) -> int:
        """How many children had come back."""
        batches = [batch async for batch in self.children.to_reapply()]
        for batch in batches:
            await self.project(batch)
        return sum(map(len, batches))

    async def assert_only_tombstones(self) -> None:
        for generation in BOTH:
            for model, collection in generation.collections(self.side.database).items():
                found = await collection.find({}).to_list(None)
                if model is Model.CHILDREN:
                    left = [(c["_id"], c["status"], c["name"], c["name_tokens"]) for c in found]
                    assert left == [(MIA, "erased", None, [])]
                elif model is not Model.SYSTEM:
                    assert found == [], (generation, model)
        for name in (DEAD_LETTERS, PARKED_CHILDREN):
            assert await self.side.database[name].find({}).to_list(None) == []


@pytest_asyncio.fixture
async def worker(side: ProjectionSide) -> Worker:
    await side.keep(*(KeptGeneration(one, registry.VERSION) for one in BOTH))
    await ensure_read_model_indexes(side.database, BOTH[1])
    return Worker(side, MemoryErasedList(), set())


async def test_an_erasure_is_put_down_with_what_it_removed(worker: Worker) -> None:
    # given
    await worker.project(await worker.side.happened(*A_LIFE))
    # when
    await worker.project(await worker.side.happened(erased()))
    # then
    await worker.assert_only_tombstones()
    (listed,) = await worker.erased.find([MIA])
    removed = {step: done.removed for step, done in listed.steps.items()}
    # in each generation: child, conversation, safety, violation, activity, alert
    assert removed == {ErasureStep.READ_MODELS: 12, ErasureStep.DEAD_LETTERS: 0}


async def test_of_a_backlog_that_ends_with_an_erasure_nothing_is_written(worker: Worker) -> None:
    # given
    batch = await worker.side.happened(*A_LIFE, erased())
    # when
    projected = await worker.project(batch)
    # then
    assert (projected.alerts, projected.dead_lettered) == ((), ())
    await worker.assert_only_tombstones()
    assert (await worker.side.verify()).clean


async def test_poison_keeps_nobody_from_being_erased(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a worker that does not know an event, so that the child is dead-lettered
    def too_old(recorded, cipher, index):
        if recorded.version == 2:
            raise UndecodableEvent("no such event here")
        return decode_what_opens(recorded, cipher, index)

    monkeypatch.setattr(decoding, "decode_what_opens", too_old)
    await worker.project(await worker.side.happened(*A_LIFE))
    assert await worker.side.database[DEAD_LETTERS].count_documents({"child_id": MIA}) == 6
    # when
    await worker.project(await worker.side.happened(erased()))
    # then
    await worker.assert_only_tombstones()
    (listed,) = await worker.erased.find([MIA])
    assert listed.steps[ErasureStep.DEAD_LETTERS].removed == 6


async def test_a_first_event_that_nobody_can_read_keeps_nobody_from_being_erased(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a child of which nothing could ever be shown
    def too_old(recorded, cipher, index):
        if recorded.version == 1:
            raise UndecodableEvent("no such event here")
        return decode_what_opens(recorded, cipher, index)

    for reader in (decoding, documents):
        monkeypatch.setattr(reader, "decode_what_opens", too_old)
    await worker.project(await worker.side.happened(*A_LIFE))
    assert await worker.side.documents(Model.CHILDREN) == {}
    # when
    await worker.project(await worker.side.happened(erased()))
    # then
    await worker.assert_only_tombstones()
    assert (await worker.side.verify()).clean


@pytest.mark.parametrize("batches", [1, 2], ids=["together", "later"])
async def test_what_is_stored_behind_an_erasure_changes_nothing_and_holds_nobody_up(
    worker: Worker, batches: int
) -> None:
    # given
    before = await worker.side.happened(*A_LIFE, erased())
    after = await worker.side.happened(reported(9, Severity.CRITICAL), started(), message())
    # when
    if batches == 1:
        projected = await worker.project([*before, *after])
    else:
        await worker.project(before)
        projected = await worker.project(after[-1:])  # the rest is refilled
    # then
    assert (projected.alerts, projected.dead_lettered) == ((), ())
    await worker.assert_only_tombstones()
    assert (await worker.side.child(MIA))["version"] == 8
    assert (await worker.side.verify()).clean


async def test_an_older_copy_goes_again_also_where_the_erasure_is_not_the_last_event(
    worker: Worker,
) -> None:
    # given
    await worker.project(await worker.side.happened(*A_LIFE))
    await worker.side.happened(erased(), started())
    worker.noted.add(MIA)
    # when / then
    assert await worker.starts() == 1
    await worker.assert_only_tombstones()
    assert await worker.starts() == 0


async def test_an_erased_child_in_an_older_copy_of_the_read_models_goes_again(
    worker: Worker,
) -> None:
    # given a copy from before the erasure, whose events will not come again
    await worker.project(await worker.side.happened(*A_LIFE))
    await worker.side.happened(erased())
    worker.noted.add(MIA)
    # when
    reapplied = await worker.starts()
    # then
    assert reapplied == 1
    await worker.assert_only_tombstones()
    assert (await worker.side.verify()).clean
    assert await worker.starts() == 0


async def test_who_is_not_erased_in_the_event_store_waits_for_the_relay(worker: Worker) -> None:
    # given
    await worker.project(await worker.side.happened(*A_LIFE))
    worker.noted.add(MIA)
    # when
    reapplied = await worker.starts()
    # then
    assert reapplied == 0
    assert (await worker.side.child(MIA))["status"] == "active"


async def test_an_erasure_without_the_beginning_of_its_stream_is_dead_lettered(
    worker: Worker,
) -> None:
    # given an event store that lost what came before
    batch = await worker.side.happened(*A_LIFE, erased())
    worker.side.store = MemoryEventStore()
    # when
    projected = await worker.project(batch[-1:])
    # then
    assert [one.child_id for one in projected.dead_lettered] == [MIA]
