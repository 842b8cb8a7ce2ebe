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
)
from query_service.sql.snapshots import snapshot_of_read_models
from query_service.sql.tables import TABLES
from shared.command_line import Table
from shared.settings import ReadStoreSettings, load_settings

AS_TABLE = "table"
FORMATS = {
    AS_TABLE: SqlFormat.JSON,
    "csv": SqlFormat.CSV,
    "json": SqlFormat.JSONL,
    "parquet": SqlFormat.PARQUET,
}
"""JSON: one object a row, one row a line."""

ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
}
"""Of a file to the format that is written to it."""


@click.command()
@click.argument("statement", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    help=f"Default: {AS_TABLE}, or by the ending of the file.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"A new file: {', '.join(ENDINGS)}.",
)
@click.option("--tables", is_flag=True, help="List tables and columns instead.")
def sql(statement: str | None, form: str | None, out: Path | None, *, tables: bool) -> None:
    """Run the SELECT STATEMENT over columns without personal data, in DuckDB's SQL."""
    if tables:
        _print_tables()
        return
    if not statement:
        raise click.UsageError("give a SELECT statement, or --tables")
    form = _checked(form, out)
    load_settings(ReadStoreSettings)  # before anything is done: what is missing is one line
    result = asyncio.run(_result(statement, form))
    if out is not None:
        out.write_bytes(result.body)
    elif form == AS_TABLE:
        _print_result(result)
    else:
        sys.stdout.buffer.write(result.body)
    if result.truncated:
        click.echo(f"only the first {result.rows} rows", err=True)


def _checked(form: str | None, out: Path | None) -> str:
    """The format, of the file's ending where none is given. Raises UsageError."""
    if out is None:
        if form == "parquet":
            raise click.UsageError("parquet needs --out")
        return form or AS_TABLE
    if out.exists():
        raise click.UsageError(f"{out} exists already")
    if form == AS_TABLE:
        raise click.UsageError("a table is for the terminal: leave out --format, or name another")
    by_ending = ENDINGS.get(out.suffix.lower())
    if form is None and by_ending is None:
        raise click.UsageError(f"{out.name}: give --format, or end it with {', '.join(ENDINGS)}")
    return form or str(by_ending)


async def _result(statement: str, form: str) -> SqlResult:
    runner = SqlRunner(SqlLimits(), time.monotonic, snapshot_of_read_models)
    try:
        return await runner.run(statement, FORMATS[form])
    except SqlRefused as refused:
        raise click.UsageError(str(refused)) from None
    except SqlExceeded as exceeded:
        limit = f"its limit of {exceeded.what} ({exceeded.most})"
        raise click.UsageError(f"the statement exceeds {limit}") from None
    finally:
        await runner.close()


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
