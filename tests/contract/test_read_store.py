"""The read models: in memory, on MongoDB through Motor, on MongoDB through PyMongo Async."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from projection_worker.dead_letters.store import DeadLetters
from query_service.read_store.family_counts import FamilyCounts
from query_service.read_store.live_generation import LiveGeneration
from query_service.read_store.mongo import MongoReadModels
from query_service.read_store.port import ChildFilter, PageEnd, ReadModelDatabase
from shared.clock import utc_now
from shared.mongo import Mongo
from shared.read_models.documents import ChildStatus, EngagementLevel, Model, SafetyStatus
from shared.read_models.generations import Generation, note_projected, projected_through
from tests.contract.conftest import Place
from tests.fakes.read_store import MemoryReadModels
from tests.support.read_model_builders import (
    NOON,
    activity_document,
    alert_document,
    child_document,
    conversation_document,
    safety_document,
    system_document,
    violation,
)

HOUR = timedelta(hours=1)

Put = Callable[[Model, Mapping[str, Any]], Awaitable[None]]
MarkStale = Callable[[str, datetime], Awaitable[None]]
NoteProjected = Callable[[float], Awaitable[None]]
"""That all was projected so many seconds ago."""


@dataclass(frozen=True)
class ReadModels:
    """A store, and how to put documents into it."""

    store: ReadModelDatabase
    put: Put
    mark_stale: MarkStale
    note_projected: NoteProjected

    async def children(self, *documents: Mapping[str, Any]) -> None:
        for document in documents:
            await self.put(Model.CHILDREN, document)


@pytest.fixture
async def models(place: Place | None) -> AsyncIterator[ReadModels]:
    if place is None:
        memory = MemoryReadModels()

        async def remember(child_id: str, since: datetime) -> None:
            memory.stale[child_id] = since

        async def note_in_memory(seconds_ago: float) -> None:
            memory.through = utc_now() - timedelta(seconds=seconds_ago)

        yield ReadModels(memory, _into_memory(memory), remember, note_in_memory)
        return
    mongo = Mongo(place.url, place.driver)
    database = mongo.database(place.database)

    async def put(model: Model, document: Mapping[str, Any]) -> None:
        await Generation(1).collection(database, model).insert_one(dict(document))

    async def mark(child_id: str, since: datetime) -> None:
        await DeadLetters(database, lambda: since, Generation(1)).mark({child_id: "poison"})
        await DeadLetters(database, lambda: since, Generation(2)).mark({"tom": "poison"})

    live = LiveGeneration(database, lambda: 0.0, lambda: None)
    note = partial(note_projected, database)
    yield ReadModels(MongoReadModels(database, live), put, mark, note)
    await mongo.close()


def _into_memory(memory: MemoryReadModels) -> Put:
    places: dict[Model, Any] = {
        Model.CHILDREN: memory.children,
        Model.CONVERSATIONS: memory.conversations,
        Model.SAFETY: memory.safety_documents,
        Model.ACTIVITY: memory.activity_days,
        Model.ALERTS: memory.alerts,
        Model.SYSTEM: memory.system,
    }

    async def put(model: Model, document: Mapping[str, Any]) -> None:
        places[model][document["_id"]] = document

    return put


def ids(documents: Any) -> list[str]:
    return [document["_id"] for document in documents]


async def test_a_store_that_is_there_answers_a_ping(models: ReadModels) -> None:
    await models.store.ping()


async def test_up_to_when_all_is_projected_is_reported_once_a_worker_has_noted_it(
    models: ReadModels,
) -> None:
    # given
    await models.note_projected(60)
    # when
    through = await models.store.projected_through()
    # then
    assert through is not None
    assert abs(utc_now() - timedelta(seconds=60) - through) < timedelta(seconds=30)


async def test_nobody_knows_up_to_when_all_is_projected_before(models: ReadModels) -> None:
    assert await models.store.projected_through() is None


async def test_the_projected_version_is_the_version_of_the_childs_document(
    models: ReadModels,
) -> None:
    # given
    await models.children(
        child_document("lena", version=7), child_document("tom", version=9, status="erased")
    )
    # when / then
    assert await models.store.projected_version("lena") == 7
    assert await models.store.projected_version("tom") == 9
    assert await models.store.projected_version("nobody") == 0


async def test_a_child_is_found_as_it_was_written(models: ReadModels) -> None:
    # given
    document = child_document("lena", learning_metrics={"counting": 2}, last_interaction_at=NOON)
    await models.children(document)
    # when
    found = await models.store.child("lena", None)
    # then
    assert found == document


async def test_a_child_is_found_only_for_its_own_parent(models: ReadModels) -> None:
    # given
    await models.children(child_document("lena", parent_id="weiss"))
    # when / then
    assert await models.store.child("lena", "weiss")
    assert await models.store.child("lena", "braun") is None
    assert await models.store.child("nobody", None) is None


async def test_an_erased_child_is_found_nowhere(models: ReadModels) -> None:
    # given
    await models.children(child_document("lena", parent_id="weiss", status="erased"))
    # when / then
    assert await models.store.child("lena", None) is None
    of_family = ChildFilter(parent_ids=("weiss",))
    assert list(await models.store.search(of_family, None, 10)) == []
    assert await models.store.count_family("weiss") == FamilyCounts()
    assert list(await models.store.search(ChildFilter(), None, 10)) == []
    assert list(await models.store.search(ChildFilter(status=ChildStatus.ERASED), None, 10)) == []


async def test_a_parents_children_come_the_newest_first(models: ReadModels) -> None:
    # given
    await models.children(
        child_document("old", parent_id="weiss", created_at=NOON - HOUR),
        child_document("new", parent_id="weiss", created_at=NOON, status="deactivated"),
        child_document("other", parent_id="braun"),
    )
    # when / then
    of_family = ChildFilter(parent_ids=("weiss",))
    assert ids(await models.store.search(of_family, None, 10)) == ["new", "old"]
    assert ids(await models.store.search(of_family, None, 1)) == ["new"]
    assert ids(await models.store.search(of_family, PageEnd(NOON, "new"), 10)) == ["old"]


async def test_a_family_is_counted_without_those_who_were_erased(models: ReadModels) -> None:
    # given
    counts: dict[str, Any] = {
        "conversation_count": 4,
        "total_messages": 20,
        "total_minutes": 10.5,
        "safety_violations_count": 2,
        "open_violations_count": 1,
        "flagged_content_count": 3,
    }
    await models.children(
        child_document("lena", parent_id="weiss", **counts),
        child_document("leo", parent_id="weiss", **counts, status="deactivated"),
        child_document("tom", parent_id="weiss", **counts, status="erased"),
        child_document("mia", parent_id="braun", **counts),
    )
    for number, (parent_id, read_at) in enumerate(
        (("weiss", None), ("weiss", None), ("weiss", NOON), ("braun", None))
    ):
        alert = alert_document(f"a{number}", parent_id=parent_id, acknowledged_at=read_at)
        await models.put(Model.ALERTS, alert)
    never_read = {**alert_document("older", parent_id="weiss")}
    never_read.pop("acknowledged_at", None)
    await models.put(Model.ALERTS, never_read)
    # when / then
    assert await models.store.count_family("weiss") == FamilyCounts(
        children=2,
        conversation_count=8,
        total_messages=40,
        total_minutes=21.0,
        safety_violations_count=4,
        open_violations_count=2,
        flagged_content_count=6,
        unread_alerts=3,
    )


async def test_each_child_has_its_own_recent_conversations(models: ReadModels) -> None:
    # given
    await models.children(child_document("lena"), child_document("tom"), child_document("mia"))
    for child_id in ("lena", "mia"):
        for number in range(4):
            started_at = NOON + number * HOUR
            talk = conversation_document(child_id, f"c{number}", started_at=started_at)
            await models.put(Model.CONVERSATIONS, talk)
    # when
    recent = await models.store.recent_conversations(["lena", "tom"], 2)
    # then
    assert {child: ids(talks) for child, talks in recent.items()} == {
        "lena": ["lena/c3", "lena/c2"],
        "tom": [],
    }
    assert await models.store.recent_conversations([], 2) == {}


async def test_a_safety_document_is_found_once_there_is_one(models: ReadModels) -> None:
    # given
    document = safety_document("lena", violation("v1"))
    await models.put(Model.SAFETY, document)
    # when / then
    assert await models.store.safety("lena") == document
    assert await models.store.safety("tom") is None


async def test_activity_is_found_by_days_both_included(models: ReadModels) -> None:
    # given
    for day in ("2026-11-24", "2026-11-21", "2026-11-23", "2026-11-22"):
        await models.put(Model.ACTIVITY, activity_document("lena", day))
    await models.put(Model.ACTIVITY, activity_document("tom", "2026-11-22"))
    # when
    found = await models.store.activity("lena", "2026-11-22", "2026-11-23")
    # then
    assert ids(found) == ["lena@2026-11-22", "lena@2026-11-23"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ChildFilter(), ["lena", "tom"]),
        (ChildFilter(name_tokens=("t1",)), ["lena", "tom"]),
        (ChildFilter(name_tokens=("t1", "t2")), ["lena"]),
        (ChildFilter(name_tokens=("t4",)), []),
        (ChildFilter(age_min=6), ["tom"]),
        (ChildFilter(age_max=5), ["lena"]),
        (ChildFilter(age_min=5, age_max=9), ["lena", "tom"]),
        (ChildFilter(parent_ids=("weiss",)), ["lena"]),
        (ChildFilter(parent_ids=("weiss", "weiss")), ["lena"]),
        (ChildFilter(parent_ids=("weiss", "braun")), []),
        (ChildFilter(safety_status=SafetyStatus.FAIR), ["tom"]),
        (ChildFilter(engagement_level=EngagementLevel.ACTIVE), ["lena"]),
        (ChildFilter(status=ChildStatus.DEACTIVATED), ["tom"]),
        (ChildFilter(status=ChildStatus.ACTIVE, safety_status=SafetyStatus.FAIR), []),
    ],
)
async def test_a_search_finds_what_meets_every_condition(
    models: ReadModels, wanted: ChildFilter, found: list[str]
) -> None:
    # given
    lena = child_document(
        "lena", parent_id="weiss", age=5, name_tokens=["t1", "t2"], engagement_level="active"
    )
    tom = child_document(
        "tom",
        parent_id="braun",
        age=9,
        name_tokens=["t1", "t3"],
        safety_status="fair",
        status="deactivated",
    )
    await models.children(lena, tom)
    # when / then
    assert ids(await models.store.search(wanted, None, 10)) == found


async def test_a_search_goes_on_where_a_page_ended(models: ReadModels) -> None:
    # given children of whom two were created at the same moment
    for number in range(5):
        created_at = NOON + number // 2 * HOUR
        await models.children(child_document(f"c{number}", created_at=created_at))
    # when
    seen: list[str] = []
    after = None
    while page := await models.store.search(ChildFilter(), after, 2):
        seen += ids(page)
        after = PageEnd(page[-1]["created_at"], page[-1]["_id"])
    # then
    assert seen == ["c4", "c2", "c3", "c0", "c1"]


async def test_alerts_are_a_parents_and_come_in_pages(models: ReadModels) -> None:
    # given
    for number in range(5):
        raised_at = NOON + number // 2 * HOUR
        alert = alert_document(f"a{number}", parent_id="weiss", raised_at=raised_at)
        await models.put(Model.ALERTS, alert)
    await models.put(Model.ALERTS, alert_document("other", parent_id="braun"))
    # when
    seen: list[str] = []
    after = None
    while page := await models.store.alerts_of("weiss", after, 2):
        seen += ids(page)
        after = PageEnd(page[-1]["raised_at"], page[-1]["_id"])
    # then
    assert seen == ["a4", "a2", "a3", "a0", "a1"]


async def test_conversations_of_a_child_come_in_pages_the_newest_first(models: ReadModels) -> None:
    # given
    for number in range(5):
        started_at = NOON + number // 2 * HOUR
        talk = conversation_document("lena", f"c{number}", started_at=started_at)
        await models.put(Model.CONVERSATIONS, talk)
    await models.put(Model.CONVERSATIONS, conversation_document("tom", "c0"))
    # when
    seen: list[str] = []
    after = None
    while page := await models.store.conversations_page("lena", after, 2):
        seen += ids(page)
        after = PageEnd(page[-1]["started_at"], page[-1]["_id"])
    # then
    assert seen == ["lena/c4", "lena/c2", "lena/c3", "lena/c0", "lena/c1"]


async def test_minutes_of_open_conversations_are_spread_over_their_days(models: ReadModels) -> None:
    # given one that began before the period, some at each hour of four days, and others
    starts = {f"c{hours}": NOON - hours * HOUR for hours in range(1, 96)}
    for name, at in starts.items():
        talk = conversation_document("lena", name, started_at=at)
        await models.put(Model.CONVERSATIONS, talk)
    for name, fields in {
        "early": {"started_at": NOON - 200 * HOUR},
        "ended": {"started_at": NOON - HOUR, "ended_at": NOON},
        "later": {"started_at": NOON + HOUR},
    }.items():
        talk = conversation_document("lena", name, **fields)
        await models.put(Model.CONVERSATIONS, talk)
    await models.put(Model.CONVERSATIONS, conversation_document("tom", "c1"))
    # when
    since = NOON - 60 * HOUR
    minutes = await models.store.open_minutes("lena", since, NOON)
    # then each counts for four hours at most, which is the limit where none is set
    expected: Counter[str] = Counter()
    for at in starts.values():
        for quarter in range(16):
            moment = at + quarter * HOUR / 4
            if since - 24 * HOUR <= at and moment < NOON:
                expected[moment.date().isoformat()] += 15
    assert dict(minutes) == dict(expected)
    assert await models.store.open_minutes("nobody", since, NOON) == {}
    assert await models.store.conversation_limit() == 4 * HOUR


async def test_what_was_delivered_is_counted_by_channel_in_all_alerts_of_a_child(
    models: ReadModels,
) -> None:
    # given
    for number, delivered in enumerate(({}, {"in_app": NOON}, {"in_app": NOON, "email": NOON})):
        alert = alert_document(f"a{number}", child_id="lena", delivered=delivered)
        await models.put(Model.ALERTS, alert)
    await models.put(Model.ALERTS, alert_document("a9", child_id="tom", delivered={"email": NOON}))
    # when / then
    assert await models.store.delivered_about("lena") == 3
    assert await models.store.delivered_about("nobody") == 0


async def test_unread_alerts_are_counted_for_each_child(models: ReadModels) -> None:
    # given two unread ones of Lena, one of them of read models that know no acknowledgements
    old = {**alert_document("a0", child_id="lena")}
    del old["acknowledged_at"]
    await models.put(Model.ALERTS, old)
    for number, (child, read_at) in enumerate(
        [("lena", None), ("lena", NOON), ("tom", NOON), ("emma", None)], 1
    ):
        alert = alert_document(f"a{number}", child_id=child, acknowledged_at=read_at)
        await models.put(Model.ALERTS, alert)

    assert dict(await models.store.unread_alerts(["lena", "tom", "nobody"])) == {"lena": 2}


async def test_children_that_are_dead_lettered_are_reported_with_since_when(
    models: ReadModels,
) -> None:
    # given
    await models.mark_stale("lena", NOON)
    await models.mark_stale("without-a-document", NOON + HOUR)
    # when
    stale = await models.store.stale_since(["lena", "tom", "without-a-document"])
    # then
    assert stale == {"lena": NOON, "without-a-document": NOON + HOUR}
    assert await models.store.stale_since(["tom"]) == {}


async def test_system_counters_are_the_sum_of_the_shards(models: ReadModels) -> None:
    # given
    assert await models.store.system_counters() == {}
    await models.put(Model.SYSTEM, system_document("0", messages=3, violations=1))
    await models.put(Model.SYSTEM, system_document("1", messages=4, flagged=-1))
    # when / then
    assert await models.store.system_counters() == {"messages": 7, "violations": 1, "flagged": -1}


async def test_what_is_known_to_be_projected_never_goes_back(
    mongo_url: str, fresh_database: str
) -> None:
    # given two workers, one of which began later and still waits for something older
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    await note_projected(database, 1)
    known = await projected_through(database)
    # when
    await note_projected(database, 3_600)
    # then
    assert await projected_through(database) == known
    await mongo.close()
