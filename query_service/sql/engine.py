"""One SELECT over a snapshot, in a process that has nothing else: no settings, no credentials, no
import of this project, a folder of its own, and bounds that the kernel enforces.

Started by runner.py as a script. One JSON object on standard input: `sql`, `format` (json, csv or
parquet), `rows`, `bytes`, `memory_mb`, `seconds`. On standard output one line of JSON, then the
result: `{"columns": [{"name", "type"}], "rows": 2, "truncated": false}`, or
`{"refused": {"message", "line", "column"}}` and nothing more, or `{"exceeded": "memory"}`.
"""

import csv
import io
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import orjson

SNAPSHOT, PARQUET = "snapshot.duckdb", "result.parquet"
OVERHEAD_MB = 1_024
"""Address space of Python and the engine's code beside the engine's own memory."""


class Refused(Exception):
    """`message` is for the caller; `position`: a character of its SQL."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class TooLarge(Exception):
    """The result has more bytes than an answer may have."""


def limit_process(memory_mb: int, seconds: int, size: int) -> None:
    """Bounds that hold whatever the engine does: address space, CPU, bytes of a file."""
    for kind, most in (
        (resource.RLIMIT_AS, (memory_mb + OVERHEAD_MB) * 2**20),
        (resource.RLIMIT_CPU, seconds + 1),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):  # macOS has no limit of address space
            continue


def open_snapshot(memory_mb: int) -> duckdb.DuckDBPyConnection:
    """The snapshot to be read only, without files, network or extensions, and locked so."""
    config: dict[str, Any] = {
        "threads": 1,
        "memory_limit": f"{memory_mb}MB",
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    engine = duckdb.connect(":memory:", config=config)
    for statement in (
        f"ATTACH '{SNAPSHOT}' AS snapshot (READ_ONLY)",
        "USE snapshot",
        "SET TimeZone = 'UTC'",
        "SET errors_as_json = true",
        f"SET allowed_paths = ['{Path(PARQUET).resolve()}']",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        engine.execute(statement)
    return engine


@contextmanager
def _refusing() -> Iterator[None]:
    """Turns the engine's errors into Refused."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise MemoryError from None
    except duckdb.Error as error:
        kind, _, text = str(error).partition(": ")
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Refused(f"{kind}: {text}".split("\n\n")[0]) from None
        position = said.get("position")
        raise Refused(
            said["exception_message"].split("\n\n")[0], None if position is None else int(position)
        ) from None


def require_one_select(engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises Refused for anything but one SELECT without parameters."""
    statements = engine.extract_statements(sql)
    if len(statements) != 1:
        raise Refused(f"send one statement, not {len(statements)}")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise Refused(f"only SELECT is allowed, not {statements[0].type.name}", 0)
    if statements[0].named_parameters:
        raise Refused("parameters are not supported: write the values into the statement")


def run(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The head of the result and its bytes. Raises Refused, MemoryError or TooLarge."""
    sql, most = request["sql"], request["rows"]
    engine = open_snapshot(request["memory_mb"])
    with _refusing():
        require_one_select(engine, sql)
        found = engine.execute(sql)
        columns = [{"name": name, "type": str(kind)} for name, kind, *_ in found.description or ()]
        require_different_names([column["name"] for column in columns])
        rows = found.fetchmany(most + 1)
        head = {"columns": columns, "rows": min(most, len(rows)), "truncated": len(rows) > most}
        if request["format"] == "parquet":
            engine.abort()
            body = _parquet(engine.sql(sql).limit(most))
        elif request["format"] == "csv":
            body = _csv([column["name"] for column in columns], rows[:most])
        else:
            body = _json(rows[:most])
    if len(body) > request["bytes"]:
        raise TooLarge
    return head, body


def require_different_names(names: Sequence[str]) -> None:
    """Raises Refused: an object for a row, or a file, would keep one of two."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Refused(f"columns have the same name: {', '.join(twice)}; name them with AS")


def _parquet(result: duckdb.DuckDBPyRelation) -> bytes:
    """Raises TooLarge: the kernel ends a file that grows beyond the limit."""
    try:
        result.write_parquet(PARQUET)
    except duckdb.IOException:
        raise TooLarge from None
    return Path(PARQUET).read_bytes()


def _json(rows: Sequence[Sequence[Any]]) -> bytes:
    """Arrays of values. What JSON has no form for is a text: a decimal, an interval, a blob in hex,
    an integer of more than 64 bits; NaN and infinity are null."""
    try:
        return orjson.dumps(rows, default=_text, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # it asks nobody for an integer of more than 64 bits, or a key of a map
        return orjson.dumps(_in_json(rows), option=orjson.OPT_NON_STR_KEYS)


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


_PLAIN = (str, float, datetime, date, UUID, type(None))


def _in_json(value: Any) -> Any:
    """The same with a text for whatever orjson does not take, also as a key."""
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, list | tuple):
        return [_in_json(each) for each in value]
    if isinstance(value, dict):
        return {_in_json(key): _in_json(each) for key, each in value.items()}
    return value if isinstance(value, _PLAIN) else _text(value)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """RFC 4180, with a header line; null is an empty field."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(columns)
    writer.writerows(rows)
    return written.getvalue().encode()


def place_of(sql: str, position: int) -> dict[str, int]:
    """Line and column, from 1, of a byte of `sql`."""
    before = sql.encode()[:position].decode(errors="ignore")
    return {"line": before.count("\n") + 1, "column": len(before) - before.rfind("\n")}


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        return run(request)
    except Refused as refused:
        place = {} if refused.position is None else place_of(request["sql"], refused.position)
        return {"refused": {"message": refused.message, **place}}, b""
    except MemoryError:
        return {"exceeded": "memory"}, b""
    except TooLarge:
        return {"exceeded": "bytes"}, b""


def main() -> None:
    request = orjson.loads(sys.stdin.buffer.read())
    limit_process(request["memory_mb"], request["seconds"], request["bytes"])
    head, body = answer(request)
    sys.stdout.buffer.write(orjson.dumps(head) + b"\n" + body)


if __name__ == "__main__":
    main()
