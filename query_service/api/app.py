"""The FastAPI application over a query bus, and what can be asked next with each answer."""

from fastapi import FastAPI

from query_service.api import routes
from query_service.api.errors import PROBLEMS
from query_service.api.query_route import Edge
from shared.http.edge import Around, Lifespan, install_edge, new_api
from shared.http.openapi import Link, Links, install_links
from shared.http.problems import install_problems

DESCRIPTION = "Queries about children, families and the system. Commands go to the command API."


def create_app(edge: Edge, around: Around, lifespan: Lifespan | None = None) -> FastAPI:
    """Close `edge.streams` and `edge.exports` before the server stops."""
    app = new_api("Teddy query API", DESCRIPTION, routes.ROUTERS, edge.caller, lifespan)
    app.state.edge = edge
    install_links(app, LINKS)
    install_problems(app, PROBLEMS)
    install_edge(app, around)
    return app


CHILDREN = "/v1/children"
CHILD = f"{CHILDREN}/{{child_id}}"
FAMILY = "/v1/parents/{parent_id}"
NEXT_PAGE = {"query.cursor": "$response.body#/next_cursor"}
ITS_ID = "$response.body#/child_id"
ITS_FAMILY = "$response.body#/parent_id"


def _of_child(name: str, path: str, description: str, child_id: str = ITS_ID) -> Link:
    return Link(name, f"GET {path}", description, {"child_id": child_id})


def _first(name: str, path: str, place: str) -> Link:
    first = f"$response.body#/{place}/0/child_id"
    return _of_child(name, path, f"Of the first child in `{place}`.", first)


def _of_family(name: str, path: str, description: str) -> Link:
    return Link(name, f"GET {path}", description, {"parent_id": ITS_FAMILY})


def _next_page_of_child(name: str, path: str, more: str) -> Link:
    places = NEXT_PAGE | {"child_id": "$request.path.child_id"}
    return Link(name, f"GET {path}", f"The next page, if there is one{more}", places)


def _next_page_of_family(name: str, path: str) -> Link:
    places = NEXT_PAGE | {"parent_id": "$request.path.parent_id"}
    return Link(name, f"GET {path}", "The next page, if there is one.", places)


LINKS: Links = {
    f"GET {CHILDREN}": (
        _first("GetChildProfile", CHILD, "items"),
        Link(
            "SearchChildren",
            f"GET {CHILDREN}",
            "The next page, if there is one; send the same conditions.",
            NEXT_PAGE,
        ),
    ),
    "GET /v1/safety-violations": (
        _first("GetChildSafetyReport", f"{CHILD}/safety-report", "items"),
        Link(
            "GetSafetyViolations",
            "GET /v1/safety-violations",
            "The next page, if there is one; send the same conditions.",
            NEXT_PAGE,
        ),
    ),
    f"GET {CHILD}": (
        _of_child("GetChildSafetyReport", f"{CHILD}/safety-report", "Its safety report."),
        _of_child("GetAlertPolicy", f"{CHILD}/alert-policy", "When its parent is alerted."),
        _of_child("GetChildConversations", f"{CHILD}/conversations", "Its conversations."),
        _of_child("GetChildConsents", f"{CHILD}/consents", "Its consents, as they changed."),
        _of_child("GetChildAnalytics", f"{CHILD}/analytics", "Its analytics."),
        _of_child("GetChildSeries", f"{CHILD}/series", "Day by day."),
        _of_child("ExportChild", f"{CHILD}/export", "Its profile."),
        _of_family("GetChildrenByParent", f"{FAMILY}/children", "Its family."),
        _of_family("GetAlerts", f"{FAMILY}/alerts", "Alerts about its family."),
    ),
    f"GET {CHILD}/safety-report": (
        _next_page_of_child(
            "GetChildSafetyReport", f"{CHILD}/safety-report", "; send the same period."
        ),
    ),
    f"GET {CHILD}/conversations": (
        _next_page_of_child("GetChildConversations", f"{CHILD}/conversations", "."),
    ),
    f"GET {CHILD}/consents": (_next_page_of_child("GetChildConsents", f"{CHILD}/consents", "."),),
    f"GET {FAMILY}/children": (
        _first("GetChildProfile", CHILD, "children"),
        _next_page_of_family("GetChildrenByParent", f"{FAMILY}/children"),
    ),
    f"GET {FAMILY}/alerts": (
        _first("GetChildSafetyReport", f"{CHILD}/safety-report", "items"),
        _next_page_of_family("GetAlerts", f"{FAMILY}/alerts"),
    ),
}
