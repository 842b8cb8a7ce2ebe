"""A child's violations: in memory, on MongoDB, and in the list of an older generation there."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from query_service.read_store.live_generation import LiveGeneration
from query_service.read_store.mongo import MongoReadModels
from query_service.read_store.port import PageEnd, Period, Violations
from query_service.read_store.violations import ListedViolations
from shared.mongo import Mongo
from shared.read_models.documents import Model, ViolationDocument
from shared.read_models.generations import POINTER_COLLECTION, POINTER_ID, Generation
from shared.read_models.indexes import ensure_read_model_indexes
from tests.contract.conftest import Place
from tests.support.read_model_builders import NOON, safety_document, violation, violation_document

HOUR = timedelta(hours=1)
LENA = "lena"
PERIODS = [
    Period(),
    Period(since=NOON - 300 * HOUR),
    Period(until=NOON - 300 * HOUR),
    Period(NOON - 500 * HOUR, NOON - 100 * HOUR),
    Period(NOON + HOUR, NOON + 2 * HOUR),
]


def some_violations(chance: random.Random) -> list[ViolationDocument]:
    """300, many of them of the same moment. A category may look like a field's path."""

    def one(number: int) -> ViolationDocument:
        outcome = chance.choice([None, "confirmed", "false_positive"])
        return violation_document(
            LENA,
            f"v{number:03}",
            type=chance.choice(["bullying", "$type", "secrets", "address"]),
            severity=chance.choice(["low", "medium", "high", "critical"]),
            at=NOON - chance.randrange(100) * 10 * HOUR,
            alerted=chance.choice([None, "count", "threshold"]),
            outcome=outcome,
            resolved_at=None if outcome is None else NOON,
        )

    return [one(number) for number in range(300)]


def as_listed(documents: Sequence[ViolationDocument]) -> dict[str, Any]:
    """The safety document of projections before 7."""
    ours = ("_id", "child_id", "id")
    fields = [{name: v for name, v in one.items() if name not in ours} for one in documents]
    entries = [violation(one["id"], **rest) for one, rest in zip(documents, fields, strict=True)]
    return {**safety_document(LENA, *entries)}


@pytest.fixture(params=["documents", "list"])
async def kept(
    request: pytest.FixtureRequest, place: Place | None
) -> AsyncIterator[tuple[list[ViolationDocument], Violations]]:
    """Violations, and how a store tells them."""
    documents = some_violations(random.Random(20261126))
    if place is None:
        yield documents, ListedViolations(documents)
        return
    mongo = Mongo(place.url, place.driver)
    database, live = mongo.database(place.database), Generation(3)
    is_older = request.param == "list"
    await database[POINTER_COLLECTION].insert_one(
        {
            "_id": POINTER_ID,
            "generation": 3,
            "kept": [{"generation": 3, "projections": 6 if is_older else 7, "was_live": True}],
        }
    )
    await ensure_read_model_indexes(database, live)
    if is_older:
        await live.collection(database, Model.SAFETY).insert_one(as_listed(documents))
    else:
        others = [violation_document("tom", f"v{number}") for number in range(5)]
        stored: list[dict[str, Any]] = [{**one} for one in (*documents, *others)]
        await live.collection(database, Model.VIOLATIONS).insert_many(stored)
    store = MongoReadModels(database, LiveGeneration(database, lambda: 0.0, lambda: None))
    yield documents, await store.violations_of(LENA)
    await mongo.close()


Kept = tuple[list[ViolationDocument], Violations]


@pytest.mark.parametrize("period", PERIODS)
async def test_pages_follow_one_another_the_newest_first(kept: Kept, period: Period) -> None:
    # given
    documents, violations = kept
    expected = sorted(
        (one for one in documents if period.includes(one["at"])),
        key=lambda one: (-one["at"].timestamp(), one["_id"]),
    )
    # when
    seen: list[ViolationDocument] = []
    after = None
    while page := await violations.page(period, after, 70):
        seen += page
        after = PageEnd(page[-1]["at"], page[-1]["_id"])
    # then
    assert seen == expected


@pytest.mark.parametrize("categories", [["bullying", "$type", "secrets", "address"], ["$type"], []])
@pytest.mark.parametrize("period", PERIODS)
async def test_what_is_counted_is_what_is_there(
    kept: Kept, period: Period, categories: list[str]
) -> None:
    # given
    documents, violations = kept
    found = [one for one in documents if period.includes(one["at"])]
    # when
    counts = await violations.count(period, categories)
    # then
    assert counts.total == len(found)
    assert counts.still_open == sum(1 for one in found if one["resolved_at"] is None)
    assert counts.severe == sum(1 for one in found if one["severity"] in ("high", "critical"))
    late = [one for one in found if one["alerted"] != "threshold"]
    severe = ("high", "critical")
    assert counts.told_late == sum(1 for one in late if one["severity"] in severe)
    for name in categories:
        number = sum(1 for one in found if one["type"] == name)
        assert counts.by_category.get(name, 0) == number
    others = sum(1 for one in found if one["type"] not in categories)
    assert counts.by_category.get("other", 0) == others


@pytest.mark.parametrize("period", PERIODS)
async def test_they_are_counted_on_their_days(kept: Kept, period: Period) -> None:
    # given
    documents, violations = kept
    expected: dict[str, Counter[str]] = {}
    for one in documents:
        if period.includes(one["at"]):
            day = one["at"].date().isoformat()
            expected.setdefault(day, Counter())[one["severity"]] += 1
    # when / then
    assert await violations.by_day(period) == expected


async def test_the_cost_begins_behind_its_first_moment_and_includes_its_last(kept: Kept) -> None:
    # given
    documents, violations = kept
    first, last = NOON - 500 * HOUR, NOON - 100 * HOUR
    points = {"low": 5, "medium": 10, "high": 20, "critical": 40}
    weight = {None: 1.0, "confirmed": 0.5, "false_positive": 0.0}
    found = [one for one in documents if first < one["at"] <= last]
    # when / then
    expected = sum(points[one["severity"]] * weight[one["outcome"]] for one in found)
    assert await violations.cost(first, last) == expected
    assert await violations.cost(NOON, NOON + HOUR) == 0
