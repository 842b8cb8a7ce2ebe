"""POST /sql: one SELECT of an analyst, answered in the format that `Accept` asks for."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, Field

from query_service.api.exports import READER_SECONDS, ExportStream
from query_service.queries.visible_children import Scope
from query_service.sql.runner import SqlFormat, SqlLimits, SqlResult, SqlRunner, TooManyStatements
from shared.audit.record import audit_as
from shared.auth.access import Principal
from shared.http.admission import SUBJECT_FULL
from shared.http.bodies import RequestBody, parse_body, read_body
from shared.http.direct_routes import DirectRoute
from shared.http.limits import Shares
from shared.http.problems import FieldProblem, Problem, ProblemBody, ProblemRaised
from shared.http.request_checks import refuse_parameters

OPERATION = "RunSql"
MOST_CHARACTERS = 20_000
MOST_ROWS = SqlLimits().rows
SNAPSHOT_WAIT_SECONDS = 4.0
"""Longest a statement waits for the first snapshot: with its own seconds, less than a client
waits."""

PIECE = 64 * 1_024
JSON = "application/json"
FORMATS: Mapping[str, SqlFormat] = {
    JSON: SqlFormat.JSON,
    "text/csv": SqlFormat.CSV,
    "application/vnd.apache.parquet": SqlFormat.PARQUET,
    "application/x-ndjson": SqlFormat.JSONL,
}
"""By media type; of those that are wanted equally the first one is sent."""

_WEIGHT = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*$", re.IGNORECASE)
Done = TypeVar("Done")


class Statement(RequestBody):
    sql: str = Field(
        min_length=1,
        max_length=MOST_CHARACTERS,
        description="One SELECT in DuckDB's dialect, without parameters. `SHOW TABLES` and "
        "`DESCRIBE children` name the tables and columns.",
        examples=["SELECT safety_status, count(*) AS children FROM children GROUP BY 1"],
    )
    max_rows: int | None = Field(
        None, ge=1, le=MOST_ROWS, description=f"Most rows of the answer; default {MOST_ROWS}."
    )


class SqlColumn(BaseModel):
    name: str = Field(description="As the statement names it.")
    type: str = Field(description="DuckDB's type.")


class SqlAnswer(BaseModel):
    columns: list[SqlColumn] = Field(description="In the order of the values of a row.")
    rows: list[list[Any]] = Field(
        description="What JSON has no form for is a text: a decimal, an interval, a blob in hex, "
        "an integer of more than 64 bits. NaN and infinity are null."
    )
    truncated: bool = Field(description="There are more rows than these.")
    as_of: datetime | None = Field(
        description="Everything stored until then is included; null: unknown."
    )


class SqlProblemBody(ProblemBody):
    line: int | None = Field(None, description="Of the statement, from 1, if it is known.")
    column: int | None = Field(None, description="In that line, from 1.")


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Statements:
    """The statements under way in this process: at most `most`, and one of each caller."""

    def __init__(
        self, runner: SqlRunner, most: int, reader_seconds: float = READER_SECONDS
    ) -> None:
        self.runner = runner
        self.reader_seconds = reader_seconds
        self._most = most
        self._shares = Shares[Principal](most, 1 / most)

    def slot_for(self, caller: Principal) -> ExitStack:
        """Whoever has it closes it, once the answer is sent. Raises the problem 429 while the
        caller has one, TooManyStatements while the process has as many as it takes."""
        if self._shares.is_full(caller):
            raise ProblemRaised(SUBJECT_FULL)
        if self._shares.callers >= self._most:
            raise TooManyStatements
        self._shares.take(caller)
        slot = ExitStack()
        slot.callback(self._shares.give_back, caller)
        return slot


class SqlStream(ExportStream):
    """In pieces: the slot is held until the reader has taken all but the last one, so that a
    caller has one answer in this process's memory, however slowly it reads."""

    too_slow = "sql_client_too_slow"


class SqlRoute(DirectRoute):
    """FastAPI reads the endpoint's signature for the documentation only."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def handle(request: Request) -> Response:
            edge = request.app.state.edge
            principal: Principal = await edge.caller(request)
            Scope.of(principal, OPERATION)
            refuse_parameters(request)
            media_type = chosen(",".join(request.headers.getlist("Accept")))
            statements: Statements = edge.statements
            with statements.slot_for(principal) as slot:
                asked = parse_body(Statement, await read_body(request))
                work = statements.runner.run(asked.sql, FORMATS[media_type], asked.max_rows)
                result = await while_connected(request, work)
                audit_as(OPERATION, (), result.tables)
                return _answer(result, media_type, slot.pop_all(), statements.reader_seconds)

        return handle


def chosen(accept: str) -> str:
    """The media type of FORMATS that `Accept` (RFC 9110, section 12.5.1) prefers. Raises the
    problem 406."""
    weights: dict[str, float] = {}
    for offered in accept.lower().split(","):
        weight = _WEIGHT.search(offered)
        weights[offered.partition(";")[0].strip()] = float(weight[1]) if weight else 1.0
    if set(weights) == {""}:
        return JSON

    def wanted(media_type: str) -> float:
        group = f"{media_type.partition('/')[0]}/*"
        return next((weights[one] for one in (media_type, group, "*/*") if one in weights), 0.0)

    best = max(FORMATS, key=wanted)
    if wanted(best) <= 0:
        limit = ", ".join(FORMATS)
        problem = FieldProblem("Accept", f"must allow one of {limit}", limit)
        detail = "The answer has none of the formats that `Accept` allows."
        raise ProblemRaised(Problem(406, "not-acceptable", "Not acceptable", detail, [problem]))
    return best


async def while_connected(request: Request, work: Coroutine[Any, Any, Done]) -> Done:
    """What `work` returns; it is ended when the client leaves. The body must have been read.
    Raises ClientGone, and what `work` raises."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(request))
    tasks = (working, leaving)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)  # the statement's process has ended, too


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _answer(
    result: SqlResult, media_type: str, slot: ExitStack, reader_seconds: float
) -> SqlStream:
    body = _in_json(result) if media_type == JSON else result.body
    headers = {
        "Content-Length": str(len(body)),
        "Vary": "Accept",
        "X-Truncated": "true" if result.truncated else "false",
    }
    if result.as_of is not None:
        headers["X-As-Of"] = result.as_of
    return SqlStream(pieces(body, slot), slot, headers, reader_seconds, media_type)


def _in_json(result: SqlResult) -> bytes:
    """As SqlAnswer. The rows are JSON already: reading them would keep everybody else waiting."""
    columns, truncated = orjson.dumps(result.columns), orjson.dumps(result.truncated)
    parts = columns, result.body, truncated, orjson.dumps(result.as_of)
    return b'{"columns":%b,"rows":%b,"truncated":%b,"as_of":%b}' % parts


async def pieces(body: bytes, slot: ExitStack) -> AsyncGenerator[bytes, None]:
    """Who has got the last one may ask again at once: the slot is free before."""
    for start in range(0, len(body), PIECE):
        if start + PIECE >= len(body):
            slot.close()
        yield body[start : start + PIECE]
