"""One reading of the figures of business serves whoever asks, for half a minute."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from query_service.business_metrics import REFRESH_SECONDS
from query_service.queries.get_system_analytics import (
    GetSystemAnalytics,
    GetSystemAnalyticsHandler,
)
from query_service.queries.visible_children import Scope
from query_service.read_store.business_figures import BusinessFigures
from query_service.read_store.port import ReadStoreUnavailable
from query_service.read_store.recent_figures import KEPT, RecentFigures
from shared.clock import iso
from tests.support.query_side import ADMIN, ANALYST, QuerySide
from tests.support.read_model_builders import NOON, system_document

SECOND = timedelta(seconds=1)
PATH = "/v1/system/analytics"


class Readings:
    """Counts how often the figures are read; while they are held, no reading ends."""

    def __init__(self, side: QuerySide, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()
        self.error: Exception | None = None
        self._read = side.store.figures
        monkeypatch.setattr(side.store, "figures", self.figures)

    async def figures(self, now: datetime) -> BusinessFigures:
        self.count += 1
        self.begun.set()
        await self.free.wait()
        if self.error is not None:
            raise self.error
        return await self._read(now)


@pytest.fixture
def readings(side: QuerySide, monkeypatch: pytest.MonkeyPatch) -> Readings:
    return Readings(side, monkeypatch)


async def asked(side: QuerySide) -> Any:
    """What is read, not what the cache has."""
    side.cache.clear()
    return (await side.get(PATH, ANALYST)).json()


async def test_metrics_and_answers_come_from_one_reading(side: QuerySide, readings: Readings):
    # given
    await side.service.business.refresh()
    # when a console asks every 5 s
    for _ in range(5):
        side.now += 5 * SECOND
        answer = await asked(side)
        assert answer["figures_at"] == iso(NOON)
    # then
    assert readings.count == 1
    side.now += 5 * SECOND
    assert (await asked(side))["figures_at"] == iso(NOON + KEPT)
    assert readings.count == 2


async def test_metrics_do_not_have_read_again_what_an_answer_read(
    side: QuerySide, readings: Readings, monkeypatch: pytest.MonkeyPatch
):
    # given a process that reads them for its metrics, and a console in between
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        side.now += timedelta(seconds=seconds)
        if len(pauses) == 1:
            await asked(side)
            side.now += 10 * SECOND
        if len(pauses) == 4:
            raise asyncio.CancelledError

    with monkeypatch.context() as held:
        held.setattr("query_service.business_metrics.asyncio.sleep", pause)
        with pytest.raises(asyncio.CancelledError):
            await side.service.business.follow()
    # then
    assert pauses == [REFRESH_SECONDS, 20.0, REFRESH_SECONDS, REFRESH_SECONDS]
    assert readings.count == 4


async def test_who_asks_while_they_are_read_waits_for_that_reading(
    side: QuerySide, readings: Readings
):
    # given
    figures = side.service.figures
    readings.free.clear()
    waiting = [asyncio.create_task(figures.recent()) for _ in range(3)]
    refreshing = asyncio.create_task(side.service.business.refresh())
    await readings.begun.wait()
    # when the one who asked first leaves
    waiting[0].cancel()
    readings.free.set()
    found = await asyncio.gather(*waiting[1:])
    await refreshing
    # then
    assert readings.count == 1
    assert found[0] is found[1] is figures.last
    assert waiting[0].cancelled()


async def test_on_another_day_they_are_read_again(side: QuerySide, readings: Readings):
    side.now = NOON.replace(hour=23, minute=59, second=50)
    await asked(side)
    side.now += 10 * SECOND
    days = [day["day"] for day in (await asked(side))["days"]]
    assert (days, readings.count) == (["2026-11-23", "2026-11-24"], 2)


async def test_a_reading_that_was_under_way_at_midnight_is_not_of_today(
    side: QuerySide, readings: Readings
):
    # given
    side.now = NOON.replace(hour=23, minute=59, second=59)
    readings.free.clear()
    waiting = asyncio.create_task(asked(side))
    await readings.begun.wait()
    # when
    side.now += 2 * SECOND
    readings.free.set()
    days = [day["day"] for day in (await waiting)["days"]]
    # then
    assert (days, readings.count) == (["2026-11-23", "2026-11-24"], 2)


async def test_a_clock_that_was_set_back_keeps_no_reading_for_longer(
    side: QuerySide, readings: Readings
):
    await asked(side)
    side.now -= 2 * SECOND
    await asked(side)
    assert readings.count == 2


@pytest.mark.parametrize("error", [ReadStoreUnavailable("away"), KeyError("at")], ids=str)
async def test_a_reading_that_failed_is_not_kept(
    side: QuerySide, readings: Readings, error: Exception
):
    # given
    figures = RecentFigures(side.store, lambda: side.now)
    await figures.recent()
    side.now += KEPT
    readings.error = error
    with pytest.raises(type(error)):
        await figures.recent()
    assert figures.last is None
    # when
    readings.error = None
    # then
    assert (await figures.recent()).at == side.now


async def test_what_the_counters_say_is_as_new_as_ever(side: QuerySide, readings: Readings):
    side.store.system["0"] = system_document("0", children_active=2)
    assert (await asked(side))["children"]["active"] == 2
    side.store.system["0"] = system_document("0", children_active=3)
    assert (await asked(side))["children"]["active"] == 3
    assert readings.count == 1


async def test_an_answer_says_how_old_its_figures_are_and_is_not_kept_for_longer(
    side: QuerySide, readings: Readings
):
    # given figures of ten seconds ago; since then more was projected
    figures = RecentFigures(side.store, lambda: side.now)
    handler = GetSystemAnalyticsHandler(side.store, figures, lambda: side.now, 900)
    scope = Scope.of(ADMIN, "GetSystemAnalytics")
    side.store.through = NOON - SECOND
    first = await handler.handle(GetSystemAnalytics(), scope)
    side.now += 10 * SECOND
    side.store.through = NOON + 9 * SECOND
    # when
    second = await handler.handle(GetSystemAnalytics(), scope)
    # then
    assert (first.ttl, second.ttl) == (900, 20)
    assert first.as_of == second.as_of == NOON - SECOND
    assert readings.count == 1


async def test_a_reading_under_way_ends_with_its_process(side: QuerySide, readings: Readings):
    readings.free.clear()
    waiting = asyncio.create_task(side.service.figures.recent())
    await readings.begun.wait()
    await side.service.figures.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
