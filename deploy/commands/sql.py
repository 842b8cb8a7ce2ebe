"""The command `sql`: one SELECT over the read models, as an analyst may ask it."""

import asyncio
import sys
import time
from pathlib import Path

import click
import orjson

from query_service.sql.runner import (
    SqlExceeded,
    SqlFormat,
    SqlLimits,
    SqlRefused,
    SqlResult,
    SqlRunner,
    snapshot_of_read_models,
)
from query_service.sql.tables import TABLES
from shared.command_line import Table
from shared.settings import ReadStoreSettings, load_settings

AS_TABLE = "table"
FORMATS = (AS_TABLE, *(form.value for form in SqlFormat))


@click.command()
@click.argument("statement", required=False)
@click.option("--format", "form", default=AS_TABLE, type=click.Choice(FORMATS), show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A new file.")
@click.option("--tables", is_flag=True, help="List tables and columns instead.")
def sql(statement: str | None, form: str, out: Path | None, *, tables: bool) -> None:
    """Run the SELECT STATEMENT over columns without personal data, in DuckDB's SQL."""
    if tables:
        _print_tables()
        return
    if not statement:
        raise click.UsageError("give a SELECT statement, or --tables")
    if out is not None and out.exists():
        raise click.UsageError(f"{out} exists already")
    if form == SqlFormat.PARQUET and out is None:
        raise click.UsageError("parquet needs --out")
    load_settings(ReadStoreSettings)  # before anything is done: what is missing is one line
    result = asyncio.run(_result(statement, form))
    if out is not None:
        out.write_bytes(_content(result, form))
    elif form == AS_TABLE:
        _print_result(result)
    else:
        sys.stdout.buffer.write(_content(result, form))
    if result.truncated:
        click.echo(f"only the first {result.rows} rows", err=True)


async def _result(statement: str, form: str) -> SqlResult:
    runner = SqlRunner(SqlLimits(), time.monotonic, snapshot_of_read_models)
    try:
        return await runner.run(statement, SqlFormat.JSON if form == AS_TABLE else SqlFormat(form))
    except SqlRefused as refused:
        raise click.UsageError(str(refused)) from None
    except SqlExceeded as exceeded:
        raise click.UsageError(f"the statement exceeds its limit of {exceeded.what}") from None
    finally:
        runner.close()


def _content(result: SqlResult, form: str) -> bytes:
    """JSON: one object a row, one row a line."""
    if form not in (SqlFormat.JSON, AS_TABLE):
        return result.body
    names = [column["name"] for column in result.columns]
    rows = orjson.loads(result.body)
    lines = (orjson.dumps(dict(zip(names, row, strict=True))) for row in rows)
    return b"".join(line + b"\n" for line in lines)


def _print_result(result: SqlResult) -> None:
    table = Table(*(column["name"] for column in result.columns))
    for row in orjson.loads(result.body):
        table.add(*("" if value is None else _cell(value) for value in row))
    table.print()


def _cell(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _print_tables() -> None:
    shown = Table("table", "column", "type", "meaning")
    for table in TABLES:
        for column in table.columns:
            shown.add(table.name, column.name, column.kind.sql_type, column.description)
        shown.end_section()
    shown.print()
