"""Opened within bounds, read in bounded parts, and written or put aside."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from bson.errors import InvalidDocument
from pymongo.errors import AutoReconnect, BulkWriteError, DocumentTooLarge, OperationFailure

from projection_worker.projecting import sequencing
from projection_worker.projecting.decoding import KeyPatience
from projection_worker.projecting.sequencing import ChildSequence, GapInStream, sequence
from projection_worker.projecting.unstorable import CODES, unstorable
from projection_worker.records import BehindDeadLettered, Delivered, RawRecord, deliver
from shared.event_store.envelope import RecordedEvent
from shared.event_store.port import pages
from shared.kafka import CHILD_EVENTS
from shared.keyring.keyring import ChildCipher, ClosedCipher, SealBroken, UnknownKek
from shared.serialization.cloud_events import to_record
from tests.fakes.event_store import MemoryEventStore
from tests.support.commits import an_offer
from tests.support.rate_limits import Moments

OPEN = ChildCipher("child-1", bytes(32))
BROKEN = ClosedCipher("child-2", SealBroken("data key of child child-2 cannot be decrypted"))
UNKNOWN = ClosedCipher("child-3", UnknownKek("no key-encryption key 'kek-2' in the key file"))


def test_an_unknown_key_is_waited_for_from_when_it_was_first_met():
    clock = Moments()
    patience = KeyPatience(30.0, clock)
    for clock.now in (0.0, 15.0, 29.9):
        with pytest.raises(UnknownKek, match="kek-2"):
            patience.wait_for([OPEN, UNKNOWN])

    clock.now = 30.0

    patience.wait_for([OPEN, UNKNOWN])


def test_nobody_waits_for_a_key_that_is_there_and_does_not_open():
    KeyPatience(30.0, Moments()).wait_for([OPEN, BROKEN])


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


async def test_a_gap_is_filled_part_by_part(store: MemoryEventStore):
    last = await of_version(store, EVENTS)
    projected, parts = 0, list[int]()

    waiting = [last]
    while waiting:
        found = await sequence(CHILD, waiting, projected, store)
        assert versions(found) == list(range(projected + 1, projected + 1 + len(found.fresh)))
        parts.append(len(found.fresh))
        projected, waiting = found.fresh[-1].version, found.waiting

    assert (projected, parts) == (EVENTS, [PART, PART, EVENTS - 2 * PART])


async def test_records_within_the_part_are_not_taken_from_the_store(store: MemoryEventStore):
    near, far = await of_version(store, 4), await of_version(store, EVENTS)

    found = await sequence(CHILD, [near, far], 0, store)

    assert versions(found) == list(range(1, PART + 1))
    assert found.fresh[3] is near.event
    assert (found.sources, found.waiting) == ({4: near}, [far])


async def test_what_cannot_be_read_waits_for_what_comes_before_it(store: MemoryEventStore):
    # given a record of which nobody knows the version, behind a large gap
    far, unknown = await of_version(store, EVENTS), garbage(99)

    found = await sequence(CHILD, [far, unknown], 0, store)
    rest = await sequence(CHILD, found.waiting, EVENTS - 1, store)

    assert (found.dead_lettered, found.waiting) == ([], [far, unknown])
    assert versions(rest) == [EVENTS]
    assert [one.raw for one in rest.dead_lettered] == [unknown.raw]


async def test_what_stops_a_part_dead_letters_all_that_waits(store: MemoryEventStore):
    near, far = await of_version(store, 8), await of_version(store, EVENTS)
    found = await sequence(CHILD, [near, far, garbage(99)], 0, store)

    found.dead_letter_from(5, ValueError("nobody can read it"))

    assert versions(found) == [1, 2, 3, 4]
    assert found.waiting == []
    reasons = [one.reason.partition(":")[0] for one in found.dead_lettered]
    assert reasons == ["ValueError", BehindDeadLettered.__name__, "UndecodableEvent"]


async def test_a_gap_that_the_store_has_as_well_dead_letters_instead_of_waiting_for_ever(
    store: MemoryEventStore, monkeypatch: pytest.MonkeyPatch
):
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


def refused(*codes: int) -> BulkWriteError:
    refusals = [{"code": code, "errmsg": "Mia", "op": {"name": "Mia"}} for code in codes]
    return BulkWriteError({"writeErrors": refusals, "writeConcernErrors": []})


@pytest.mark.parametrize("code", CODES)
def test_a_code_of_the_list_is_the_documents_fault(code: int):
    for error in (OperationFailure("Mia", code), refused(code)):
        fault = unstorable(error)
        assert fault is not None
        assert str(fault) == f"{code} {CODES[code]}", "told without the document"


@pytest.mark.parametrize(
    "error",
    [
        DocumentTooLarge("16793600"),
        InvalidDocument("key with NUL"),
        OverflowError("8-byte ints"),
        UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates not allowed"),
    ],
)
def test_what_the_driver_cannot_encode_is_the_documents_fault(error: Exception):
    assert str(unstorable(error)) == type(error).__name__


@pytest.mark.parametrize("code", [11601, 50, 262, 292, 13, 8000, 388, 112, 251, 91, 189, 11000])
def test_every_other_code_passes(code: int):
    assert unstorable(OperationFailure("", code)) is None
    assert unstorable(refused(code)) is None


def test_of_several_refusals_one_that_passes_is_enough_to_try_again():
    assert unstorable(refused(10334, 112)) is None


@pytest.mark.parametrize(
    "error", [AutoReconnect(""), OperationFailure("without a code"), refused(), TimeoutError()]
)
def test_failures_without_a_code_pass(error: Exception):
    assert unstorable(error) is None
