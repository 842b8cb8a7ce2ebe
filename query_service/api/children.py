"""/v1/children: profile, analytics, search."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from query_service.api.asking import ABOUT_A_CHILD, QUERY_HEADERS, Asking
from query_service.api.parameters import Days, Search
from query_service.queries.get_child_analytics import ChildAnalytics, GetChildAnalytics
from query_service.queries.get_child_profile import ChildProfile, GetChildProfile
from query_service.queries.search_children import FoundChildren
from shared.auth.principal import Principal
from shared.http.callers import Caller
from shared.http.path_ids import ChildId
from shared.http.query_parameters import StrictRoute


def children_router(asking: Asking, caller: Caller) -> APIRouter:
    router = APIRouter(
        prefix="/v1/children", tags=["children"], responses=ABOUT_A_CHILD, route_class=StrictRoute
    )
    Asker = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type

    @router.get("", response_model=FoundChildren, openapi_extra=QUERY_HEADERS)
    async def search_children(
        request: Request, asker: Asker, search: Annotated[Search, Query()]
    ) -> Response:
        """The caller's children for whom every condition holds, the newest accounts first."""
        return await asking.answer(request, asker, search.to_query())

    @router.get("/{child_id}", response_model=ChildProfile, openapi_extra=QUERY_HEADERS)
    async def get_child_profile(request: Request, asker: Asker, child_id: ChildId) -> Response:
        """Everything about one child: account, consents, and the numbers of its use and safety."""
        return await asking.answer(request, asker, GetChildProfile(child_id))

    @router.get("/{child_id}/analytics", response_model=ChildAnalytics, openapi_extra=QUERY_HEADERS)
    async def get_child_analytics(
        request: Request, asker: Asker, child_id: ChildId, days: Annotated[Days, Query()]
    ) -> Response:
        """How a child used the bear over the last days."""
        query = GetChildAnalytics(child_id, days.period_days)
        return await asking.answer(request, asker, query)

    return router
