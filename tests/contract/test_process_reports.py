"""What processes say of themselves, as MongoDB keeps it and the query API reads it."""

import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from query_service.read_store.process_reports import KnownReports, MongoProcessReports
from shared.mongo import Database, Driver, Mongo
from shared.process_reports.documents import (
    COLLECTION,
    SAMPLES,
    Measured,
    ProcessReport,
    Run,
    note_end,
    note_report,
    read_reports,
)

NAME = "worker@host:8003"
MEASURED = Measured({"rate": 3.5, "lag": 7.0}, {0: 7, 11: 0})
A_SECOND = timedelta(seconds=1)


@pytest.fixture(params=["motor", "pymongo"])
def driver(request: pytest.FixtureRequest) -> Driver:
    chosen: Driver = request.param
    return chosen


@pytest_asyncio.fixture
async def database(mongo_url: str, fresh_database: str, driver: Driver) -> AsyncIterator[Database]:
    mongo = Mongo(mongo_url, driver)
    yield mongo.database(fresh_database)
    await mongo.close()


def run(number: int, name: str = NAME) -> Run:
    return Run(name, name.partition("@")[0], f"run-{number}")


async def only(database: Database) -> ProcessReport:
    (report,) = await read_reports(database)
    return report


async def moved(database: Database, fields: Mapping[str, Any], name: str = NAME) -> None:
    await database[COLLECTION].update_one({"_id": name}, {"$set": fields})


async def test_a_report_tells_since_when_its_process_runs_and_what_it_measured(
    database: Database,
):
    await note_report(database, run(1), 90.0, MEASURED)
    report = await only(database)
    assert (report.name, report.kind, report.starts) == (NAME, "worker", 1)
    assert report.seen_at - report.started_at == timedelta(seconds=90)
    assert report.measured == MEASURED
    assert not report.is_silent


async def test_a_process_that_starts_again_counts_its_starts_in_the_same_document(
    database: Database,
):
    # given
    for _ in range(3):
        await note_report(database, run(1), 1.0, MEASURED)
    first = await only(database)
    assert first.starts == 1
    # when
    await note_report(database, run(2), 1.0, MEASURED)
    # then
    second = await only(database)
    assert (second.name, second.starts) == (NAME, 2)
    assert second.started_at > first.started_at


async def test_what_is_no_longer_measured_is_gone(database: Database):
    await note_report(database, run(1), 1.0, MEASURED)
    await note_report(database, run(1), 1.0, Measured({"lag": 1.0}, {3: 1}))
    assert (await only(database)).measured == Measured({"lag": 1.0}, {3: 1})


async def test_samples_are_ten_seconds_apart_however_often_a_process_reports_or_starts(
    database: Database,
):
    for number in range(4):
        await note_report(database, run(number), 1.0, MEASURED)
    (sample,) = (await only(database)).history
    assert (sample.rate, sample.lag, sample.partitions) == (3.5, 7.0, {0: 7, 11: 0})
    # when ten seconds are over
    await moved(database, {"history.0.at": datetime.now(UTC) - 10 * A_SECOND})
    await note_report(database, run(4), 1.0, Measured())
    # then
    history = (await only(database)).history
    assert [(one.rate, dict(one.partitions)) for one in history] == [
        (3.5, {0: 7, 11: 0}),
        (None, {}),
    ]


async def test_the_history_never_grows_beyond_its_samples_and_shows_ten_minutes(
    database: Database,
):
    # given more than enough of them, a quarter of which are too old to be shown
    await note_report(database, run(1), 1.0, MEASURED)
    now = datetime.now(UTC)
    ages = [800 - 13 * number for number in range(SAMPLES)]
    samples = [
        {"at": now - age * A_SECOND, "rate": float(age), "lag": 0.0, "partitions": {}}
        for age in ages
    ]
    await moved(database, {"history": samples})
    # when
    await note_report(database, run(1), 1.0, MEASURED)
    # then
    stored = await database[COLLECTION].find_one({"_id": NAME})
    assert stored is not None
    assert len(stored["history"]) == SAMPLES
    assert (stored["history"][0]["rate"], stored["history"][-1]["rate"]) == (ages[1], 3.5)
    shown = [one.rate for one in (await only(database)).history]
    assert shown == [*(float(age) for age in ages if age < 600), 3.5]


async def test_who_is_not_heard_of_is_silent_and_after_a_day_forgotten_by_the_next_of_its_kind(
    database: Database,
):
    # given one of each kind, silent for long
    other = "relay@host:8002"
    for name in (NAME, other):
        await note_report(database, run(1, name=name), 1.0, MEASURED)
        await moved(database, {"seen_at": datetime.now(UTC) - timedelta(days=1, minutes=1)}, name)
    silent = await read_reports(database)
    assert all(one.is_silent and one.silent_seconds > 86_400 for one in silent)
    # when another worker comes
    await note_report(database, run(2, name="worker@other:8003"), 1.0, MEASURED)
    # then nobody has forgotten that there was a relay
    assert {one.name for one in await read_reports(database)} == {"worker@other:8003", other}


async def test_a_process_that_ends_in_order_says_so_and_runs_again_once_it_reports(
    database: Database,
):
    # given
    await note_report(database, run(1), 1.0, MEASURED)
    # when
    await note_end(database, run(1))
    # then
    ended = await only(database)
    assert (ended.ended, ended.runs, ended.is_silent) == (True, False, False)
    # when it is started again, and the end of its former life comes late
    await note_report(database, run(2), 1.0, MEASURED)
    await note_end(database, run(1))
    # then
    again = await only(database)
    assert (again.ended, again.runs, again.starts) == (False, True, 2)


@pytest.mark.parametrize("other", [None, "other", {"other": 1}])
async def test_a_report_of_another_shape_takes_no_other_with_it(database: Database, other: object):
    # given
    for number, field in enumerate(("seen_at", "history", "figures", "partitions", "starts")):
        name = f"relay@host:{number}"
        await note_report(database, run(1, name=name), 1.0, MEASURED)
        await moved(database, {field: other}, name)
    await note_report(database, run(1), 1.0, MEASURED)
    # when
    names = {one.name for one in await read_reports(database)}
    # then
    assert names == {NAME, *(f"relay@host:{number}" for number in range(1, 5))}


async def test_queries_read_both_databases_and_one_that_is_both_once(database: Database):
    await note_report(database, run(1), 1.0, MEASURED)
    reports = MongoProcessReports({"event store": database, "read models": database}, lambda: 0.0)
    assert [one.name for one in (await reports.known()).reports] == [NAME]


async def test_a_database_that_does_not_answer_is_named_and_the_other_is_read(
    database: Database, driver: Driver
):
    # given
    await note_report(database, run(1), 1.0, MEASURED)
    away = Mongo("mongodb://127.0.0.1:1/?directConnection=true", driver)
    databases = {"event store": away.database("any"), "read models": database}
    # when
    known = await MongoProcessReports(databases, time.monotonic).known()
    # then
    assert [one.name for one in known.reports] == [NAME]
    assert known.unread == ["event store"]
    await away.close()


async def test_however_many_ask_the_databases_are_read_once_a_second(database: Database):
    # given
    now = 0.0
    reports = MongoProcessReports({"read models": database}, lambda: now)
    assert await reports.known() == KnownReports([], [])
    await note_report(database, run(1), 1.0, MEASURED)
    # when
    now = 0.9
    assert (await reports.known()).reports == []
    now = 1.0
    # then
    assert len((await reports.known()).reports) == 1
