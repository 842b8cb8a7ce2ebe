"""The FastAPI application over a query bus, and what can be asked next with each answer."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Security
from prometheus_client import CollectorRegistry

from query_service.api import routes
from query_service.api.errors import PROBLEMS
from query_service.api.query_route import Edge
from shared.audit.record import AuditTrail
from shared.clock import new_id, utc_now
from shared.http.admission import install_admission
from shared.http.audit_edge import install_audit
from shared.http.client_address import install_callers_address
from shared.http.connection_room import install_connection_room
from shared.http.correlation import install_correlation
from shared.http.hardening import Exposure, install_hardening
from shared.http.openapi import Link, Links, install_links
from shared.http.problems import install_problems
from shared.http.response_headers import install_rate_limit_headers
from shared.http.serving import Readiness, operations_router
from shared.http.shares import Bounds

PREFIX = "/v1"
DESCRIPTION = "What is known of children, families and the system. Changes go to the command API."

NOTHING_SHOWN = Exposure()

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    edge: Edge,
    trail: AuditTrail,
    readiness: Readiness,
    registry: CollectorRegistry,
    bounds: Bounds,
    lifespan: Lifespan | None = None,
    exposure: Exposure = NOTHING_SHOWN,
) -> FastAPI:
    """Close `edge.streams` and `edge.exports` before the server stops."""
    app = FastAPI(
        title="Teddy query API",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,  # a redirect goes to whatever `Host` says, and takes the body along
    )
    app.state.edge = edge
    for router in routes.ROUTERS:
        app.include_router(router, prefix=PREFIX, dependencies=[Security(edge.caller)])
    app.include_router(operations_router(readiness, registry))
    install_links(app, LINKS)
    install_problems(app, PROBLEMS)
    install_rate_limit_headers(app)
    install_audit(app, trail, utc_now, PREFIX)
    install_admission(app, PREFIX, bounds, registry)
    install_hardening(app, exposure)
    install_callers_address(app, exposure.trusted_proxies)
    install_connection_room(app, bounds, exposure.trusted_proxies, registry)
    install_correlation(app, new_id)
    return app


CHILDREN = "/v1/children"
CHILD = f"{CHILDREN}/{{child_id}}"
FAMILY = "/v1/parents/{parent_id}"
NEXT_PAGE = {"query.cursor": "$response.body#/next_cursor"}


def _of_child(name: str, path: str, description: str, child_id: str) -> Link:
    return Link(name, f"GET {path}", description, {"child_id": child_id})


def _first(name: str, path: str, place: str) -> Link:
    return _of_child(
        name, path, f"Of the first child in `{place}`.", f"$response.body#/{place}/0/child_id"
    )


def _of_family(name: str, path: str, description: str, parent_id: str) -> Link:
    return Link(name, f"GET {path}", description, {"parent_id": parent_id})


def _next_page_of_child(name: str, path: str, more: str) -> Link:
    places = NEXT_PAGE | {"child_id": "$request.path.child_id"}
    return Link(name, f"GET {path}", f"The next page, where there is one{more}", places)


ITS_FAMILY = "$response.body#/parent_id"

LINKS: Links = {
    f"GET {CHILDREN}": (
        _first("GetChildProfile", CHILD, "items"),
        Link(
            "SearchChildren",
            f"GET {CHILDREN}",
            "The next page, where there is one; ask with the same conditions.",
            NEXT_PAGE,
        ),
    ),
    f"GET {CHILD}": (
        _of_child(
            "GetChildSafetyReport",
            f"{CHILD}/safety-report",
            "Its safety.",
            "$response.body#/child_id",
        ),
        _of_child(
            "GetChildConversations",
            f"{CHILD}/conversations",
            "Its conversations.",
            "$response.body#/child_id",
        ),
        _of_child(
            "GetChildAnalytics", f"{CHILD}/analytics", "Its use of it.", "$response.body#/child_id"
        ),
        _of_child("ExportChild", f"{CHILD}/export", "All about it.", "$response.body#/child_id"),
        _of_family("GetChildrenByParent", f"{FAMILY}/children", "Its family.", ITS_FAMILY),
        _of_family("GetAlerts", f"{FAMILY}/alerts", "Alerts about its family.", ITS_FAMILY),
    ),
    f"GET {CHILD}/safety-report": (
        _next_page_of_child(
            "GetChildSafetyReport", f"{CHILD}/safety-report", "; ask for the same period."
        ),
    ),
    f"GET {CHILD}/conversations": (
        _next_page_of_child("GetChildConversations", f"{CHILD}/conversations", "."),
    ),
    f"GET {FAMILY}/children": (_first("GetChildProfile", CHILD, "children"),),
    f"GET {FAMILY}/alerts": (
        _first("GetChildSafetyReport", f"{CHILD}/safety-report", "items"),
        Link(
            "GetAlerts",
            f"GET {FAMILY}/alerts",
            "The next page, where there is one.",
            NEXT_PAGE | {"parent_id": "$request.path.parent_id"},
        ),
    ),
}
