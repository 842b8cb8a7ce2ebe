"""A snapshot for SQL made of rows, instead of read models."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from query_service.sql.snapshots import MakeSnapshot
from query_service.sql.tables import TABLES

AS_OF = "2026-11-26T12:00:00.000Z"
Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Of each table."""


def snapshot_of(rows: Rows) -> MakeSnapshot:
    """Columns that a row does not name are null."""

    async def make(file: Path) -> str | None:
        with duckdb.connect(str(file)) as database:
            for table in TABLES:
                columns = ", ".join(f"{each.name} {each.kind.sql_type}" for each in table.columns)
                database.execute(f"CREATE TABLE {table.name} ({columns})")
                places = ", ".join("?" for _ in table.columns)
                for row in rows.get(table.name, ()):
                    values = [row.get(each.name) for each in table.columns]
                    database.execute(f"INSERT INTO {table.name} VALUES ({places})", values)
        return AS_OF

    return make
