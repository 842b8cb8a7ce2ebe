"""The queue of all violations: in memory and on MongoDB, there with its indexes and without; with
them hardly anything else is read."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from query_service.read_store.live_generation import LiveGeneration
from query_service.read_store.mongo import MongoReadModels
from query_service.read_store.port import ReadModelDatabase, ReadStoreUnavailable
from query_service.read_store.violation_filter import (
    QueueEnd,
    ViolationFilter,
    ViolationOrder,
    ViolationStatus,
)
from query_service.read_store.violation_queue import order_of, queues_for
from shared.events.child import Outcome, Severity
from shared.mongo import Collection, Mongo
from shared.read_models.documents import Model, ViolationDocument
from shared.read_models.generations import POINTER_COLLECTION, POINTER_ID, Generation
from shared.read_models.indexes import ensure_read_model_indexes
from tests.contract.conftest import Place
from tests.fakes.read_store import MemoryReadModels
from tests.support.read_model_builders import NOON, child_document, violation_document

VIOLATIONS, PAGE, LIVE = 600, 7, Generation(2)
MOST_MERGED = 16
"""Orders of an index: four severities times three outcomes, of which none may look like two."""


def documents() -> list[ViolationDocument]:
    chance = random.Random(3)

    def one(number: int) -> ViolationDocument:
        outcome = chance.choice((None, *Outcome))
        more: dict[str, Any] = {}
        if chance.random() < 0.6:
            more["assignee"] = chance.choice((None, "officer-1", "officer-2"))
        return violation_document(
            f"child-{chance.randrange(50)}",
            f"v{number:03}",
            severity=chance.choice(tuple(Severity)).value,
            at=NOON - timedelta(hours=chance.randrange(VIOLATIONS // 3)),
            outcome=None if outcome is None else outcome.value,
            resolved_at=None if outcome is None else NOON,
            **more,
        )

    return [one(number) for number in range(VIOLATIONS)]


DOCUMENTS = documents()
FILTERS = [
    ViolationFilter(*each)
    for each in product(
        ViolationStatus,
        (None, *Severity),
        (None, "officer-1", "nobody"),
        ViolationOrder,
        (None, "child-7"),
    )
]


def expected(wanted: ViolationFilter) -> list[str]:
    is_open = {ViolationStatus.OPEN: [True], ViolationStatus.RESOLVED: [False]}
    found = [
        one
        for one in DOCUMENTS
        if (one["outcome"] is None) in is_open.get(wanted.status, [True, False])
        and wanted.severity in (None, one["severity"])
        and wanted.assignee in (None, one.get("assignee"))
        and wanted.child_id in (None, one["child_id"])
    ]
    newest_first = wanted.order is ViolationOrder.NEWEST
    # of one moment: as the index has them that is read
    found.sort(key=lambda one: one["_id"], reverse=newest_first is (wanted.child_id is None))
    found.sort(key=lambda one: one["at"], reverse=newest_first)
    if wanted.order is ViolationOrder.SEVERITY:
        found.sort(key=lambda one: -Severity(one["severity"]).rank)
    return [one["_id"] for one in found]


async def all_pages(store: ReadModelDatabase, wanted: ViolationFilter) -> list[str]:
    found: list[str] = []
    after = None
    while page := await store.violation_queue(wanted, after, PAGE):
        found += [one["_id"] for one in page]
        after = end_of(page[-1])
    return found


def end_of(last: ViolationDocument) -> QueueEnd:
    return QueueEnd(Severity(last["severity"]), last["at"], last["_id"])


@pytest.fixture
async def store(place: Place | None) -> AsyncIterator[ReadModelDatabase]:
    if place is None:
        memory = MemoryReadModels()
        memory.violations.update({one["_id"]: one for one in DOCUMENTS})
        yield memory
        return
    mongo = Mongo(place.url, place.driver)
    database = mongo.database(place.database)
    await live_of(database, projections=7)
    await LIVE.collection(database, Model.VIOLATIONS).insert_many([{**one} for one in DOCUMENTS])
    yield MongoReadModels(database, LiveGeneration(database, lambda: 0.0, lambda: None))
    await mongo.close()


async def live_of(database: Any, projections: int) -> None:
    kept = [{"generation": LIVE.number, "projections": projections, "was_live": True}]
    pointer = {"_id": POINTER_ID, "generation": LIVE.number, "kept": kept}
    await database[POINTER_COLLECTION].insert_one(pointer)


async def test_every_combination_finds_its_violations_page_by_page(
    store: ReadModelDatabase, place: Place | None
) -> None:
    # given
    if place is not None:
        await with_indexes(place)
    # when
    differing = [one for one in FILTERS if await all_pages(store, one) != expected(one)]
    # then
    assert differing == []


async def test_without_the_indexes_the_same_is_found(store: ReadModelDatabase) -> None:
    some = FILTERS[::7]
    assert [one for one in some if await all_pages(store, one) != expected(one)] == []


async def with_indexes(place: Place) -> None:
    mongo = Mongo(place.url, place.driver)
    await ensure_read_model_indexes(mongo.database(place.database), LIVE)
    await mongo.close()


@pytest.fixture(params=["motor", "pymongo"])
async def violations(
    request: pytest.FixtureRequest, mongo_url: str, fresh_database: str
) -> AsyncIterator[Collection]:
    mongo = Mongo(mongo_url, request.param)
    database = mongo.database(fresh_database)
    await ensure_read_model_indexes(database, LIVE)
    collection = LIVE.collection(database, Model.VIOLATIONS)
    await collection.insert_many([{**one} for one in DOCUMENTS])
    yield collection
    await mongo.close()


@pytest.mark.parametrize("late", [False, True], ids=["the first page", "a late page"])
async def test_a_page_reads_what_is_on_it(violations: Collection, late: bool) -> None:
    by_id = {one["_id"]: one for one in DOCUMENTS}
    for wanted in FILTERS:
        found = expected(wanted)
        after = end_of(by_id[found[len(found) * 2 // 3]]) if late and found else None
        for asked in queues_for(wanted, after):
            # when
            conditions = {"$and": [*asked.conditions]}
            page = violations.find(conditions).hint(asked.index).sort(order_of(wanted))
            read = (await page.limit(PAGE).explain())["executionStats"]
            # then: a late page looks again at what happened in the moment at which it begins
            again = 0 if after is None else sum(one["at"] == after.at for one in DOCUMENTS)
            # of one child its part of the index is read, which does not have the assignee
            own = sum(one["child_id"] == wanted.child_id for one in DOCUMENTS)
            documents = own if wanted.assignee else 0
            assert read["totalDocsExamined"] <= PAGE + again + documents, (wanted, read)
            keys = 2 * MOST_MERGED + 2 * PAGE + 6 + own
            assert read["totalKeysExamined"] <= keys, (wanted, read)


async def test_read_models_of_before_have_no_list_of_all(mongo_url: str, fresh_database: str):
    mongo = Mongo(mongo_url, "pymongo")
    database = mongo.database(fresh_database)
    await live_of(database, projections=6)
    store = MongoReadModels(database, LiveGeneration(database, lambda: 0.0, lambda: None))
    with pytest.raises(ReadStoreUnavailable, match="no list of all violations"):
        await store.violation_queue(ViolationFilter(), None, PAGE)
    await mongo.close()


async def test_children_are_found_by_their_ids_but_no_erased_one(place: Place | None) -> None:
    # given
    children = [
        child_document("lena"),
        child_document("mia", status="deactivated"),
        child_document("tom", status="erased"),
        child_document("zoe"),
    ]
    asked = {"lena", "mia", "tom", "nobody"}
    if place is None:
        memory = MemoryReadModels()
        memory.children.update({one["_id"]: one for one in children})
        found = await memory.children_by_id(asked)
    else:
        mongo = Mongo(place.url, place.driver)
        database = mongo.database(place.database)
        await (
            Generation(1)
            .collection(database, Model.CHILDREN)
            .insert_many([{**one} for one in children])
        )
        store = MongoReadModels(database, LiveGeneration(database, lambda: 0.0, lambda: None))
        found = await store.children_by_id(asked)
        await mongo.close()
    # then
    assert sorted(one["_id"] for one in found) == ["lena", "mia"]
