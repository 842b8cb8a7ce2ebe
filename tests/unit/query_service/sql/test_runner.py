"""What SQL of callers gets, and what it does not: each statement in a real process."""

import asyncio
import inspect
import io
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import orjson
import psutil
import pytest

from query_service.sql import engine
from query_service.sql.runner import (
    ENGINE,
    SqlExceeded,
    SqlFormat,
    SqlLimits,
    SqlRefused,
    SqlRunner,
    TooManyStatements,
)
from tests.support.sql_snapshot import snapshot_of
from tests.support.waiting import until

CHILDREN = [
    {"child": 1, "family": 1, "safety_status": "good", "safety_score": 80.5},
    {"child": 2, "family": 1, "safety_status": "good", "safety_score": 90.0},
    {"child": 3, "family": 2, "safety_status": "fair", "safety_score": None},
]
VIOLATIONS = [{"child": 3, "severity": "high"}, {"child": 3, "severity": "low"}]
ENDLESS = "SELECT sum(a.range * b.range) FROM range(100000) a, range(1000000) b"
SMALL = SqlLimits(rows=1_000, bytes=100_000, memory_mb=64, seconds=30)
"""Seconds for a machine that is busy with other tests."""


def runner_of(limits: SqlLimits = SMALL) -> SqlRunner:
    rows = {"children": CHILDREN, "violations": VIOLATIONS}
    return SqlRunner(limits, time.monotonic, snapshot_of(rows))


async def rows_of(sql: str, limits: SqlLimits = SMALL) -> list[list[object]]:
    runner = runner_of(limits)
    try:
        found: list[list[object]] = orjson.loads((await runner.run(sql, SqlFormat.JSON)).body)
        return found
    finally:
        await runner.close()


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            "SELECT safety_status, count(*) FROM children GROUP BY 1 ORDER BY 1",
            [["fair", 1], ["good", 2]],
        ),
        (
            "SELECT severity, safety_status FROM violations JOIN children USING (child) ORDER BY 1",
            [["high", "fair"], ["low", "fair"]],
        ),
        (
            "SELECT rank() OVER (ORDER BY safety_score DESC NULLS LAST) AS r FROM children "
            "ORDER BY r",
            [[1], [2], [3]],
        ),
        ("WITH a AS (SELECT 1 AS x) FROM a UNION ALL SELECT 2;", [[1], [2]]),
        (
            "SELECT 1::HUGEINT << 100, 1.50::DECIMAL(9, 2), 'NaN'::DOUBLE, DATE '2026-01-02', "
            "'\\xAA'::BLOB, [NULL, 1], {'a': 2}, MAP {1: 'x'}",
            [[str(1 << 100), "1.50", None, "2026-01-02", "aa", [None, 1], {"a": 2}, {"1": "x"}]],
        ),
        (
            "SELECT MAP {1.5::DECIMAL(9, 1): 1}, MAP {'a'::BLOB: 2}, '10:00:00+01'::TIMETZ, "
            "MAP {INTERVAL 1 DAY: 3}",
            [[{"1.5": 1}, {"61": 2}, "10:00:00+01:00", {"1 day, 0:00:00": 3}]],
        ),
    ],
)
async def test_a_select_is_answered(sql: str, rows: list[list[object]]) -> None:
    assert await rows_of(sql) == rows


