"""The whole system's days and figures, from facts to read models to what is answered."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from projection_worker.projections import registry
from projection_worker.records import deliver
from query_service.queries.get_system_series import GetSystemSeries, GetSystemSeriesHandler
from query_service.queries.visible_children import Scope
from query_service.read_store.business_figures import (
    BusinessFigures,
    OpenViolations,
    Resolutions,
)
from query_service.read_store.live_generation import LiveGeneration
from query_service.read_store.mongo import MongoReadModels
from query_service.sql.daily import DailySeries
from query_service.sql.runner import SqlLimits, SqlRunner
from query_service.sql.snapshots import snapshot_of_read_models
from shared.events.child import ChildEvent, Severity
from shared.mongo import Mongo
from shared.read_models.deliveries import ensure_delivery_indexes
from shared.read_models.generations import Generation, KeptGeneration
from shared.read_models.indexes import ensure_read_model_indexes
from tests.support.processes import store_settings
from tests.support.projection_facts import (
    NOON,
    ended,
    erased,
    later,
    message,
    registered,
    reported,
    resolved,
    started,
)
from tests.support.projection_side import GENERATION, ProjectionSide
from tests.support.query_side import ANALYST

LEO = "0c9b7f6e-2222-4a7b-8a55-3f1f0a9d0002"
A_DAY_LATER = 24 * 60
FIRST, SECOND = NOON.date(), NOON.date() + timedelta(days=1)
MIAS: Sequence[ChildEvent] = (
    registered(),
    started(),
    message(),
    message(minutes=3),
    reported(1, Severity.CRITICAL, minutes=2),
    reported(2, Severity.LOW, minutes=3),
    resolved(1, Severity.CRITICAL),
    ended(),
)
LEOS: Sequence[ChildEvent] = tuple(
    replace(one, child_id=LEO)
    for one in (
        registered(),
        started(minutes=A_DAY_LATER),
        message(minutes=A_DAY_LATER + 1),
        reported(3, Severity.HIGH, minutes=A_DAY_LATER + 2),
        ended(start=A_DAY_LATER, end=A_DAY_LATER + 30),
    )
)
NONE = {"low": 0, "medium": 0, "high": 0, "critical": 0}
QUIET: dict[str, Any] = dict.fromkeys(
    ("registrations", "active_children", "conversations", "messages", "resolved_violations"), 0
) | {"minutes": 0.0, "violations_by_severity": NONE, "hours_to_resolution": None}


@pytest.fixture
async def side(
    mongo_url: str, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProjectionSide]:
    for name, value in store_settings(mongo_url, fresh_database, "READ").items():
        monkeypatch.setenv(name, value)
    mongo = Mongo(mongo_url, "pymongo")
    database = mongo.database(fresh_database)
    await ensure_read_model_indexes(database, GENERATION)
    await ensure_delivery_indexes(database)
    side = ProjectionSide(mongo, database)
    await side.keep(KeptGeneration(GENERATION, registry.VERSION))
    await side.project(await side.happened(*MIAS, *LEOS))
    yield side
    await mongo.close()


async def days_of() -> dict[date, dict[str, Any]]:
    """The days of a new snapshot on which anything happened, as they are answered."""
    runner = SqlRunner(SqlLimits(seconds=60), time.monotonic, snapshot_of_read_models)
    handler = GetSystemSeriesHandler(DailySeries(runner, time.monotonic), lambda: NOON)
    asked = GetSystemSeries(FIRST - timedelta(days=1), SECOND + timedelta(days=1))
    answer = await handler.handle(asked, Scope.of(ANALYST, "GetSystemSeries"))
    await runner.close()
    days = {day.pop("day"): day for day in answer.content.model_dump()["days"]}
    assert len(days) == 4
    return {day: found for day, found in days.items() if found != QUIET}


async def figures_of(side: ProjectionSide) -> BusinessFigures:
    live = LiveGeneration(side.database, time.monotonic, lambda: None)
    return await MongoReadModels(side.database, live).figures(later(A_DAY_LATER + 60))


LEO_ALONE = {
    FIRST: QUIET | {"registrations": 1},
    SECOND: QUIET
    | {"active_children": 1, "conversations": 1, "messages": 1, "minutes": 30.0}
    | {"violations_by_severity": NONE | {"high": 1}},
}


async def test_days_are_what_happened_and_who_is_erased_leaves_them(side: ProjectionSide) -> None:
    mias = {"active_children": 1, "conversations": 1, "messages": 2, "minutes": 12.5}
    reports = {"violations_by_severity": NONE | {"critical": 1, "low": 1}}
    # reported two minutes after noon, and resolved five after it
    resolution = {"resolved_violations": 1, "hours_to_resolution": 0.1}
    expected = {
        FIRST: QUIET | {"registrations": 2} | mias | reports | resolution,
        SECOND: LEO_ALONE[SECOND],
    }
    assert await days_of() == expected
    await side.project(await side.happened(erased()))
    assert await days_of() == LEO_ALONE


async def test_figures_stand_after_a_rebuild_and_without_who_is_erased(
    side: ProjectionSide,
) -> None:
    # given
    first, second = FIRST.isoformat(), SECOND.isoformat()
    found = await figures_of(side)
    assert found.registrations == {first: 2}
    assert found.active_children == {first: 1, second: 1}
    assert found.open_violations == {
        "low": OpenViolations(1, later(3)),
        "high": OpenViolations(1, later(A_DAY_LATER + 2)),
    }
    assert found.resolutions == {"critical": Resolutions(1, 1, 180.0)}
    # when
    rebuilt = Generation(2)
    await ensure_read_model_indexes(side.database, rebuilt)
    everything = [KeptGeneration(one, registry.VERSION) for one in (GENERATION, rebuilt)]
    await side.keep(*everything, live=2)
    await side.another_projector(rebuilt).project([deliver(one) for one in side.records])
    # then
    assert await figures_of(side) == found
    # when
    await side.workers.project(await side.happened(erased()))
    left = await figures_of(side)
    assert left.registrations == {first: 1}
    assert left.active_children == {second: 1}
    assert left.open_violations == {"high": OpenViolations(1, later(A_DAY_LATER + 2))}
    assert left.resolutions == {}
