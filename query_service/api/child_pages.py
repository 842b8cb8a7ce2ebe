"""/v1/children/{child_id}: what there is more and more of, in pages."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from query_service.api.asking import ABOUT_A_CHILD, QUERY_HEADERS, Asking
from query_service.api.parameters import ChildPage, PeriodPage
from query_service.queries.get_child_conversations import Conversations, GetChildConversations
from query_service.queries.get_child_safety_report import GetChildSafetyReport, SafetyReport
from shared.auth.principal import Principal
from shared.http.callers import Caller
from shared.http.path_ids import ChildId
from shared.http.query_parameters import StrictRoute


def child_pages_router(asking: Asking, caller: Caller) -> APIRouter:
    router = APIRouter(
        prefix="/v1/children", tags=["children"], responses=ABOUT_A_CHILD, route_class=StrictRoute
    )
    Asker = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type

    @router.get(
        "/{child_id}/safety-report", response_model=SafetyReport, openapi_extra=QUERY_HEADERS
    )
    async def get_child_safety_report(
        request: Request, asker: Asker, child_id: ChildId, page: Annotated[PeriodPage, Query()]
    ) -> Response:
        """A child's incidents in a period, what they mean and what to do. The incidents come in
        pages; all numbers and recommendations are of the whole period."""
        query = GetChildSafetyReport(child_id, page.since, page.until, page.limit, page.cursor)
        return await asking.answer(request, asker, query)

    @router.get(
        "/{child_id}/conversations", response_model=Conversations, openapi_extra=QUERY_HEADERS
    )
    async def get_child_conversations(
        request: Request, asker: Asker, child_id: ChildId, page: Annotated[ChildPage, Query()]
    ) -> Response:
        """A child's conversations, the newest first: when, how long, about what."""
        query = GetChildConversations(child_id, page.limit, page.cursor)
        return await asking.answer(request, asker, query)

    return router
