"""SQL of an analyst who wants more than rows: files, network, other processes, everybody's time."""

from collections.abc import Mapping

import httpx2
import orjson

from tests.attack.row import Answered, Deed, Expectation, Refused, Request, Row
from tests.attack.wire import request, send
from tests.attack.world import World
from tests.support.waiting import STARTED, eventually

SQL = "POST /v1/sql"
REFUSED = Refused(422, "sql-refused")
FORBIDDEN = Refused(403, "forbidden")
TOO_LONG, TOO_MUCH = Refused(422, "sql-too-long"), Refused(422, "sql-too-much-memory")

JOIN = "SELECT sum(a.range * b.range) FROM range(9999999) a, range(9999999) b"
RECURSION = "WITH RECURSIVE a(i) AS (SELECT 1 UNION ALL FROM a) SELECT count(*) FROM a"
HOSTILE: Mapping[str, tuple[str, Expectation]] = {
    "a file": ("SELECT * FROM read_text('/etc/passwd')", REFUSED),
    "a file that is a table": ("SELECT * FROM '/etc/passwd'", REFUSED),
    "the environment of the process": ("SELECT * FROM read_text('/proc/self/environ')", REFUSED),
    "a list of files": ("SELECT * FROM glob('/**')", REFUSED),
    "an address": ("SELECT * FROM read_csv('http://127.0.0.1:8001/metrics')", REFUSED),
    "a file within a statement": ("SELECT * FROM query('FROM ''/etc/passwd''')", REFUSED),
    "an extension": ("INSTALL httpfs", REFUSED),
    "another database": ("ATTACH '/tmp/x.duckdb'", REFUSED),
    "a file to be written": ("COPY (SELECT 1) TO '/tmp/x.csv'", REFUSED),
    "a setting": ("SET enable_external_access = true", REFUSED),
    "a pragma": ("PRAGMA database_list", REFUSED),
    "a second statement": ("SELECT 1; DROP TABLE children", REFUSED),
    "a statement behind a comment": ("/* SELECT */ DELETE FROM children", REFUSED),
    "20,000 brackets": ("SELECT " + "(" * 9_990 + "1" + ")" * 9_990, REFUSED),
    "wide letters": ("\uff33\uff25\uff2c\uff25\uff23\uff34 1", REFUSED),
    "a name of a child": ("SELECT name FROM children", REFUSED),
    "a join without end": (JOIN, TOO_LONG),
    "recursion": (RECURSION, TOO_LONG),
    "gigabytes": ("SELECT repeat('x', 4000000000)", TOO_MUCH),
    "a list of all numbers": ("SELECT list(range) FROM range(1000000000)", TOO_MUCH),
}


def _asking(name: str, sql: str, expected: Expectation, caller: str, *, ci: bool = False) -> Row:
    body = orjson.dumps({"sql": sql})
    return Request(f"SQL: {name}", SQL, expected, caller, body, api="query", ci=ci)


async def _counted(world: World) -> str:
    bearer = f"Authorization: Bearer {world.bearer('analyst')}"
    body = orjson.dumps({"sql": "SELECT count(*) FROM children"})
    asked = request("POST", "/v1/sql", [bearer], body)
    answer = await eventually(
        lambda: send(world.address("query"), asked),
        STARTED,
        lambda answer: answer.status == httpx2.codes.OK,
    )
    return str(answer)


ROWS: tuple[Row, ...] = (
    Deed(
        "SQL: what it is for",
        "SELECT count(*) FROM children by analyst",
        "200, once there is a snapshot",
        _counted,
        ci=True,
    ),
    *(
        _asking(name, sql, expected, "analyst", ci=expected is REFUSED)
        for name, (sql, expected) in HOSTILE.items()
    ),
    _asking("by a parent", "SELECT count(*) FROM children", FORBIDDEN, "family", ci=True),
    _asking("after all of them", "SELECT * FROM children", Answered(), "analyst", ci=True),
)
