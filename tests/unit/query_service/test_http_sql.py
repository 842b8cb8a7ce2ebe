"""SQL over HTTP: formats, errors with their place, what is on record, and who gets a turn."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import httpx2
import orjson
import pytest

from query_service.api.sql import chosen
from shared.audit.record import AuditRecord
from shared.auth.access import Principal, Role
from shared.http.problems import ProblemRaised
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, parent
from tests.support.rate_limits import limits_of
from tests.support.running_query_api import RunningServer
from tests.support.waiting import until

PATH = "/v1/sql"
GROUPS = "SELECT safety_status, count(*) AS n FROM children GROUP BY 1 ORDER BY 1"
ENDLESS = "SELECT sum(a.range * b.range) FROM range(100000) a, range(10000000) b"
PARQUET, NDJSON = "application/vnd.apache.parquet", "application/x-ndjson"


def with_children(side: QuerySide) -> QuerySide:
    statuses = ("good", "good", "fair")
    rows = [{"child": child, "safety_status": status} for child, status in enumerate(statuses)]
    side.sql_rows["children"] = rows
    return side


@pytest.fixture
async def side() -> AsyncIterator[QuerySide]:
    side = with_children(QuerySide())
    yield side
    await side.service.edge.statements.runner.close()


async def ask(
    side: QuerySide, sql: str, caller: Principal = ANALYST, accept: str = "*/*", **more: object
) -> httpx2.Response:
    async with side.client(caller) as client:
        body = {"sql": sql, **more}
        return await client.post(PATH, json=body, headers={"Accept": accept})


def running(side: QuerySide) -> int:
    return side.service.edge.statements.runner._running


async def test_an_answer_has_columns_with_types_rows_and_its_moment(side: QuerySide):
    answer = await ask(side, GROUPS)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "columns": [
            {"name": "safety_status", "type": "VARCHAR"},
            {"name": "n", "type": "BIGINT"},
        ],
        "rows": [["fair", 1], ["good", 2]],
        "truncated": False,
        "as_of": "2026-11-26T12:00:00.000Z",
    }
    assert answer.headers["X-As-Of"] == "2026-11-26T12:00:00.000Z"


async def test_the_other_formats_hold_the_same_rows(side: QuerySide, tmp_path: Path):
    as_csv = await ask(side, GROUPS, accept="text/csv")
    as_lines = await ask(side, GROUPS, accept=NDJSON)
    as_parquet = await ask(side, GROUPS, ADMIN, accept=PARQUET, max_rows=1)

    assert as_csv.text == "safety_status,n\r\nfair,1\r\ngood,2\r\n"
    assert [orjson.loads(line) for line in as_lines.text.splitlines()] == [
        {"safety_status": "fair", "n": 1},
        {"safety_status": "good", "n": 2},
    ]
    file = tmp_path / "answer.parquet"
    file.write_bytes(io.BytesIO(as_parquet.content).getvalue())
    assert duckdb.read_parquet(str(file)).fetchall() == [("fair", 1)]
    truncated = [each.headers["X-Truncated"] for each in (as_csv, as_lines, as_parquet)]
    assert truncated == ["false", "false", "true"]
    assert {each.headers["Vary"] for each in (as_csv, as_lines, as_parquet)} == {"Accept"}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("text/html, application/*;q=0.5", "application/json"),
        ("application/json;q=0.1, TEXT/CSV;charset=utf-8;q=0.2", "text/csv"),
        (f"*/*;q=0.1, {PARQUET}", PARQUET),
        (f"application/json;q=0, {NDJSON};q=0.3", NDJSON),
    ],
)
def test_the_format_is_the_one_that_is_wanted_most(accept: str, media_type: str):
    assert chosen(accept) == media_type


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "json", "application/json;q=0.0"])
def test_a_format_that_there_is_not_is_406(accept: str):
    with pytest.raises(ProblemRaised) as raised:
        chosen(accept)
    assert raised.value.problem.status == 406


async def test_a_wrong_statement_is_422_and_says_where(side: QuerySide):
    answer = await ask(side, "SELECT child,\n  nope FROM children")
    problem = assert_problem(answer, 422, "sql-refused")
    assert (problem["line"], problem["column"]) == (2, 3)
    assert problem["detail"].startswith('line 2, column 3: Referenced column "nope" not found')
    assert problem["errors"][0]["field"] == "sql"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT repeat('x', 4000000000)", "sql-too-much-memory"),
        ("SELECT repeat('x', 9000000)", "sql-too-large"),
        ("COPY children TO 'x.csv'", "sql-refused"),
        ("SELECT 1; SELECT 2", "sql-refused"),
    ],
)
async def test_what_is_refused_or_too_much_has_a_type_and_the_next_is_answered(
    side: QuerySide, sql: str, code: str
):
    assert_problem(await ask(side, sql), 422, code)
    assert (await ask(side, "SELECT 1")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sql": ""},
        {"sql": 7},
        {"sql": "x" * 20_001},
        {"sql": "SELECT 1", "max_rows": 0},
        {"sql": "SELECT 1", "max_rows": 10_001},
        {"sql": "SELECT 1", "max_rows": "5"},
        {"sql": "SELECT 1", "format": "csv"},
    ],
)
async def test_a_body_of_another_shape_is_refused(side: QuerySide, body: dict[str, object]):
    async with side.client(ANALYST) as client:
        assert_problem(await client.post(PATH, json=body), 422, "invalid-request")


async def test_a_body_is_read_as_strictly_as_that_of_a_command(side: QuerySide):
    headers = {"Content-Type": "application/json"}
    async with side.client(ANALYST) as client:
        twice = await client.post(PATH, content=b'{"sql":"a","sql":"b"}', headers=headers)
        large = await client.post(PATH, content=b" " * 65_537, headers=headers)
        other = await client.post(PATH, content=b"SELECT 1")
        more = await client.post(f"{PATH}?sql=1", json={"sql": "SELECT 1"})
    assert_problem(twice, 400, "invalid-json")
    assert_problem(large, 413, "body-too-large")
    assert_problem(other, 415, "unsupported-media-type")
    assert_problem(more, 422, "invalid-request")


async def test_who_asked_and_which_tables_is_durable_before_the_answer_leaves(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    durable: list[str] = []
    record = side.audit.record

    async def recorded(entry: AuditRecord) -> None:
        durable.append(entry.outcome)
        await record(entry)

    monkeypatch.setattr(side.audit, "record", recorded)
    # what is typed may be a name: it is not on record, nor a digest that would confirm a guess
    sql = "SELECT count(*) FROM query('SELECT * FROM chi'||'ldren'), alerts WHERE 'Lena' = 'Lena'"
    await ask(side, sql)
    await ask(side, "SELECT 1", OFFICER)
    asked, refused = side.audit.entries
    assert durable == ["answered"]
    assert (asked.operation, asked.outcome, asked.subject) == ("RunSql", "answered", "analyst-1")
    assert asked.tables == ("alerts", "children")
    assert "Lena" not in str(asked.content(1))
    assert (refused.operation, refused.outcome) == ("RunSql", "forbidden")


async def test_without_a_record_nothing_is_answered(side: QuerySide):
    side.audit.away = True
    assert_problem(await ask(side, "SELECT 1"), 503, "audit-unavailable")
    side.audit.away = False
    assert (await ask(side, "SELECT 1")).status_code == 200


@pytest.mark.parametrize("caller", [OFFICER, parent("p-1"), Principal("bear", Role.DEVICE)])
async def test_only_analysts_and_operators_may_ask(side: QuerySide, caller: Principal):
    assert_problem(await ask(side, "SELECT 1", caller), 403, "forbidden")


async def test_statements_have_a_rate_of_their_own():
    side = QuerySide(limits=limits_of(sql="1/minute"))
    assert (await ask(side, "SELECT 1")).status_code == 200
    assert (await ask(side, "SELECT 1")).headers["RateLimit-Policy"] == '"sql";q=1;w=60'
    assert (await side.get("/v1/system/analytics", ANALYST)).status_code == 200
    await side.service.edge.statements.runner.close()


async def test_one_caller_has_one_turn_and_the_process_so_many(side: QuerySide):
    callers = [Principal(f"analyst-{number}", Role.ANALYST) for number in range(3)]
    under_way = [asyncio.create_task(ask(side, ENDLESS, caller)) for caller in callers[:2]]
    await until(lambda: running(side) == 2)

    again = await ask(side, "SELECT 1", callers[0])
    third = await ask(side, "SELECT 1", callers[2])
    for task in under_way:
        task.cancel()
    await asyncio.wait(under_way)

    assert_problem(again, 429, "too-many-requests")
    assert_problem(third, 503, "overloaded")
    assert third.headers["Retry-After"] == "10"
    await until(lambda: running(side) == 0)
    assert (await ask(side, "SELECT 1", callers[0])).status_code == 200


async def test_who_has_an_answer_may_ask_again_at_once(side: QuerySide):
    server = RunningServer(side)
    headers = side.bearer(ANALYST)
    async with httpx2.AsyncClient(base_url=await server.url(), headers=headers) as client:
        answers = [await client.post(PATH, json={"sql": "SELECT 1"}) for _ in range(5)]
    await server.stop()
    assert [answer.status_code for answer in answers] == [200] * 5


async def test_a_client_that_leaves_ends_its_statement_and_others_are_answered_meanwhile(
    side: QuerySide,
):
    await side.child("lena", parent_id="weiss")
    server = RunningServer(side)
    async with httpx2.AsyncClient(base_url=await server.url()) as client:
        headers = side.bearer(ANALYST)
        asked = asyncio.create_task(client.post(PATH, json={"sql": ENDLESS}, headers=headers))
        await until(lambda: running(side) == 1)
        query = await client.get("/v1/children/lena", headers=side.bearer(ADMIN))
        began = time.monotonic()
        asked.cancel()
        await asyncio.wait([asked])
        await until(lambda: running(side) == 0)
        ended = time.monotonic() - began
        after = await client.post(PATH, json={"sql": "SELECT 1"}, headers=headers)
    await server.stop()
    assert (query.status_code, after.status_code) == (200, 200)
    assert ended < 8, "it ended by its own limit of time"
    assert "client-gone" in {entry.outcome for entry in side.audit.entries}


async def test_tables_are_described_with_what_a_statement_may_use(side: QuerySide):
    answer = (await side.get("/v1/sql/tables", ANALYST)).json()
    described = {table["name"]: table for table in answer["tables"]}
    columns = [column["name"] for column in described["activity"]["columns"]]
    asked = await ask(side, "SELECT * FROM activity")
    assert columns == [column["name"] for column in asked.json()["columns"]]
    assert described["activity"]["columns"][1] == {
        "name": "day",
        "type": "DATE",
        "description": "The UTC day.",
    }
    limits = side.service.edge.statements.runner.limits
    assert (answer["most"]["rows"], answer["most"]["seconds"]) == (limits.rows, limits.seconds)


@pytest.mark.parametrize("caller", [OFFICER, parent("p-1"), Principal("bear", Role.DEVICE)])
async def test_tables_are_described_to_who_may_ask_only(side: QuerySide, caller: Principal):
    assert_problem(await side.get("/v1/sql/tables", caller), 403, "forbidden")
