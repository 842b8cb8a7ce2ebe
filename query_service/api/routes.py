"""Every route of the query API: from path and parameters to a query."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, StreamingResponse

from query_service.api.audit_routes import evidence, looks
from query_service.api.exports import JSON_LINES, ExportStream, export_headers, gzipped, takes_gzip
from query_service.api.parameters import (
    MOST_ITEMS,
    ChildPage,
    Continued,
    Days,
    Page,
    PeriodPage,
    Search,
    SeriesDays,
)
from query_service.api.query_route import (
    ABOUT_A_CHILD,
    EXPORT_HEADERS,
    FRESHNESS,
    QUERY_HEADERS,
    UNCHANGED,
    QueryRoute,
    edge_of,
    freshness_of,
    principal_of,
    result_of,
)
from query_service.api.queue_parameters import Queue
from query_service.api.streams import EVENT_STREAM, EventStream
from query_service.api.system_routes import OF_NO_ONE, numbers, sql, system
from query_service.queries.export_child import ExportChild, ExportLine
from query_service.queries.get_alert_policy import AlertPolicyInForce, GetAlertPolicy
from query_service.queries.get_alerts import Alerts, GetAlerts
from query_service.queries.get_child_analytics import ChildAnalytics, GetChildAnalytics
from query_service.queries.get_child_consents import ChildConsents, GetChildConsents
from query_service.queries.get_child_conversations import Conversations, GetChildConversations
from query_service.queries.get_child_profile import ChildProfile, GetChildProfile
from query_service.queries.get_child_safety_report import GetChildSafetyReport, SafetyReport
from query_service.queries.get_child_series import ChildSeries, GetChildSeries
from query_service.queries.get_children_by_parent import Family, GetChildrenByParent
from query_service.queries.get_erasure_receipt import ErasureReceipt, GetErasureReceipt
from query_service.queries.get_safety_violations import GetSafetyViolations, SafetyViolations
from query_service.queries.search_children import FoundChildren, SearchChildren
from query_service.queries.visible_children import ParentNotFound, Scope
from shared.audit.record import audit_as
from shared.http.problems import problem_responses
from shared.http.request_checks import ChildId, ParentId, StrictRoute

PROBLEMS = problem_responses(401, 403, 404, 429, 503)

children = APIRouter(
    prefix="/children", tags=["children"], responses=ABOUT_A_CHILD, route_class=QueryRoute
)
receipts = APIRouter(
    prefix="/children", tags=["records"], responses=PROBLEMS, route_class=QueryRoute
)
records = APIRouter(
    prefix="/children", tags=["records"], responses=PROBLEMS, route_class=StrictRoute
)
"""With the receipts: what a family may take with it."""

parents = APIRouter(
    prefix="/parents/{parent_id}", tags=["parents"], responses=PROBLEMS, route_class=QueryRoute
)
streams = APIRouter(
    prefix="/parents/{parent_id}", tags=["parents"], responses=PROBLEMS, route_class=StrictRoute
)
incidents = APIRouter(tags=["safety"], responses=OF_NO_ONE, route_class=QueryRoute)

ROUTERS = (
    children,
    receipts,
    records,
    parents,
    streams,
    incidents,
    looks,
    evidence,
    numbers,
    sql,
    system,
)


@children.get("", response_model=FoundChildren, openapi_extra=QUERY_HEADERS)
def search_children(search: Annotated[Search, Query()]) -> SearchChildren:
    """The caller's children for whom every condition holds, the newest accounts first."""
    return search.to_query()


@children.get("/{child_id}", response_model=ChildProfile, openapi_extra=QUERY_HEADERS)
def get_child_profile(child_id: ChildId) -> GetChildProfile:
    """Everything about one child: account, consents, and the numbers of its use and safety."""
    return GetChildProfile(child_id)


@children.get("/{child_id}/analytics", response_model=ChildAnalytics, openapi_extra=QUERY_HEADERS)
def get_child_analytics(child_id: ChildId, days: Annotated[Days, Query()]) -> GetChildAnalytics:
    """How a child used the bear over the last days."""
    return GetChildAnalytics(child_id, days.period_days)


@children.get("/{child_id}/safety-report", response_model=SafetyReport, openapi_extra=QUERY_HEADERS)
def get_child_safety_report(
    child_id: ChildId, page: Annotated[PeriodPage, Query()]
) -> GetChildSafetyReport:
    """A child's incidents in a period, what they mean and what to do. The incidents come in
    pages; all numbers and recommendations are of the whole period."""
    return GetChildSafetyReport(child_id, page.since, page.until, page.limit, page.cursor)


@children.get(
    "/{child_id}/alert-policy", response_model=AlertPolicyInForce, openapi_extra=QUERY_HEADERS
)
def get_alert_policy(child_id: ChildId) -> GetAlertPolicy:
    """When and how the parent is alerted: as configured, or by default."""
    return GetAlertPolicy(child_id)


