"""One SELECT over a snapshot, in a process that has nothing else: no settings, no credentials, no
import of this project, a folder of its own, and bounds that the kernel enforces.

Started by runner.py as a script. One JSON object on standard input: `sql`, `format` (json, jsonl,
csv or parquet), `rows`, `bytes`, `memory_mb`, `seconds`. On standard output one line of JSON, then
the result: `{"columns": [{"name", "type"}], "rows": 2, "truncated": false, "tables": ["alerts"]}`,
or `{"refused": {"message", "line", "column"}}` and nothing more, or `{"exceeded": "memory"}`.
"""

import csv
import io
import os
import resource
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import orjson

SNAPSHOT, PARQUET = "snapshot.duckdb", "result.parquet"
RESULT = "memory.main.result"
MESSAGE_CHARACTERS = 1_000
Columns = list[dict[str, str]]
Engine = duckdb.DuckDBPyConnection
OVERHEAD_MB = 1_024
"""Address space of Python and the engine's code beside the engine's own memory."""


class Refused(Exception):
    """`message` is for the caller; `position`: a character of its SQL."""

    def __init__(self, message: str, position: int | str | None = None) -> None:
        # without the excerpt of the statement; it may repeat a value of any length
        self.message = message.split("\n\n", maxsplit=1)[0][:MESSAGE_CHARACTERS]
        self.position = position


class TooLarge(Exception):
    """The result has more bytes than an answer may have."""


NICENESS = 5


def limit_process(memory_mb: int, seconds: int, size: int) -> None:
    """Bounds that hold whatever the engine does: address space, CPU, bytes of a file. Others come
    first: for the CPU, and to stay when the machine has no memory left."""
    os.nice(NICENESS)
    with suppress(OSError):  # not on every system
        Path("/proc/self/oom_score_adj").write_text("1000")
    for kind, most in (
        (resource.RLIMIT_AS, (memory_mb + OVERHEAD_MB) * 2**20),
        (resource.RLIMIT_CPU, seconds + 1),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS has no limit of address space
            resource.setrlimit(kind, (most, most))


def open_snapshot(memory_mb: int) -> Engine:
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
        # or a count would be answered without the table, and `tables` would not name it
        "SET disabled_optimizers = 'statistics_propagation'",
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
            raise Refused(f"{kind}: {text}") from None
        raise Refused(said["exception_message"], said.get("position")) from None


def require_one_select(engine: Engine, sql: str) -> None:
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
        tables = tables_of(engine, sql)
        if request["format"] == "parquet":
            columns, count, body = _as_parquet(engine, sql, most)
        else:
            columns, count, body = _as_text(engine, sql, most, request["format"])
    if len(body) + len(orjson.dumps(columns)) > request["bytes"]:
        raise TooLarge
    bounds = {"rows": min(most, count), "truncated": count > most}
    return {"columns": columns, **bounds, "tables": tables}, body


def tables_of(engine: Engine, sql: str) -> list[str]:
    """The tables that the plan of `sql` reads, however it names them; nothing for what has no plan:
    its execution says why. Raises Refused."""
    found: set[str] = set()
    try:
        nodes = orjson.loads(engine.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()[0][1])
    except duckdb.Error:
        return []
    except orjson.JSONDecodeError:
        raise Refused("the statement nests too deeply") from None
    while nodes:
        node = nodes.pop()
        nodes += node.get("children", ())
        found.add(node.get("extra_info", {}).get("Table", "").rpartition(".")[2])
    return sorted(found - {""})


def _as_text(engine: Engine, sql: str, most: int, form: str) -> tuple[Columns, int, bytes]:
    """Columns, rows (one more than `most` where there are more), and the body of `most`."""
    found = engine.execute(sql)
    columns, rows = _columns_of(found.description), found.fetchmany(most + 1)
    names, shown = [column["name"] for column in columns], rows[:most]
    write = {"csv": _csv, "jsonl": _json_lines}.get(form)
    return columns, len(rows), _json(shown) if write is None else write(names, shown)


def _as_parquet(engine: Engine, sql: str, most: int) -> tuple[Columns, int, bytes]:
    """The same. The rows stay in the engine's memory between being counted and being written: a
    statement that is run twice may have two answers."""
    found = engine.sql(sql)
    columns = _columns_of(found.description)
    found.limit(most + 1).create(RESULT)
    rows = engine.table(RESULT)
    try:
        rows.limit(most).write_parquet(PARQUET)
    except duckdb.IOException:  # the kernel ends a file that grows beyond the limit
        raise TooLarge from None
    return columns, len(rows), Path(PARQUET).read_bytes()


def _columns_of(description: Any) -> Columns:
    """Raises Refused where two have one name: an object for a row, or a file, would keep one."""
    columns = [{"name": name, "type": str(kind)} for name, kind, *_ in description or ()]
    times = Counter(column["name"] for column in columns)
    if twice := sorted(name for name, count in times.items() if count > 1):
        raise Refused(f"columns have the same name: {', '.join(twice)}; name them with AS")
    return columns


def _json(rows: Any) -> bytes:
    """Arrays of values. What JSON has no form for is a text: a decimal, an interval, a blob in hex,
    an integer of more than 64 bits; NaN and infinity are null."""
    try:
        return orjson.dumps(rows, default=_text, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # it asks nobody for an integer of more than 64 bits, or a key of a map
        return orjson.dumps(_in_json(rows), option=orjson.OPT_NON_STR_KEYS)


def _json_lines(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """An object for each row, as _json writes its values, and a line for each object."""
    return b"".join(_json(dict(zip(columns, row, strict=True))) + b"\n" for row in rows)


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
    csv.writer(written).writerows((columns, *rows))
    return written.getvalue().encode()


def place_of(sql: str, position: int) -> dict[str, int]:
    """Line and column, from 1, of a byte of `sql`."""
    before = sql.encode()[:position].decode(errors="ignore")
    return {"line": before.count("\n") + 1, "column": len(before) - before.rfind("\n")}


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        return run(request)
    except Refused as refused:
        place = {} if refused.position is None else place_of(request["sql"], int(refused.position))
        return {"refused": {"message": refused.message, **place}}, b""
    except (ValueError, OverflowError, RecursionError):
        return {"refused": {"message": "a value of the result has no form in this format"}}, b""
    except (MemoryError, TooLarge) as exceeded:
        return {"exceeded": "bytes" if isinstance(exceeded, TooLarge) else "memory"}, b""


def main() -> None:
    request = orjson.loads(sys.stdin.buffer.read())
    limit_process(request["memory_mb"], request["seconds"], request["bytes"])
    head, body = answer(request)
    sys.stdout.buffer.writelines((orjson.dumps(head), b"\n", body))


if __name__ == "__main__":
    main()