@pytest.mark.parametrize(
    ("sql", "said", "place"),
    [
        ("SELECT nope FROM children", 'Referenced column "nope"', (1, 8)),
        ("SELECT 'é',\n  nope FROM children", 'Referenced column "nope"', (2, 3)),
        ("SELECT * FROM nowhere", "Table with name nowhere", (1, 15)),
        ("SELEC 1", 'syntax error at or near "SELEC"', (1, 1)),
        ("SELECT 'a'::INT", "Could not convert string 'a'", None),
        ("", "send one statement, not 0", None),
        ("-- only a comment", "send one statement, not 0", None),
        ("SELECT 1; SELECT 2", "send one statement, not 2", None),
        ("SELECT $1", "parameters are not supported", None),
        ("SELECT 1 AS a, 2 AS a", "columns have the same name: a", None),
        ("DROP TABLE children", "only SELECT is allowed, not DROP", (1, 1)),
        ("UPDATE children SET safety_score = 0", "only SELECT is allowed, not UPDATE", (1, 1)),
        ("ATTACH 'other.duckdb'", "only SELECT is allowed, not ATTACH", (1, 1)),
        ("COPY children TO 'x.csv'", "only SELECT is allowed, not COPY", (1, 1)),
        ("SET threads = 8", "only SELECT is allowed, not SET", (1, 1)),
        ("INSTALL httpfs", "only SELECT is allowed, not LOAD", (1, 1)),
        ("PRAGMA database_list", "only SELECT is allowed, not PRAGMA", (1, 1)),
        ("EXPLAIN ANALYZE SELECT 1", "only SELECT is allowed, not EXPLAIN", (1, 1)),
        ("SELECT * FROM read_csv('/etc/passwd')", "Cannot access file", None),
        ("SELECT * FROM read_text('/proc/self/environ')", "Cannot access file", None),
        ("SELECT * FROM '/etc/passwd'", "Table with name /etc/passwd", (1, 15)),
        ("SELECT * FROM glob('/*')", "Cannot access file", None),
        ("SELECT * FROM read_csv('http://127.0.0.1/')", "Cannot access", None),
        ("SELECT * FROM 'http://127.0.0.1/x.csv'", "Cannot access file", None),
        ("SELECT getenv('PATH')", "getenv does not exist", (1, 8)),
        ("CALL pragma_version()", "only SELECT is allowed, not CALL", (1, 1)),
        ("PREPARE a AS SELECT 1", "only SELECT is allowed, not PREPARE", (1, 1)),
        ("SET VARIABLE a = 1", "only SELECT is allowed, not", (1, 1)),
        ("CREATE TEMP TABLE a AS SELECT 1", "only SELECT is allowed, not CREATE", (1, 1)),
        ("CREATE MACRO a() AS 1", "only SELECT is allowed, not CREATE", (1, 1)),
        ("EXPORT DATABASE 'x'", "only SELECT is allowed, not", (1, 1)),
        ("LOAD httpfs", "only SELECT is allowed, not LOAD", (1, 1)),
        ("/* SELECT */ DETACH snapshot", "only SELECT is allowed, not DETACH", (1, 1)),
        ("SELECT 1 /*; */; -- \nDROP TABLE children", "send one statement, not 2", None),
        ("SELECT 1 /* open", "", None),
        ("\uff33\uff25\uff2c\uff25\uff23\uff34 1", "syntax error", None),
        ("SELECT \u202e nope FROM children", "", None),
        ("SELECT * FROM sniff_csv('/etc/passwd')", "Cannot access file", None),
        ("SELECT * FROM read_blob('../../etc/passwd')", "Cannot access", None),
        ("SELECT * FROM duckdb_secrets()", "Cannot access", None),
        ("SELECT * FROM enable_logging()", "Cannot change configuration option", None),
        ("SELECT * FROM query('DROP TABLE children')", "", None),
        ("SELECT * FROM 'https://127.0.0.1/x.parquet'", "Cannot access", None),
        ("SELECT load_extension('httpfs')", "does not exist", None),
        ("SELECT repeat('x', 100000)::INT", "Could not convert string", None),
        ("WITH x AS (DELETE FROM children RETURNING *) FROM x", "", None),
        ("SELECT " + "(" * 20_000 + "1" + ")" * 20_000, "expression depth", None),
    ],
)
async def test_anything_else_is_refused_with_its_place(
    sql: str, said: str, place: tuple[int, int] | None
) -> None:
    with pytest.raises(SqlRefused) as refused:
        await rows_of(sql)
    assert said in refused.value.message
    if place is not None:
        assert (refused.value.line, refused.value.column) == place


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        (ENDLESS, "time"),
        ("SELECT max(sleep_ms(500 + range)) FROM range(100)", "time"),
        ("SELECT count(*) FROM range(1000000000) WHERE md5(range::VARCHAR) = 'x'", "time"),
        ("WITH RECURSIVE a(i) AS (SELECT 1 UNION ALL FROM a) SELECT count(*) FROM a", "time"),
        ("SELECT list(range) FROM range(100000000)", "memory"),
        ("SELECT * FROM range(1000000000) ORDER BY 1 DESC", "memory"),
        ("SELECT repeat('x', 4000000000)", "memory"),
        ("SELECT repeat('x', 200000)", "bytes"),
        ('SELECT 1 AS "' + "x" * 150_000 + '"', "bytes"),
    ],
)
async def test_a_hostile_statement_ends_and_the_next_is_answered(sql: str, what: str) -> None:
    runner = runner_of(replace(SMALL, seconds=2) if what == "time" else SMALL)
    try:
        with pytest.raises(SqlExceeded) as exceeded:
            await runner.run(sql, SqlFormat.JSON)
        assert exceeded.value.what == what
        after = SqlRunner(SMALL, time.monotonic, runner._snapshots.make)
        assert (await after.run("SELECT 1", SqlFormat.JSON)).rows == 1
        await after.close()
    finally:
        await runner.close()