@children.get(
    "/{child_id}/conversations", response_model=Conversations, openapi_extra=QUERY_HEADERS
)
def get_child_conversations(
    child_id: ChildId, page: Annotated[ChildPage, Query()]
) -> GetChildConversations:
    """A child's conversations, the newest first: when, how long, about what."""
    return GetChildConversations(child_id, page.limit, page.cursor)


@children.get("/{child_id}/consents", response_model=ChildConsents, openapi_extra=QUERY_HEADERS)
def get_child_consents(child_id: ChildId, page: Annotated[ChildPage, Query()]) -> GetChildConsents:
    """When a child's parent consented to what, and when that was withdrawn, the newest first."""
    return GetChildConsents(child_id, page.limit, page.cursor)


@children.get("/{child_id}/series", response_model=ChildSeries, openapi_extra=QUERY_HEADERS)
def get_child_series(child_id: ChildId, days: Annotated[SeriesDays, Query()]) -> GetChildSeries:
    """What happened to a child, day by day: conversations, messages, minutes, violations."""
    return GetChildSeries(child_id, days.first, days.last)


@receipts.get(
    "/{child_id}/erasure-receipt",
    response_model=ErasureReceipt,
    responses=UNCHANGED,
    openapi_extra=QUERY_HEADERS,
)
def get_erasure_receipt(child_id: ChildId) -> GetErasureReceipt:
    """The signed proof of what was removed of an erased child, and what stays."""
    return GetErasureReceipt(child_id)


class JsonLines(JSONResponse):
    """What the OpenAPI document says of the answer, which is streamed."""

    media_type = JSON_LINES


@records.get(
    "/{child_id}/export",
    response_class=JsonLines,
    response_model=ExportLine,
    responses={200: {"headers": FRESHNESS, "description": "One record per line."}},
    openapi_extra=EXPORT_HEADERS,
)
async def export_child(
    request: Request, child_id: ChildId, continued: Annotated[Continued, Query()]
) -> ExportStream:
    """All that is stored about a child, for its family to take along: JSON Lines, one record a
    line, the last of kind `end`. Without that one something is missing: ask for the rest with
    the `cursor` of the last `progress` line, and drop what came behind it."""
    exports = edge_of(request).exports
    begun = await result_of(request, ExportChild(child_id))
    with exports.slot_for(principal_of(request), child_id) as slot:
        start = await exports.exporter.start(child_id, continued.cursor)
        header = None if continued.cursor else begun.rendered.body
        body = exports.lines(child_id, header, start, request.state.grant)
        headers = export_headers(child_id, freshness_of(begun))
        if takes_gzip(",".join(request.headers.getlist("Accept-Encoding"))):
            body, headers = gzipped(body), {**headers, "Content-Encoding": "gzip"}
        return ExportStream(body, slot.pop_all(), headers, exports.reader_seconds)


@parents.get("/children", response_model=Family, responses=UNCHANGED, openapi_extra=QUERY_HEADERS)
def get_children_by_parent(
    parent_id: ParentId, page: Annotated[Page, Query()]
) -> GetChildrenByParent:
    """A family at a glance: each child with its numbers and its last conversations. The children
    come in pages; the totals are of all of them."""
    return GetChildrenByParent(parent_id, page.limit, page.cursor)


@parents.get("/alerts", response_model=Alerts, responses=UNCHANGED, openapi_extra=QUERY_HEADERS)
def get_alerts(parent_id: ParentId, page: Annotated[Page, Query()]) -> GetAlerts:
    """What a parent was alerted to, the newest first."""
    return GetAlerts(parent_id, page.limit, page.cursor)


@streams.get(
    "/stream", response_class=StreamingResponse, responses={200: {"content": {EVENT_STREAM: {}}}}
)
async def follow_family(request: Request, parent_id: ParentId) -> EventStream:
    """Server-sent events: `alert` (an alert was raised) and `change` (a child's read models
    reached a version). It begins with the changes of the last seconds, which may have come after
    its reader last read. A stream ends with its token, and when events may have been missed:
    connect again and read the alerts and the dashboard anew."""
    edge, asker = edge_of(request), principal_of(request)
    if not Scope.of(asker, "FollowFamily").may_see_parent(parent_id):
        raise ParentNotFound
    with edge.streams.slot_for(asker) as slot:
        family = await edge.bus.ask(GetChildrenByParent(parent_id, MOST_ITEMS), asker)
        audit_as("FollowFamily", family.rendered.on_record)
        return EventStream(edge.streams.follow(parent_id, request.state.grant), slot.pop_all())


@incidents.get(
    "/safety-violations",
    response_model=SafetyViolations,
    responses=UNCHANGED,
    openapi_extra=QUERY_HEADERS,
)
def get_safety_violations(queue: Annotated[Queue, Query()]) -> GetSafetyViolations:
    """The violations of all children for which every condition holds: without one all that are
    open, the most severe first, and of one severity the oldest."""
    return queue.to_query()
