"""One child's read models, page by page: in memory, on MongoDB through both drivers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from query_service.read_store.port import VIOLATIONS_APART
from query_service.read_store.whole_child import (
    SORTED_BY,
    After,
    GenerationGone,
    MongoWholeChild,
    Part,
    WholeChild,
)
from shared.mongo import Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import (
    POINTER_COLLECTION,
    POINTER_ID,
    Generation,
    KeptGeneration,
    to_document,
)
from shared.read_models.indexes import ensure_read_model_indexes
from tests.contract.conftest import Place
from tests.fakes.read_store import MemoryReadModels, MemoryWholeChild
from tests.support.read_model_builders import (
    NOON,
    activity_document,
    alert_document,
    child_document,
    conversation_document,
    safety_document,
    violation,
)

LIVE = 2
OLDER = 1
"""Its projections list violations in the safety document."""

Put = Callable[[int, Model, Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Kept:
    """Two generations, the second one live; how to put a document into one, and to drop one."""

    store: WholeChild
    put: Put
    drop: Callable[[int], Awaitable[None]]


@pytest.fixture
async def kept(place: Place | None) -> AsyncIterator[Kept]:
    if place is None:
        yield _in_memory()
        return
    mongo = Mongo(place.url, place.driver)
    database = mongo.database(place.database)
    generations = [
        KeptGeneration(Generation(OLDER), VIOLATIONS_APART - 1),
        KeptGeneration(Generation(LIVE), VIOLATIONS_APART),
    ]
    pointer = database[POINTER_COLLECTION]
    await pointer.insert_one(
        {"_id": POINTER_ID, "generation": LIVE, "kept": list(map(to_document, generations))}
    )
    for generation in (OLDER, LIVE):
        await ensure_read_model_indexes(database, Generation(generation))

    async def put(generation: int, model: Model, document: Mapping[str, Any]) -> None:
        await Generation(generation).collection(database, model).insert_one(dict(document))

    async def drop(generation: int) -> None:
        others = [to_document(one) for one in generations if one.generation.number != generation]
        await pointer.update_one({"_id": POINTER_ID}, {"$set": {"kept": others}})

    yield Kept(MongoWholeChild(database), put, drop)
    await mongo.close()


def _in_memory() -> Kept:
    store = MemoryWholeChild(MemoryReadModels())
    store.generations = {OLDER: MemoryReadModels(), LIVE: MemoryReadModels()}
    store.live_number = LIVE

    async def put(generation: int, model: Model, document: Mapping[str, Any]) -> None:
        models = store.generations[generation]
        places: dict[Model, dict[str, Any]] = {
            Model.CHILDREN: models.children,
            Model.CONVERSATIONS: models.conversations,
            Model.SAFETY: models.safety_documents,
            Model.VIOLATIONS: models.violations,
            Model.ACTIVITY: models.activity_days,
            Model.ALERTS: models.alerts,
        }
        places[model][document["_id"]] = dict(document)

    async def drop(generation: int) -> None:
        del store.generations[generation]

    return Kept(store, put, drop)


def at(minute: int) -> Any:
    return NOON + timedelta(minutes=minute)


def apart(child_id: str, violation_id: str, **fields: Any) -> dict[str, Any]:
    entry = violation(violation_id, **fields)
    return {**entry, "_id": f"{child_id}/{violation_id}", "child_id": child_id}


async def pages(
    kept: Kept, part: Part, limit: int, generation: int = LIVE, child_id: str = "lena"
) -> list[list[str]]:
    """The ids on each page, asked for one after the other until one is not full."""
    found, after = [], None
    while True:
        page = await kept.store.page(generation, child_id, part, after, limit)
        found.append([str(one["_id"]) for one in page])
        if len(page) < limit:
            return found
        after = After.of(part, page[-1])


async def put_one(kept: Kept, part: Part, child_id: str, number: int, minute: int) -> None:
    match part:
        case Part.CONVERSATION:
            talk = conversation_document(child_id, f"t-{number}", started_at=at(minute))
            await kept.put(LIVE, Model.CONVERSATIONS, talk)
        case Part.VIOLATION:
            one = apart(child_id, f"v-{number}", at=at(minute))
            await kept.put(LIVE, Model.VIOLATIONS, one)
        case Part.ALERT:
            name = f"{child_id}-{number}"
            alert = alert_document(name, child_id=child_id, raised_at=at(minute))
            await kept.put(LIVE, Model.ALERTS, alert)
        case _:
            day = activity_document(child_id, f"2026-11-{number:02}")
            await kept.put(LIVE, Model.ACTIVITY, day)


async def put_three(kept: Kept, part: Part) -> list[str]:
    """Three documents of the part, two of which (where that can be) are of the same moment, and one
    of another child. Their ids in order."""
    for child_id, number, minute in (("lena", 2, 5), ("mia", 1, 5), ("lena", 3, 5), ("lena", 1, 9)):
        await put_one(kept, part, child_id, number, minute)
    return {
        Part.CONVERSATION: ["lena/t-3", "lena/t-2", "lena/t-1"],
        Part.VIOLATION: ["lena/v-3", "lena/v-2", "lena/v-1"],
        Part.ALERT: ["lena-3", "lena-2", "lena-1"],
        Part.ACTIVITY: ["lena@2026-11-01", "lena@2026-11-02", "lena@2026-11-03"],
    }[part]


@pytest.mark.parametrize("part", list(SORTED_BY))
@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_pages_of_any_size_hold_each_document_once_the_oldest_first(
    kept: Kept, part: Part, limit: int
) -> None:
    expected = await put_three(kept, part)

    found = await pages(kept, part, limit)

    assert [one for page in found for one in page] == expected
    assert all(len(page) == limit for page in found[:-1])


@pytest.mark.parametrize("part", list(SORTED_BY))
async def test_of_who_has_nothing_there_is_one_empty_page(kept: Kept, part: Part) -> None:
    assert await pages(kept, part, 2) == [[]]


async def test_what_is_written_between_two_pages_moves_nothing(kept: Kept) -> None:
    # given the first of two pages
    await put_three(kept, Part.CONVERSATION)
    (first,) = await kept.store.page(LIVE, "lena", Part.CONVERSATION, None, 1)
    # when one is begun now, and one is told of late
    for name, minute in (("t-now", 20), ("t-late", 1)):
        talk = conversation_document("lena", name, started_at=at(minute))
        await kept.put(LIVE, Model.CONVERSATIONS, talk)
    # then
    after = After.of(Part.CONVERSATION, first)
    rest = await kept.store.page(LIVE, "lena", Part.CONVERSATION, after, 9)
    assert [one["conversation_id"] for one in rest] == ["t-2", "t-1", "t-now"]


async def test_a_profile_and_safety_are_one_document_each(kept: Kept) -> None:
    await kept.put(LIVE, Model.CHILDREN, child_document("lena", age=7))
    assert await pages(kept, Part.SAFETY, 5) == [[]]
    await kept.put(LIVE, Model.SAFETY, safety_document("lena", total_violations=3))

    (profile,) = await kept.store.page(LIVE, "lena", Part.PROFILE, None, 5)
    (safety,) = await kept.store.page(LIVE, "lena", Part.SAFETY, None, 5)

    assert (profile["age"], safety["total_violations"]) == (7, 3)


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_violations_that_an_older_generation_lists_are_read_as_documents_of_their_own(
    kept: Kept, limit: int
) -> None:
    # given the same violations in both generations, listed as they were reported
    reported = [("v-2", 5), ("v-3", 5), ("v-1", 9)]
    listed = [violation(name, at=at(minute)) for name, minute in reported]
    await kept.put(OLDER, Model.SAFETY, safety_document("lena", *listed))
    await put_three(kept, Part.VIOLATION)
    # when / then: a page of one goes on where one of the other ended
    older = await pages(kept, Part.VIOLATION, limit, OLDER)
    assert older == await pages(kept, Part.VIOLATION, limit)
    (safety,) = await kept.store.page(OLDER, "lena", Part.SAFETY, None, 1)
    assert "violations" not in safety


async def test_a_generation_that_is_not_kept_is_no_empty_one(kept: Kept) -> None:
    # given
    await put_three(kept, Part.ALERT)
    assert (await kept.store.live(), await kept.store.is_kept(LIVE)) == (LIVE, True)
    # when
    await kept.drop(LIVE)
    # then
    assert not await kept.store.is_kept(LIVE)
    for part in Part:
        with pytest.raises(GenerationGone):
            await kept.store.page(LIVE, "lena", part, None, 2)


@pytest.mark.parametrize("place", ["motor"], indirect=True)
@pytest.mark.parametrize("part", list(SORTED_BY))
async def test_mongodb_reads_a_page_along_an_index_from_where_it_begins(
    place: Place, kept: Kept, part: Part
) -> None:
    # given
    for number in range(1, 26):
        await put_one(kept, part, "lena", number, number)
    mongo = Mongo(place.url)
    database = mongo.database(place.database)
    await database.command("profile", 2)
    # when
    page = await kept.store.page(LIVE, "lena", part, None, 10)
    await kept.store.page(LIVE, "lena", part, After.of(part, page[-1]), 10)
    # then
    await database.command("profile", 0)
    wanted = {"command.filter.child_id": "lena", "op": "query"}
    asked = await database["system.profile"].find(wanted).to_list(None)
    await mongo.close()
    assert len(asked) == 2
    assert not any(one.get("hasSortStage") for one in asked)
    assert all(one["docsExamined"] <= 11 for one in asked)  # the last one of the page before, too
