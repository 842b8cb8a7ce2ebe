"""/v1/system: numbers of the whole system; /v1/queries and /v1/cache: this process itself."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from query_service.api.asking import QUERY_HEADERS, UNCHANGED, Asking
from query_service.cache.query_cache import QueryCache
from query_service.cache.statistics import CacheStatistics
from query_service.queries.answers import AnswerModel
from query_service.queries.get_system_analytics import GetSystemAnalytics, SystemAnalytics
from query_service.query_bus import HandlerDescription
from query_service.scope import Scope
from shared.auth.access import operation_of
from shared.auth.principal import Principal
from shared.http.callers import Caller
from shared.http.problems import problem_responses
from shared.http.query_parameters import StrictRoute


class RegisteredQueries(AnswerModel):
    queries: list[HandlerDescription]


class CacheCleared(AnswerModel):
    removed: int = Field(description="Answers that were dropped.")


def system_router(asking: Asking, caller: Caller, cache: QueryCache[Any]) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["system"], route_class=StrictRoute)
    problems = problem_responses(401, 403, 429, 503)
    Asker = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type

    def allowed(request: Request, asker: Asker) -> None:
        Scope.of(asker, operation_of(request.scope["route"].name))

    @router.get(
        "/system/analytics",
        response_model=SystemAnalytics,
        responses={**UNCHANGED, **problem_responses(401, 403, 429, 503)},
        openapi_extra=QUERY_HEADERS,
    )
    async def get_system_analytics(request: Request, asker: Asker) -> Response:
        """Numbers of the whole system, of no one in particular."""
        return await asking.answer(request, asker, GetSystemAnalytics())

    @router.get("/queries", responses=problems, dependencies=[Depends(allowed)])
    async def get_query_bus() -> RegisteredQueries:
        """The queries that the bus answers, and who may ask them."""
        return RegisteredQueries(queries=asking.bus.handlers)

    @router.get("/cache", responses=problems, dependencies=[Depends(allowed)])
    async def get_cache_statistics() -> CacheStatistics:
        """Of the process that answers; each has its own cache."""
        return cache.statistics()

    @router.delete("/cache", responses=problems, dependencies=[Depends(allowed)])
    async def clear_cache() -> CacheCleared:
        """Drop every cached answer of the process that answers."""
        return CacheCleared(removed=cache.clear())

    return router
