"""/v1/children: profile, safety report, analytics, search."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from query_service.api.asking import Asking
from query_service.api.parameters import Days, Period, Search
from query_service.queries.get_child_analytics import ChildAnalytics, GetChildAnalytics
from query_service.queries.get_child_profile import ChildProfile, GetChildProfile
from query_service.queries.get_child_safety_report import GetChildSafetyReport, SafetyReport
from query_service.queries.search_children import FoundChildren
from shared.auth.principal import Principal
from shared.http.callers import Caller
from shared.http.problems import problem_responses


def children_router(asking: Asking, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/v1/children", tags=["children"])
    about_one = problem_responses(401, 403, 404, 422, 503)

    @router.get("", response_model=FoundChildren, responses=problem_responses(401, 403, 422, 503))
    async def search_children(
        request: Request,
        principal: Annotated[Principal, Depends(caller)],
        search: Annotated[Search, Query()],
    ) -> Response:
        return await asking.answer(request, principal, search.to_query())

    @router.get("/{child_id}", response_model=ChildProfile, responses=about_one)
    async def get_child_profile(
        request: Request, principal: Annotated[Principal, Depends(caller)], child_id: str
    ) -> Response:
        return await asking.answer(request, principal, GetChildProfile(child_id))

    @router.get("/{child_id}/safety-report", response_model=SafetyReport, responses=about_one)
    async def get_child_safety_report(
        request: Request,
        principal: Annotated[Principal, Depends(caller)],
        child_id: str,
        period: Annotated[Period, Query()],
    ) -> Response:
        query = GetChildSafetyReport(child_id, period.since, period.until)
        return await asking.answer(request, principal, query)

    @router.get("/{child_id}/analytics", response_model=ChildAnalytics, responses=about_one)
    async def get_child_analytics(
        request: Request,
        principal: Annotated[Principal, Depends(caller)],
        child_id: str,
        days: Annotated[Days, Query()],
    ) -> Response:
        query = GetChildAnalytics(child_id, days.period_days)
        return await asking.answer(request, principal, query)

    return router