async def test_rows_beyond_the_limit_are_left_out_and_that_is_said() -> None:
    runner = runner_of(SqlLimits(rows=2))
    result = await runner.run("SELECT child FROM children ORDER BY 1", SqlFormat.JSON)
    await runner.close()
    assert (orjson.loads(result.body), result.rows, result.truncated) == ([[1], [2]], 2, True)
    assert result.as_of == "2026-11-26T12:00:00.000Z"


async def test_csv_and_parquet_hold_the_same_rows(tmp_path: Path) -> None:
    runner = runner_of()
    sql = "SELECT child, safety_status, safety_score FROM children ORDER BY 1"
    as_csv = await runner.run(sql, SqlFormat.CSV)
    as_parquet = await runner.run(sql, SqlFormat.PARQUET)
    await runner.close()
    assert as_csv.body.decode().splitlines() == [
        "child,safety_status,safety_score",
        "1,good,80.5",
        "2,good,90.0",
        "3,fair,",
    ]
    file = tmp_path / "result.parquet"
    file.write_bytes(as_parquet.body)
    again = duckdb.read_parquet(str(file)).fetchall()
    assert again == [(1, "good", 80.5), (2, "good", 90.0), (3, "fair", None)]
    assert io.BytesIO(as_parquet.body).read(4) == b"PAR1"


async def test_a_file_that_grows_too_large_is_too_many_bytes() -> None:
    runner = runner_of()
    many = "SELECT string_agg(md5(i::VARCHAR)) AS a FROM range(20000) t(i)"
    with pytest.raises(SqlExceeded) as exceeded:
        await runner.run(many, SqlFormat.PARQUET)
    await runner.close()
    assert exceeded.value.what == "bytes"


async def test_more_statements_than_may_run_are_refused() -> None:
    runner = runner_of(SqlLimits(running=0))
    with pytest.raises(TooManyStatements):
        await runner.run("SELECT 1", SqlFormat.JSON)


async def test_every_format_is_of_one_run_of_the_statement(tmp_path: Path) -> None:
    runner = runner_of(SqlLimits(rows=3))
    result = await runner.run("SELECT random() AS r FROM range(5)", SqlFormat.PARQUET)
    await runner.close()
    (tmp_path / "result.parquet").write_bytes(result.body)
    rows = duckdb.read_parquet(str(tmp_path / "result.parquet")).fetchall()
    assert (len(set(rows)), result.rows, result.truncated) == (3, 3, True)
    source = inspect.getsource(engine._as_parquet)
    assert source.count("engine.sql(sql)") == 1
    assert "engine.execute" not in source


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT count(*) FROM children", ("children",)),
        ("SELECT count(*) FROM query('SELECT * FROM chi'||'ldren') -- x", ("children",)),
        ("SELECT 1 AS a WHERE 1 IN (SELECT child FROM violations)", ("violations",)),
        ("FROM query_table('alerts') JOIN children USING (child)", ("alerts", "children")),
        ("WITH children AS (SELECT 1) FROM children", ()),
        ("SHOW TABLES", ()),
    ],
)
async def test_the_tables_that_are_read_are_named_however_they_are_called(
    sql: str, tables: tuple[str, ...]
) -> None:
    runner = runner_of()
    result = await runner.run(f"SELECT 1 AS a FROM ({sql.partition(' --')[0]})", SqlFormat.JSONL)
    assert result.tables == tables
    assert (await runner.run("SELECT 1 AS a -- children", SqlFormat.JSONL)).tables == ()
    await runner.close()


async def test_an_engine_that_is_killed_harms_no_other() -> None:
    runner = runner_of()
    asked = asyncio.create_task(runner.run(ENDLESS, SqlFormat.JSON))
    await until(lambda: bool(engines()))
    for process in engines():
        process.kill()
    with pytest.raises(SqlExceeded):
        await asked
    assert (await runner.run("SELECT 1", SqlFormat.JSON)).rows == 1
    await runner.close()


async def test_a_statement_ends_with_whoever_asked() -> None:
    runner = runner_of()
    asked = asyncio.create_task(runner.run(ENDLESS, SqlFormat.JSON))
    await until(lambda: bool(engines()))
    asked.cancel()
    await asyncio.wait([asked])
    assert not engines()
    await runner.close()


def engines() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [each for each in children if str(ENGINE) in each.cmdline()]
