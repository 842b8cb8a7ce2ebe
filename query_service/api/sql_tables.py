"""GET /sql/tables: what a statement can ask about, and what it may use."""

from pydantic import BaseModel, Field

from query_service.api.sql import MOST_CHARACTERS
from query_service.sql.runner import SqlLimits
from query_service.sql.tables import TABLES, Table


class SqlTableColumn(BaseModel):
    name: str = Field(description="As statements name it.")
    type: str = Field(description="DuckDB's type.")
    description: str = Field(description="What its values are.")


class SqlTable(BaseModel):
    name: str = Field(description="As statements name it.")
    description: str = Field(description="What its rows are.")
    columns: list[SqlTableColumn] = Field(description="In their order.")


class SqlMost(BaseModel):
    characters: int = Field(description="Of the statement.")
    rows: int = Field(description="Of the answer.")
    bytes: int = Field(description="Of the answer.")
    memory_mb: int = Field(description="Of the engine, in MiB.")
    seconds: int = Field(description="Until it must be done.")
    snapshot_seconds: float = Field(
        description="Age of what statements read, plus the time that it takes to make it."
    )


class SqlTables(BaseModel):
    tables: list[SqlTable] = Field(description="Everything that there is to ask about.")
    most: SqlMost = Field(description="What one statement may have.")


def sql_tables(limits: SqlLimits) -> SqlTables:
    most = SqlMost(
        characters=MOST_CHARACTERS,
        rows=limits.rows,
        bytes=limits.bytes,
        memory_mb=limits.memory_mb,
        seconds=limits.seconds,
        snapshot_seconds=limits.snapshot_age,
    )
    return SqlTables(tables=[_described(table) for table in TABLES], most=most)


def _described(table: Table) -> SqlTable:
    columns = [
        SqlTableColumn(name=one.name, type=one.kind.sql_type, description=one.description)
        for one in table.columns
    ]
    return SqlTable(name=table.name, description=table.description, columns=columns)
