"""What is missing of a child is read in bounded parts, and nothing overtakes it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from projection_worker.projecting import sequencing
from projection_worker.projecting.sequencing import ChildSequence, GapInStream, sequence
from projection_worker.records import BehindDeadLettered, Delivered, RawRecord, deliver
from shared.event_store.envelope import RecordedEvent
from shared.event_store.port import pages
from shared.kafka import CHILD_EVENTS
from shared.serialization.cloud_events import to_record
from tests.fakes.event_store import MemoryEventStore
from tests.support.commits import an_offer

CHILD = "mia"
EVENTS = 25
PART = 10


@pytest_asyncio.fixture
async def store(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemoryEventStore]:
    monkeypatch.setattr(sequencing, "REFILL_COMMITS", PART)
    store = MemoryEventStore()
    position = (await store.append(an_offer(CHILD))).position
    for _ in range(EVENTS - 1):
        position = (await store.append(an_offer(CHILD, position))).position
    yield store


async def of_version(store: MemoryEventStore, version: int) -> Delivered:
    (commit,) = await store.load(CHILD, version - 1, 1)
    (event,) = commit.recorded_events()
    return as_delivered(event)


def as_delivered(event: RecordedEvent) -> Delivered:
    record = to_record(event)
    return deliver(
        RawRecord(
            CHILD_EVENTS.name, 0, event.version, record.key, record.value, tuple(record.headers)
        )
    )


def garbage(offset: int) -> Delivered:
    return deliver(RawRecord(CHILD_EVENTS.name, 0, offset, CHILD.encode(), b"?", ()))


def versions(found: ChildSequence) -> list[int]:
    return [event.version for event in found.fresh]


async def test_a_gap_is_filled_part_by_part(store: MemoryEventStore) -> None:
    last = await of_version(store, EVENTS)
    projected, parts = 0, list[int]()

    waiting = [last]
    while waiting:
        found = await sequence(CHILD, waiting, projected, store)
        assert versions(found) == list(range(projected + 1, projected + 1 + len(found.fresh)))
        parts.append(len(found.fresh))
        projected, waiting = found.fresh[-1].version, found.waiting

    assert (projected, parts) == (EVENTS, [PART, PART, EVENTS - 2 * PART])


async def test_records_within_the_part_are_not_taken_from_the_store(
    store: MemoryEventStore,
) -> None:
    near, far = await of_version(store, 4), await of_version(store, EVENTS)

    found = await sequence(CHILD, [near, far], 0, store)

    assert versions(found) == list(range(1, PART + 1))
    assert found.fresh[3] is near.event
    assert (found.sources, found.waiting) == ({4: near}, [far])


async def test_what_cannot_be_read_waits_for_what_comes_before_it(store: MemoryEventStore) -> None:
    # given a record of which nobody knows the version, behind a large gap
    far, unknown = await of_version(store, EVENTS), garbage(99)

    found = await sequence(CHILD, [far, unknown], 0, store)
    rest = await sequence(CHILD, found.waiting, EVENTS - 1, store)

    assert (found.dead_lettered, found.waiting) == ([], [far, unknown])
    assert versions(rest) == [EVENTS]
    assert [one.raw for one in rest.dead_lettered] == [unknown.raw]


async def test_what_stops_a_part_dead_letters_all_that_waits(store: MemoryEventStore) -> None:
    near, far = await of_version(store, 8), await of_version(store, EVENTS)
    found = await sequence(CHILD, [near, far, garbage(99)], 0, store)

    found.dead_letter_from(5, ValueError("nobody can read it"))

    assert versions(found) == [1, 2, 3, 4]
    assert found.waiting == []
    reasons = [one.reason.partition(":")[0] for one in found.dead_lettered]
    assert reasons == ["ValueError", BehindDeadLettered.__name__, "UndecodableEvent"]


async def test_a_gap_that_the_store_has_as_well_dead_letters_instead_of_waiting_for_ever(
    store: MemoryEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a store that lost version 3
    whole = [commit async for page in pages(store, CHILD) for commit in page]

    async def load(child_id: str, after_version: int = 0, limit: int | None = None) -> object:
        kept = [one for one in whole if one.first_version > after_version]
        return [one for one in kept if one.first_version != 3][:limit]

    far = await of_version(store, EVENTS)
    monkeypatch.setattr(store, "load", load)

    found = await sequence(CHILD, [far], 0, store)

    assert versions(found) == [1, 2]
    assert (found.waiting, [one.raw for one in found.dead_lettered]) == ([], [far.raw])
    assert found.failure is not None
    assert isinstance(found.failure[1], GapInStream)
