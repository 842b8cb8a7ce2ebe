"""The whole system day by day: periods, who may ask, and what asking costs the engine."""

import asyncio
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from query_service.queries.get_system_series import GetSystemSeries
from query_service.sql.daily import KEPT_SECONDS, DailySeries
from query_service.sql.runner import SqlExceeded, SqlResult, SqlRunner, TooManyStatements
from shared.auth.access import Principal
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent
from tests.support.sql_snapshot import AS_OF

PATH = "/v1/system/series"


@pytest.fixture
def used(side: QuerySide) -> QuerySide:
    """Two children of 22 November, one of whom talked and was reported about."""
    at = datetime(2026, 11, 22, 9)  # noqa: DTZ001 - DuckDB's times have no zone
    side.sql_rows["children"] = [{"child": one, "registered_at": at} for one in range(2)]
    talked = {"child": 1, "conversations": 2, "messages": 20, "minutes": 4.04}
    side.sql_rows["activity"] = [{"day": date(2026, 11, 22), **talked}]
    later = at + timedelta(hours=27)
    side.sql_rows["violations"] = [
        {"child": 1, "severity": "high", "happened_at": at, "resolved_at": later},
        {"child": 1, "severity": "low", "happened_at": at, "resolved_at": None},
    ]
    return side


async def test_every_day_of_the_period_has_what_happened_on_it(used: QuerySide):
    answer = await used.get(f"{PATH}?from=2026-11-22&to=2026-11-24", ANALYST)
    none = {"low": 0, "medium": 0, "high": 0, "critical": 0}
    quiet = {
        "registrations": 0,
        "active_children": 0,
        "conversations": 0,
        "messages": 0,
        "minutes": 0.0,
        "violations_by_severity": none,
        "resolved_violations": 0,
        "hours_to_resolution": None,
    }
    talked = {"active_children": 1, "conversations": 2, "messages": 20, "minutes": 4.0}
    reported = {"violations_by_severity": none | {"low": 1, "high": 1}}
    resolved = {"resolved_violations": 1, "hours_to_resolution": 27.0}
    assert answer.json() == {
        "as_of": AS_OF,
        "first_day": "2026-11-22",
        "last_day": "2026-11-24",
        "days": [
            {"day": "2026-11-22", **quiet, "registrations": 2, **talked, **reported},
            {"day": "2026-11-23", **quiet, **resolved},
            {"day": "2026-11-24", **quiet},
        ],
    }
    # of the snapshot, not of now
    assert answer.headers["X-As-Of"] == AS_OF
    (record,) = used.audit.entries
    assert (record.operation, record.children) == ("GetSystemSeries", ())


async def test_without_days_the_last_thirty_are_shown(side: QuerySide):
    found = await side.ask(GetSystemSeries(), ANALYST)
    assert (found["first_day"], found["last_day"]) == ("2026-10-25", "2026-11-23")
    assert len(found["days"]) == 30


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ("from=2026-11-24&to=2026-11-23", "to"),
        ("from=2025-11-22&to=2026-11-23", "to"),
        ("from=2026-11-31", "from"),
        ("to=tomorrow", "to"),
        ("to=1999-12-31", "to"),
        ("measures=minutes", "measures"),
    ],
)
async def test_another_period_is_refused_before_anything_is_asked(
    side: QuerySide, parameters: str, field: str
):
    answer = await side.get(f"{PATH}?{parameters}", ANALYST)
    problem = assert_problem(answer, 422, "invalid-request")
    assert [one["field"] for one in problem["errors"]] == [field]
    assert side.service.edge.statements.runner._snapshots._kept is None


async def test_the_longest_period_is_a_leap_year(side: QuerySide):
    answer = await side.get(f"{PATH}?from=2024-01-01&to=2024-12-31", ADMIN)
    assert len(answer.json()["days"]) == 366


@pytest.mark.parametrize("caller", [OFFICER, parent("weiss"), device("bear-7")])
async def test_only_analysts_and_operators_may_ask(side: QuerySide, caller: Principal):
    assert_problem(await side.get(PATH, caller), 403, "forbidden")


async def test_who_has_the_answer_gets_none(side: QuerySide):
    etag = (await side.get(PATH, ANALYST)).headers["ETag"]
    answer = await side.get(PATH, ANALYST, headers={"If-None-Match": etag})
    assert answer.status_code == 304


async def test_while_the_snapshot_is_made_the_caller_is_told_to_come_again(side: QuerySide):
    async def make(_file: Path) -> str | None:
        await asyncio.Event().wait()
        return None

    snapshots = side.service.edge.statements.runner._snapshots
    snapshots.make, snapshots.wait = make, 0.01
    answer = await side.get(PATH, ANALYST)
    assert_problem(answer, 503, "sql-snapshot-being-made")
    assert answer.headers["Retry-After"] == "10"


class Engine(SqlRunner):
    """Counts the statements; `free` lets them end, `error` how."""

    def __init__(self) -> None:
        self.statements = 0
        self.free = asyncio.Event()
        self.error: Exception | None = None

    async def run(self, *_what: object) -> SqlResult:
        self.statements += 1
        await self.free.wait()
        if self.error is not None:
            raise self.error
        columns = [{"name": "day", "type": "DATE"}]
        return SqlResult(columns, 1, False, (), b'[["2026-11-22"]]', None)


async def test_all_who_ask_share_a_statement_for_half_a_minute():
    # given
    engine, now = Engine(), 100.0
    series = DailySeries(engine, lambda: now)
    asking = [asyncio.create_task(series.known()) for _ in range(3)]
    await asyncio.sleep(0)
    # when one leaves
    asking[0].cancel()
    await asyncio.sleep(0)
    engine.free.set()
    found = await asyncio.gather(*asking[1:])
    # then
    assert engine.statements == 1
    assert [list(one.days) for one in found] == 2 * [[date(2026, 11, 22)]]
    assert found[0].as_of is None
    now += KEPT_SECONDS - 1
    await series.known()
    assert engine.statements == 1
    now += 1
    await series.known()
    assert engine.statements == 2


async def test_a_statement_that_fails_is_asked_again_and_blames_nobody():
    engine = Engine()
    engine.free.set()
    engine.error = SqlExceeded("time", "10 s")
    series = DailySeries(engine, lambda: 0.0)
    with pytest.raises(TooManyStatements), capture_logs() as logs:
        await series.known()
    engine.error = None
    assert (await series.known()).days
    assert engine.statements == 2
    assert {"event": "daily_series_exceeded", "what": "time", "most": "10 s"}.items() <= logs[
        0
    ].items()


async def test_what_nobody_waits_for_any_more_ends_with_the_process():
    engine = Engine()
    series = DailySeries(engine, lambda: 0.0)
    asking = asyncio.create_task(series.known())
    await asyncio.sleep(0)
    asking.cancel()
    await series.close()
    assert series._asking._under_way is None
