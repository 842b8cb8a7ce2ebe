"""`python -m query_service.sql.snapshot FILE`: the tables of SQL queries as a DuckDB database.

A process of its own, so that reading a million documents keeps no query waiting. It alone has the
read models' credentials, and no caller's SQL; the engine has the SQL and no credentials.
"""

import asyncio
import hashlib
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from query_service.sql.engine import NICENESS
from query_service.sql.tables import TABLES, Column, Kind, Table
from shared.clock import iso
from shared.mongo import Database, Document, Mongo
from shared.read_models.documents import ChildStatus, Model
from shared.read_models.generations import Generation, live_generation, projected_through
from shared.settings import ReadStoreSettings, load_settings

KEY_BYTES, PSEUDONYM_BITS = 32, 53
BATCH = 5_000
ENGINE: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "256MB"}
"""Of whatever writes the file: by itself it would take most of the machine's memory."""

Convert = Callable[[Any], Any]


class Pseudonyms:
    """Keyed hashes (BLAKE2b) of ids; the key is forgotten with the process."""

    def __init__(self) -> None:
        self._key = os.urandom(KEY_BYTES)

    def of(self, identifier: str) -> int:
        digest = hashlib.blake2b(identifier.encode(), digest_size=8, key=self._key).digest()
        return int.from_bytes(digest, "big") >> (64 - PSEUDONYM_BITS)


async def write_snapshot(database: Database, file: Path) -> datetime | None:
    """The live generation's tables into `file`, which must not exist. Returns up to when all that
    was stored is in them; None: nobody knows. Raises PyMongoError."""
    as_of = await projected_through(database)
    generation, pseudonyms = await live_generation(database), Pseudonyms()
    lines = file.with_suffix(".jsonl")
    with duckdb.connect(str(file), config=ENGINE) as snapshot:
        for table in TABLES:
            try:
                await _write_lines(database, generation, table, pseudonyms, lines)
                for statement, arguments in _statements(table, lines):
                    snapshot.execute(statement, arguments)
            finally:
                lines.unlink(missing_ok=True)
    return as_of


def _statements(table: Table, lines: Path) -> list[tuple[str, list[str]]]:
    columns = ", ".join(f"{column.name} {column.kind.sql_type}" for column in table.columns)
    types = ", ".join(f"{column.name}: '{column.kind.sql_type}'" for column in table.columns)
    read = f"read_json(?, format = 'newline_delimited', columns = {{{types}}})"
    return [
        (f"CREATE TABLE {table.name} ({columns})", []),
        # names and types are TABLES' own; nothing of a caller is in them
        (f"INSERT INTO {table.name} SELECT * FROM {read}", [str(lines)]),  # noqa: S608 # nosec B608
    ]


async def _write_lines(
    database: Database, generation: Generation, table: Table, pseudonyms: Pseudonyms, lines: Path
) -> None:
    converters = [(each.name, each.field, _converter(each, pseudonyms)) for each in table.columns]
    wanted = {"_id": 0} | {each.field: 1 for each in table.columns}
    shown: Document = {}
    if table.model is Model.CHILDREN:
        shown = {"status": {"$ne": ChildStatus.ERASED.value}}
    found = generation.collection(database, table.model).find(shown, wanted, batch_size=BATCH)
    with lines.open("xb") as file:
        # a batch at a time: asking for each document takes longer than all that is done with it
        while documents := await found.to_list(BATCH):
            for document in documents:
                row = {name: convert(document.get(field)) for name, field, convert in converters}
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def _converter(column: Column, pseudonyms: Pseudonyms) -> Convert:
    match column.kind:
        case Kind.PSEUDONYM:
            return pseudonyms.of
        case Kind.TIME:
            return lambda at: None if at is None else f"{at:%Y-%m-%d %H:%M}:00"
        case _:
            return lambda value: value


async def main(file: Path) -> None:
    os.nice(NICENESS)
    settings = load_settings(ReadStoreSettings)
    mongo = Mongo(settings.read_mongo_url, settings.mongo_driver)
    try:
        as_of = await write_snapshot(mongo.database(settings.read_database), file)
    finally:
        await mongo.close()
    print("" if as_of is None else iso(as_of))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
