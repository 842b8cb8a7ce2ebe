"""/v1/parents: dashboard, alerts, live updates."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from query_service.api.asking import QUERY_HEADERS, UNCHANGED, Asking
from query_service.api.parameters import Page
from query_service.api.streams import EVENT_STREAM, EventStream, Streams
from query_service.queries.errors import ParentNotFound
from query_service.queries.get_alerts import Alerts, GetAlerts
from query_service.queries.get_children_by_parent import Family, GetChildrenByParent
from query_service.scope import Scope
from shared.auth.principal import Principal
from shared.http.audit_edge import tell_audit
from shared.http.callers import Caller
from shared.http.path_ids import ParentId
from shared.http.problems import problem_responses
from shared.http.query_parameters import StrictRoute

PROBLEMS = problem_responses(401, 403, 404, 429, 503)
A_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {EVENT_STREAM: {}}}}


def parents_router(asking: Asking, caller: Caller, streams: Streams) -> APIRouter:
    router = APIRouter(
        prefix="/v1/parents/{parent_id}",
        tags=["parents"],
        responses=PROBLEMS,
        route_class=StrictRoute,
    )
    Asker = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type

    @router.get(
        "/children", response_model=Family, responses=UNCHANGED, openapi_extra=QUERY_HEADERS
    )
    async def get_children_by_parent(
        request: Request, asker: Asker, parent_id: ParentId
    ) -> Response:
        """A family at a glance: each child with its numbers and its last conversations."""
        return await asking.answer(request, asker, GetChildrenByParent(parent_id))

    @router.get("/alerts", response_model=Alerts, responses=UNCHANGED, openapi_extra=QUERY_HEADERS)
    async def get_alerts(
        request: Request, asker: Asker, parent_id: ParentId, page: Annotated[Page, Query()]
    ) -> Response:
        """What a parent was alerted to, the newest first."""
        return await asking.answer(request, asker, GetAlerts(parent_id, page.limit, page.cursor))

    @router.get("/stream", response_class=StreamingResponse, responses=A_STREAM)
    async def follow_family(request: Request, asker: Asker, parent_id: ParentId) -> EventStream:
        """Server-sent events: `alert` (an alert was raised) and `change` (a child's read models
        reached a version). A stream ends with its token, and when events may have been missed:
        connect again and read the alerts and the dashboard anew."""
        scope = Scope.of(asker, "FollowFamily")
        if not scope.may_see_parent(parent_id):
            raise ParentNotFound
        with streams.place_for(asker) as place:
            family = await asking.bus.ask(GetChildrenByParent(parent_id), asker)
            tell_audit("FollowFamily", family.rendered.children)
        return EventStream(streams.follow(parent_id, request.state.grant), place)

    return router
