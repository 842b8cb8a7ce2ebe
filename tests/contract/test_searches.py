"""Searches on MongoDB find what they should, in order, with the indexes of the read models and
without; with them they read hardly anything else."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from query_service.read_store.port import VISIBLE_STATUSES, ChildFilter, PageEnd
from query_service.read_store.searching import MOST_SCANS, search, searches_for
from shared.mongo import Collection, Mongo
from shared.read_models.documents import ChildStatus, EngagementLevel, Model, SafetyStatus
from shared.read_models.generations import Generation
from shared.read_models.indexes import FORMER, ensure_read_model_indexes
from tests.support.read_model_builders import NOON, child_document

CHILDREN, PAGE, LIVE = 400, 7, Generation(1)
AGES = ((None, None), (11, 12), (None, 5), (0, 99), (10, None))
WORDS = ((), ("mia",), ("mia", "li"), ("rare",))


def documents() -> list[dict[str, Any]]:
    chance = random.Random(1)
    made = []
    for number in range(CHILDREN):
        words = [word for word, share in (("mia", 0.5), ("li", 0.3)) if chance.random() < share]
        made.append(
            dict(
                child_document(
                    f"child-{number:03}",
                    parent_id=f"parent-{number // 3}",
                    created_at=NOON - timedelta(hours=chance.randrange(CHILDREN // 2)),
                    age=chance.choice((0, *range(3, 13))),
                    status=chance.choice((*ChildStatus, ChildStatus.ACTIVE)).value,
                    safety_status=chance.choice(tuple(SafetyStatus)).value,
                    engagement_level=chance.choice(tuple(EngagementLevel)).value,
                    open_violations_count=chance.choice((0, 0, 0, 1, 2)),
                    name_tokens=[*words, *(["rare"] if number % 50 == 0 else [])],
                )
            )
        )
    return made


DOCUMENTS = documents()


def filters() -> list[ChildFilter]:
    every = product(
        (None, *VISIBLE_STATUSES),
        (None, *SafetyStatus),
        (None, *EngagementLevel),
        AGES,
        WORDS,
        (False, True),
    )
    found = [
        ChildFilter(
            status=status,
            safety_status=safety,
            engagement_level=level,
            age_min=least,
            age_max=most,
            name_tokens=words,
            has_open_violations=has_open,
        )
        for status, safety, level, (least, most), words, has_open in every
    ]
    return [*found[::7], ChildFilter(parent_ids=("parent-1",)), ChildFilter()]


def expected(wanted: ChildFilter) -> list[str]:
    least = 0 if wanted.age_min is None else wanted.age_min
    most = 99 if wanted.age_max is None else wanted.age_max
    choices = {
        "status": VISIBLE_STATUSES if wanted.status is None else (wanted.status,),
        "safety_status": wanted.safety_status and (wanted.safety_status,),
        "engagement_level": wanted.engagement_level and (wanted.engagement_level,),
        "parent_id": wanted.parent_ids,
    }
    found = [
        one
        for one in DOCUMENTS
        if least <= one["age"] <= most
        and (one["open_violations_count"] or not wanted.has_open_violations)
        and set(wanted.name_tokens) <= set(one["name_tokens"])
        and all(one[field] in allowed for field, allowed in choices.items() if allowed)
    ]
    found.sort(key=lambda one: one["_id"])
    found.sort(key=lambda one: one["created_at"], reverse=True)
    return [one["_id"] for one in found]


@pytest.fixture(params=["motor", "pymongo"])
async def children(
    request: pytest.FixtureRequest, mongo_url: str, fresh_database: str
) -> AsyncIterator[Collection]:
    mongo = Mongo(mongo_url, request.param)
    database = mongo.database(fresh_database)
    collection = LIVE.collection(database, Model.CHILDREN)
    await collection.insert_many([dict(one) for one in DOCUMENTS])
    yield collection
    await mongo.close()


async def all_pages(children: Collection, wanted: ChildFilter) -> list[str]:
    found: list[str] = []
    after = None
    while page := await search(children, wanted, after, PAGE):
        found += [one["_id"] for one in page]
        after = PageEnd(page[-1]["created_at"], page[-1]["_id"])
    return found


async def differing(children: Collection, some: Sequence[ChildFilter]) -> list[ChildFilter]:
    return [one for one in some if await all_pages(children, one) != expected(one)]


async def test_every_combination_finds_its_children_page_by_page(children: Collection) -> None:
    await ensure_read_model_indexes(children.database, LIVE)
    assert await differing(children, filters()) == []


async def test_without_the_indexes_the_same_is_found(children: Collection) -> None:
    assert await differing(children, filters()[::5]) == []


async def test_a_search_reads_only_what_is_on_its_page(children: Collection) -> None:
    # given
    await ensure_read_model_indexes(children.database, LIVE)
    # when
    for wanted in filters():
        if wanted.name_tokens and not wanted.has_open_violations:
            continue
        for one in await searches_for(children, wanted):
            asked = {"$and": [*one.conditions]}
            found = children.find(asked).hint(one.index).sort([("created_at", -1), ("_id", 1)])
            read = (await found.limit(PAGE).explain())["executionStats"]
            # then: of the newest of all, those that are erased are passed over
            if wanted != ChildFilter():
                assert read["totalDocsExamined"] <= most_documents(wanted), (wanted, read)
            most = MOST_SCANS + PAGE + most_documents(wanted)
            assert read["totalKeysExamined"] <= most, (wanted, read)


def most_documents(wanted: ChildFilter) -> int:
    """Of two words the index has one: the other is looked for in documents."""
    if len(wanted.name_tokens) < 2:
        return PAGE
    return max(len(expected(replace(wanted, name_tokens=(word,)))) for word in wanted.name_tokens)


async def test_for_an_age_that_no_child_has_nothing_is_searched(children: Collection) -> None:
    await ensure_read_model_indexes(children.database, LIVE)
    assert await searches_for(children, ChildFilter(age_min=90)) == []
    assert await search(children, ChildFilter(age_min=90), None, PAGE) == []


async def test_an_updated_stack_loses_the_indexes_that_nobody_uses(children: Collection) -> None:
    # given
    former = [await children.create_index(key) for key in FORMER[Model.CHILDREN]]
    # when
    await ensure_read_model_indexes(children.database, LIVE)
    await ensure_read_model_indexes(children.database, LIVE)
    # then
    assert not set(former) & set(await children.index_information())
