"""Routes about the whole system, and about the process that answers."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from query_service.api.parameters import SeriesDays
from query_service.api.query_route import (
    FRESHNESS,
    QUERY_HEADERS,
    UNCHANGED,
    QueryRoute,
    edge_of,
    principal_of,
)
from query_service.api.sql import FORMATS, JSON, SqlAnswer, SqlProblemBody, SqlRoute, Statement
from query_service.api.sql_tables import SqlTables, sql_tables
from query_service.bus import HandlerDescription
from query_service.cache.entries import CacheStatistics
from query_service.queries.answers import AnswerModel
from query_service.queries.get_operations import GetOperations, Operations
from query_service.queries.get_system_analytics import GetSystemAnalytics, SystemAnalytics
from query_service.queries.get_system_processes import GetSystemProcesses, SystemProcesses
from query_service.queries.get_system_protection import GetSystemProtection, SystemProtection
from query_service.queries.get_system_series import GetSystemSeries, SystemSeries
from query_service.queries.get_system_status import GetSystemStatus, SystemStatus
from query_service.queries.visible_children import Scope
from shared.auth.access import operation_of
from shared.http.problems import problem_responses
from shared.http.recent_requests import recent_requests_of
from shared.http.request_checks import StrictRoute
from shared.http.request_figures import RequestFigures

OF_NO_ONE = problem_responses(401, 403, 429, 503)

numbers = APIRouter(tags=["system"], route_class=QueryRoute)
sql = APIRouter(tags=["system"], route_class=SqlRoute)
system = APIRouter(tags=["system"], route_class=StrictRoute)
"""With the numbers of the whole system: the process that answers."""


@numbers.get(
    "/system/analytics",
    response_model=SystemAnalytics,
    responses={**UNCHANGED, **OF_NO_ONE},
    openapi_extra=QUERY_HEADERS,
)
def get_system_analytics() -> GetSystemAnalytics:
    """Numbers of the whole system, of no one in particular. A consistency token makes the counters
    newer, not the figures from `figures_at` on: `figures_at` says of when these are."""
    return GetSystemAnalytics()


@numbers.get(
    "/system/series",
    response_model=SystemSeries,
    responses={**UNCHANGED, **OF_NO_ONE},
    openapi_extra=QUERY_HEADERS,
)
def get_system_series(days: Annotated[SeriesDays, Query()]) -> GetSystemSeries:
    """What happened in the whole system, day by day: registrations, active children,
    conversations, messages, minutes, violations and their resolution. Of the snapshot that SQL
    statements read, which is minutes old: `as_of` says of when, and no consistency token makes it
    newer."""
    return GetSystemSeries(days.first, days.last)


@numbers.get(
    "/system/status",
    response_model=SystemStatus,
    responses={**UNCHANGED, **OF_NO_ONE},
    openapi_extra=QUERY_HEADERS,
)
def get_system_status() -> GetSystemStatus:
    """Whether what queries show is up to date, and what stands in the way: late read models,
    children that cannot be projected, notifications that do not arrive, generations and workers."""
    return GetSystemStatus()


@numbers.get(
    "/system/processes",
    response_model=SystemProcesses,
    responses={**UNCHANGED, **OF_NO_ONE},
    openapi_extra=QUERY_HEADERS,
)
def get_system_processes() -> GetSystemProcesses:
    """What each process does: since when it runs, how often it was started, rates, lags and how
    long commands and batches take. Command APIs, relays and workers report every 5 s; of query
    processes only the one that answers is known."""
    return GetSystemProcesses()


@numbers.get(
    "/system/operations",
    response_model=Operations,
    responses={**UNCHANGED, **OF_NO_ONE},
    openapi_extra=QUERY_HEADERS,
)
def get_operations() -> GetOperations:
    """What administrators asked the workers to do, and how far it is."""
    return GetOperations()


@numbers.get(
    "/system/protection",
    response_model=SystemProtection,
    responses={**UNCHANGED, **OF_NO_ONE},
    openapi_extra=QUERY_HEADERS,
)
def get_system_protection() -> GetSystemProtection:
    """Whether what protects children's data does so: erasures that are not complete, keys that are
    missing, and the audit trail of the last hour. A part that cannot be read is null."""
    return GetSystemProtection()


SQL_ANSWERS: dict[int | str, dict[str, Any]] = {
    **problem_responses(401, 403, 406, 408, 413, 429, 503),
    200: {
        "content": {media_type: {} for media_type in FORMATS if media_type != JSON},
        "headers": {
            "X-As-Of": FRESHNESS["X-As-Of"],
            "X-Truncated": {
                "description": "`true`: there are more rows than the answer has.",
                "schema": {"type": "string", "enum": ["true", "false"]},
            },
        },
    },
}
SQL_ANSWERS[422] = {**SQL_ANSWERS[422], "model": SqlProblemBody}


@sql.post("/sql", response_model=SqlAnswer, responses=SQL_ANSWERS)
def run_sql(body: Statement) -> None:
    """One SELECT over columns without personal data, of a snapshot of the read models. `Accept`
    chooses JSON, CSV, Parquet, or a JSON object a line. Ids are pseudonyms that join tables, other
    ones in each snapshot."""


class RegisteredQueries(AnswerModel):
    queries: list[HandlerDescription]


class CacheCleared(AnswerModel):
    removed: int = Field(description="Number of dropped answers.")


def allowed(request: Request) -> None:
    """Raises Forbidden for who may not do the route's operation."""
    Scope.of(principal_of(request), operation_of(request.scope["route"].name))


@system.get("/sql/tables", responses=OF_NO_ONE, dependencies=[Depends(allowed)])
async def get_sql_tables(request: Request) -> SqlTables:
    """The tables and columns of SQL statements, and what one statement may use."""
    return sql_tables(edge_of(request).statements.runner.limits)


@system.get("/queries", responses=OF_NO_ONE, dependencies=[Depends(allowed)])
async def get_query_bus(request: Request) -> RegisteredQueries:
    """The queries that the bus answers, and who may ask them."""
    return RegisteredQueries(queries=edge_of(request).bus.handlers)


@system.get("/cache", responses=OF_NO_ONE, dependencies=[Depends(allowed)])
async def get_cache_statistics(request: Request) -> CacheStatistics:
    """Of the process that answers; each has its own cache."""
    return edge_of(request).cache.statistics()


@system.delete("/cache", responses=OF_NO_ONE, dependencies=[Depends(allowed)])
async def clear_cache(request: Request) -> CacheCleared:
    """Drop every cached answer of the process that answers, and of no other: the operation
    `clear-caches` of the command API reaches all of them."""
    return CacheCleared(removed=edge_of(request).cache.clear())


@system.get("/system/requests", responses=OF_NO_ONE, dependencies=[Depends(allowed)])
async def get_recent_requests(request: Request) -> RequestFigures:
    """How many requests were answered in the last five minutes, how fast, and what was refused. Of
    the process that answers; each counts its own, those of its pages too."""
    return recent_requests_of(request.app).figures()
