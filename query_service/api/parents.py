"""/v1/parents: dashboard, alerts, live updates."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from query_service.api.asking import Asking
from query_service.api.parameters import Page
from query_service.api.streams import Streams
from query_service.queries.errors import ParentNotFound
from query_service.queries.get_alerts import Alerts, GetAlerts
from query_service.queries.get_children_by_parent import Family, GetChildrenByParent
from query_service.scope import FAMILY, Forbidden, Scope
from shared.auth.principal import Principal
from shared.http.callers import Caller
from shared.http.problems import problem_responses

EVENT_STREAM = "text/event-stream"


def parents_router(asking: Asking, caller: Caller, streams: Streams) -> APIRouter:
    router = APIRouter(prefix="/v1/parents/{parent_id}", tags=["parents"])
    problems = problem_responses(401, 403, 404, 422, 503)

    @router.get("/children", response_model=Family, responses=problems)
    async def get_children_by_parent(
        request: Request, principal: Annotated[Principal, Depends(caller)], parent_id: str
    ) -> Response:
        return await asking.answer(request, principal, GetChildrenByParent(parent_id))

    @router.get("/alerts", response_model=Alerts, responses=problems)
    async def get_alerts(
        request: Request,
        principal: Annotated[Principal, Depends(caller)],
        parent_id: str,
        page: Annotated[Page, Query()],
    ) -> Response:
        query = GetAlerts(parent_id, page.limit, page.cursor)
        return await asking.answer(request, principal, query)

    @router.get(
        "/stream",
        response_class=StreamingResponse,
        responses={200: {"content": {EVENT_STREAM: {}}}, **problem_responses(401, 403, 404)},
    )
    async def stream(
        principal: Annotated[Principal, Depends(caller)], parent_id: str
    ) -> StreamingResponse:
        """Server-sent events: `alert` (an alert was raised) and `change` (a child's read models
        reached a version). A stream ends when events may have been missed: connect again and read
        the alerts and the dashboard anew."""
        scope = Scope.of(principal)
        if scope.role not in FAMILY:
            raise Forbidden
        if not scope.may_see_parent(parent_id):
            raise ParentNotFound
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            streams.follow(parent_id), headers=headers, media_type=EVENT_STREAM
        )

    return router
