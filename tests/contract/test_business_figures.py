"""The figures of business: counted in memory and on MongoDB, and what that reads there."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from query_service.read_store import figures_in_mongo
from query_service.read_store.business_figures import OpenViolations, Resolutions
from query_service.read_store.live_generation import LiveGeneration
from query_service.read_store.mongo import MongoReadModels
from query_service.read_store.port import ReadModelDatabase
from shared.mongo import Collection, Mongo
from shared.read_models import deliveries as notifications
from shared.read_models.deliveries import DeliveryDocument, delivery_of, ensure_delivery_indexes
from shared.read_models.documents import Model
from shared.read_models.generations import POINTER_COLLECTION, POINTER_ID, Generation
from shared.read_models.indexes import ensure_read_model_indexes
from tests.contract.conftest import Place
from tests.fakes.read_store import MemoryReadModels
from tests.support.read_model_builders import (
    NOON,
    activity_document,
    alert_document,
    child_document,
    violation_document,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)
LIVE = Generation(3)


def resolved(violation_id: str, severity: str, took: timedelta, ago: timedelta) -> dict[str, Any]:
    at = NOON - ago
    fields: dict[str, Any] = {"outcome": "confirmed", "resolved_at": at, "at": at - took}
    return dict(violation_document("mia", violation_id, severity=severity, **fields))


def delivery(alert_id: str, channel: str, state: str, ago: timedelta) -> DeliveryDocument:
    alert = alert_document(alert_id, raised_at=NOON - ago)
    made = {**delivery_of(alert, channel, NOON), "state": state}
    return cast(DeliveryDocument, made)


CHILDREN: Sequence[Any] = [
    child_document("mia", created_at=MIDNIGHT),
    child_document("leo", created_at=MIDNIGHT - MOMENT, status="deactivated"),
    child_document("tom", created_at=MIDNIGHT - DAY),
    child_document("ida", created_at=MIDNIGHT - DAY - MOMENT),
    child_document("eva", created_at=MIDNIGHT + HOUR, status="erased"),
]
ACTIVITY: Sequence[Any] = [
    activity_document("mia", "2026-11-23"),
    activity_document("mia", "2026-11-22"),
    activity_document("leo", "2026-11-22"),
    activity_document("leo", "2026-11-21"),
]
VIOLATIONS: Sequence[Any] = [
    violation_document("mia", "v1", severity="low", at=NOON - HOUR),
    violation_document("leo", "v1", severity="low", at=NOON - 900 * DAY),
    violation_document("leo", "v2", severity="critical", at=NOON),
    resolved("v2", "high", took=24 * HOUR, ago=30 * DAY),
    resolved("v3", "high", took=24 * HOUR + MOMENT, ago=HOUR),
    resolved("v4", "low", took=timedelta(), ago=HOUR),
    resolved("v5", "low", took=HOUR, ago=30 * DAY + MOMENT),
]
DELIVERIES: Sequence[DeliveryDocument] = [
    delivery("a1", "email", "delivered", 30 * DAY),
    delivery("a2", "email", "delivered", HOUR),
    delivery("a3", "email", "failed", HOUR),
    delivery("a4", "in_app", "pending", HOUR),
    delivery("a5", "in_app", "delivered", 30 * DAY + MOMENT),
]


async def begin(database: Any, projections: int) -> None:
    kept = [{"generation": LIVE.number, "projections": projections, "was_live": True}]
    pointer = {"_id": POINTER_ID, "generation": LIVE.number, "kept": kept}
    await database[POINTER_COLLECTION].insert_one(pointer)
    await ensure_read_model_indexes(database, LIVE)
    await ensure_delivery_indexes(database)
    for model, documents in (
        (Model.CHILDREN, CHILDREN),
        (Model.ACTIVITY, ACTIVITY),
        (Model.VIOLATIONS, VIOLATIONS),
    ):
        await LIVE.collection(database, model).insert_many([dict(one) for one in documents])
    await notifications.deliveries(database).insert_many([dict(one) for one in DELIVERIES])


@pytest.fixture(params=[7, 6])
async def store(
    request: pytest.FixtureRequest, place: Place | None
) -> AsyncIterator[tuple[int, ReadModelDatabase]]:
    """The version of the projections, and what they made."""
    if place is None:
        memory = MemoryReadModels()
        memory.projections = request.param
        memory.children = {one["_id"]: one for one in CHILDREN}
        memory.activity_days = {one["_id"]: one for one in ACTIVITY}
        memory.violations = {one["_id"]: one for one in VIOLATIONS}
        memory.deliveries = {one["_id"]: one for one in DELIVERIES}
        yield request.param, memory
        return
    mongo = Mongo(place.url, place.driver)
    database = mongo.database(place.database)
    await begin(database, request.param)
    live = LiveGeneration(database, lambda: 0.0, lambda: None)
    yield request.param, MongoReadModels(database, live)
    await mongo.close()


async def test_each_figure_is_counted_where_it_is(store: tuple[int, ReadModelDatabase]) -> None:
    projections, models = store
    found = await models.figures(NOON)
    assert found.registrations == {"2026-11-22": 2, "2026-11-23": 1}
    assert found.active_children == {"2026-11-22": 2, "2026-11-23": 1}
    assert found.deliveries == {
        ("email", "delivered"): 2,
        ("email", "failed"): 1,
        ("in_app", "pending"): 1,
    }
    if projections < 7:
        # these hold violations in another place
        assert (found.open_violations, found.resolutions) == (None, None)
        return
    assert found.open_violations == {
        "low": OpenViolations(2, NOON - 900 * DAY),
        "critical": OpenViolations(1, NOON),
    }
    assert found.resolutions == {
        "high": Resolutions(2, soon=1, seconds=48 * 3_600 + 0.001),
        "low": Resolutions(1, soon=1, seconds=0.0),
    }


async def test_nothing_at_all_is_nothing(place: Place | None) -> None:
    if place is None:
        found = await MemoryReadModels().figures(NOON)
    else:
        mongo = Mongo(place.url, place.driver)
        live = LiveGeneration(mongo.database(place.database), lambda: 0.0, lambda: None)
        found = await MongoReadModels(mongo.database(place.database), live).figures(NOON)
        await mongo.close()
    assert (found.registrations, found.active_children) == ({}, {})
    assert found.deliveries == {}
    assert not found.open_violations
    assert not found.resolutions


async def examined(database: Any, command: dict[str, Any]) -> tuple[int, int]:
    """Keys and documents that the server reads for it."""
    plan = await database.command({"explain": command, "verbosity": "executionStats"})
    stats = plan.get("executionStats") or plan["stages"][0]["$cursor"]["executionStats"]
    return stats["totalKeysExamined"], stats["totalDocsExamined"]


@pytest.fixture
async def crowded(mongo_url: str, fresh_database: str) -> AsyncIterator[Any]:
    """A database with a thousand of each beside them, all before the period."""
    mongo = Mongo(mongo_url, "pymongo")
    database = mongo.database(fresh_database)
    await begin(database, 7)
    long_ago = 400 * DAY
    await LIVE.collection(database, Model.VIOLATIONS).insert_many(
        [resolved(f"old-{number}", "low", HOUR, long_ago) for number in range(1_000)]
    )
    await notifications.deliveries(database).insert_many(
        [dict(delivery(f"o{number}", "email", "delivered", long_ago)) for number in range(1_000)]
    )
    await LIVE.collection(database, Model.ACTIVITY).insert_many(
        [dict(activity_document(f"c{number}", "2025-01-01")) for number in range(1_000)]
    )
    yield database
    await mongo.close()


async def test_what_is_counted_by_period_is_read_from_its_index_alone(
    crowded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    read: dict[str, tuple[int, int]] = {}

    async def explained(collection: Collection, pipeline: Any, **options: Any) -> Any:
        assert options["maxTimeMS"] > 0
        command = {"aggregate": collection.name, "pipeline": list(pipeline), "cursor": {}}
        if "outcome" not in pipeline[0]["$match"]:
            read[collection.name] = await examined(crowded, command)
        nothing: list[Any] = []
        for one in nothing:
            yield one

    monkeypatch.setattr(figures_in_mongo, "aggregate", explained)
    monkeypatch.setattr(notifications, "aggregate", explained)
    live = LiveGeneration(crowded, lambda: 0.0, lambda: None)
    # when
    await MongoReadModels(crowded, live).figures(NOON)
    # then: those that are open have no period
    days = LIVE.collection_name(Model.ACTIVITY)
    read[days] = await examined(crowded, {"count": days, "query": {"day": "2026-11-22"}})
    for name in (days, LIVE.collection_name(Model.VIOLATIONS), "deliveries"):
        keys, documents = read[name]
        assert keys < 10, (name, read[name])
        assert documents == 0, (name, read[name])
